// Likes and dislikes change in place; without this module each button is a plain form.

import { csrfToken } from "./csrf.js";

const OPPOSITE = { like: "dislike", dislike: "like" };

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
  let recorded = false;
  try {
    const response = await fetch(eventsUrl(), {
      method: "POST",
      body: eventData(form.elements.token.value, sent),
      keepalive: true,
    });
    recorded = response.ok && !response.redirected;
  } catch {
    recorded = false;
  }
  if (!recorded) {
    show(button, before[0]);
    show(other, before[1]);
    button.classList.add("judge__button--lost");
    setTimeout(() => button.classList.remove("judge__button--lost"), 1500);
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-judge]");
  if (!form || !event.submitter) return;
  event.preventDefault();
  judge(form, event.submitter.dataset.kind);
});
