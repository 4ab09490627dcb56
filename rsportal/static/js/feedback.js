// Likes and dislikes change in place; without this module each button is a plain form.
// What is said leaves in the order in which it was said. Around each, the form tells `judge:sent` and `judge:answered`.

import { csrfToken } from "./csrf.js";

const OPPOSITE = { like: "dislike", dislike: "like" };
let line = Promise.resolve();

/** Under this key the tab remembers that a hit was judged on the page of its scene. */
export const JUDGED_ELSEWHERE = "rsportal:judged";

function eventsUrl() {
  return document.querySelector("[data-events-url]").dataset.eventsUrl;
}

function eventData(token, kind) {
  const data = new FormData();
  data.set("token", token);
  data.set("kind", kind);
  data.set("csrfmiddlewaretoken", csrfToken());
  return data;
}

/** Tell the server about a click; it arrives even when the page is left at once. */
export function sendClick(token) {
  navigator.sendBeacon(eventsUrl(), eventData(token, "click"));
}

async function post(token, kind) {
  try {
    const response = await fetch(eventsUrl(), { method: "POST", body: eventData(token, kind), keepalive: true });
    return response.ok && !response.redirected;
  } catch {
    return false;
  }
}

/** Say `kind` of the hit of `token` after all that was said before; return whether the server recorded it. */
export async function say(token, kind) {
  document.dispatchEvent(new CustomEvent("judge:sent"));
  // The results that led to a scene learn of it when somebody comes back to them.
  if (!document.getElementById("results")) sessionStorage.setItem(JUDGED_ELSEWHERE, "1");
  const sent = line.then(() => post(token, kind));
  line = sent;
  const recorded = await sent;
  document.dispatchEvent(new CustomEvent("judge:answered", { detail: { recorded } }));
  return recorded;
}

function show(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
  button.value = pressed ? `un${button.dataset.kind}` : button.dataset.kind;
}

/** Press like or dislike in `form`, show it at once, and take it back if the server did not record it. */
export async function judge(form, kind) {
  const button = form.querySelector(`[data-kind=${kind}]`);
  const other = form.querySelector(`[data-kind=${OPPOSITE[kind]}]`);
  const before = [button, other].map((each) => each.getAttribute("aria-pressed") === "true");
  const sent = button.value;
  show(button, !before[0]);
  show(other, false);
  if (await say(form.elements.token.value, sent)) return;
  show(button, before[0]);
  show(other, before[1]);
  button.classList.add("judge__button--lost");
  setTimeout(() => button.classList.remove("judge__button--lost"), 1500);
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-judge]");
  if (!form || !event.submitter) return;
  event.preventDefault();
  judge(form, event.submitter.dataset.kind);
});
