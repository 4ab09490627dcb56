// How long a scene that was opened from the results is looked at: told whenever the page is hidden or left.
// Time in the background does not count, and the server knows when the scene was opened.

import { csrfToken } from "./csrf.js";

const block = document.querySelector("[data-look]");
let since = null;
let looked = 0;

function look() {
  since = document.visibilityState === "visible" ? performance.now() : null;
}

function tell() {
  if (since === null) return;
  looked += performance.now() - since;
  since = null;
  const data = new FormData();
  data.set("token", block.dataset.look);
  data.set("kind", "dwell");
  data.set("seconds", String(Math.floor(looked / 1000)));
  data.set("csrfmiddlewaretoken", csrfToken());
  navigator.sendBeacon(document.querySelector("[data-events-url]").dataset.eventsUrl, data);
}

if (block && navigator.sendBeacon) {
  look();
  document.addEventListener("visibilitychange", () => (document.visibilityState === "visible" ? look() : tell()));
  window.addEventListener("pagehide", tell);
  window.addEventListener("pageshow", (event) => event.persisted && look());
}
