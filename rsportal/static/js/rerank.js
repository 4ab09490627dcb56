// After a judgement the question is asked anew and the answer takes the place of the old one: focus and scroll stay,
// hits glide to their new places. Judgements that follow each other quickly are answered once, after the last of them.

import { JUDGED_ELSEWHERE, say } from "./feedback.js";

const PAGE = 24; // hits, as on the server
const AIMED_MS = 250; // so soon after a change a press was aimed at what stood there before
const GLIDE = { duration: 260, easing: "cubic-bezier(0.2, 0, 0, 1)" };
const still = matchMedia("(prefers-reduced-motion: reduce)");
const said = document.querySelector("[data-said]");

let underway = 0; // judgements that the server has not answered
let due = false; // one was recorded since the last ranking
let running = false; // a ranking is on its way
let again = false; // it is too old before it has arrived
let before = null; // where the hits stood
let focusAfter = ""; // the scene to focus when what had the focus is gone
let changedAt = -Infinity;
let pressedAt = 0;

function anew() {
  return document.getElementById("anew");
}

function hits() {
  return [...document.querySelectorAll("[data-hit]")];
}

function rankAnew() {
  const link = anew();
  if (!link) return;
  due = false;
  again = running;
  if (running) return; // What it brings is older than the last judgement: it is asked once more.
  running = true;
  const address = new URL(link.href);
  const last = hits().at(-1)?.querySelector("[data-rank]")?.dataset.rank ?? 1;
  address.searchParams.set("upto", Math.ceil(last / PAGE));
  htmx
    .ajax("GET", address.pathname + address.search, { source: link })
    .catch(() => {}) // What goes wrong is shown by htmx-guard.js and announced below.
    .finally(() => {
      running = false;
      if (again) rankAnew();
    });
}

document.addEventListener("judge:sent", () => {
  underway += 1;
  document.getElementById("taught")?.removeAttribute("data-unsent");
});

document.addEventListener("judge:answered", ({ detail }) => {
  underway -= 1;
  if (detail.recorded) due = true;
  else document.getElementById("taught")?.setAttribute("data-unsent", "");
  if (!detail.recorded) announce(".taught__unsent");
  if (!underway && due) rankAnew();
});

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-undo]");
  if (!form) return;
  event.preventDefault();
  focusAfter = form.dataset.undo;
  await say(form.elements.token.value, event.submitter?.value ?? form.elements.kind.value);
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-again]")) rankAnew();
});

// Coming back from the page of a scene that was judged there: this order is older than that.
window.addEventListener("pageshow", ({ persisted }) => {
  const judged = sessionStorage.getItem(JUDGED_ELSEWHERE);
  sessionStorage.removeItem(JUDGED_ELSEWHERE);
  const kept = new URL(location.href).searchParams.has("ranking");
  if (judged && (persisted || kept)) rankAnew();
});

document.addEventListener("pointerdown", (event) => (pressedAt = event.timeStamp), true);
document.addEventListener(
  "click",
  (event) => {
    if (!event.detail || !event.target.closest("[data-hit]") || pressedAt - changedAt > AIMED_MS) return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);

function announce(selector) {
  const words = document.querySelector(selector)?.textContent.replace(/\s+/g, " ").trim() ?? "";
  said.textContent = "";
  requestAnimationFrame(() => (said.textContent = words));
}

function isAnswer(event) {
  return event.detail.target?.id === "results" && event.detail.requestConfig?.elt?.id === "anew";
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (isAnswer(event)) event.detail.target.setAttribute("aria-busy", "true");
});

document.addEventListener("htmx:afterRequest", () => document.getElementById("results")?.removeAttribute("aria-busy"));

for (const failure of ["htmx:responseError", "htmx:sendError"]) {
  document.addEventListener(failure, (event) => {
    if (event.detail.target?.id === "results") announce(".taught__lost");
  });
}

document.addEventListener("htmx:beforeSwap", (event) => {
  before = null;
  if (!isAnswer(event) || !event.detail.shouldSwap) return;
  if (underway || again) {
    event.detail.shouldSwap = false;
    due = true;
    return;
  }
  before = {
    top: document.getElementById("hits")?.getBoundingClientRect().top,
    places: new Map(hits().map((hit) => [hit.dataset.scene, hit.getBoundingClientRect()])),
  };
});

document.addEventListener("htmx:afterSwap", () => {
  if (!before) return;
  const grid = document.getElementById("hits");
  // The bar above may have another height now: what was looked at stays where it was.
  if (grid && before.top !== undefined) window.scrollBy(0, grid.getBoundingClientRect().top - before.top);
  if (focusAfter) document.getElementById(`scene-${focusAfter}`)?.focus({ preventScroll: true });
  focusAfter = "";
  changedAt = performance.now();
  announce("[data-says]");
  if (!still.matches) glide(before.places);
  before = null;
});

function isSeen({ top, bottom }) {
  return bottom > 0 && top < innerHeight;
}

function glide(places) {
  for (const hit of hits()) {
    const here = hit.getBoundingClientRect();
    const there = places.get(hit.dataset.scene);
    if (!isSeen(here) && !(there && isSeen(there))) continue;
    if (!there) hit.animate([{ opacity: 0 }, { opacity: 1 }], GLIDE);
    else if (Math.abs(here.left - there.left) + Math.abs(here.top - there.top) > 1) {
      const from = `translate(${there.left - here.left}px, ${there.top - here.top}px)`;
      hit.animate([{ transform: from }, { transform: "none" }], GLIDE);
    }
  }
}
