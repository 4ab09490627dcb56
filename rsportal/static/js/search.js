// The search page: short addresses, clicks told at once, filters that apply themselves, keys.

import { sendClick } from "./feedback.js";
import "./compose.js";
import "./grid-keys.js";
import "./place.js";
import "./rerank.js";

const form = document.querySelector("[data-ask]");
const page = document.querySelector(".search");
const rail = document.querySelector("[data-rail]");
const WIDE = matchMedia("(min-width: 48.01rem)");

// What the answer was compared with is no part of the permalink.
const address = new URL(location.href);
if (address.searchParams.has("was")) {
  for (const name of ["was", "upto"]) address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
}

function openRailWhenWide() {
  if (WIDE.matches) rail.open = true;
}

openRailWhenWide();
WIDE.addEventListener("change", openRailWhenWide);

// Empty filters stay out of the permalink; an empty box is sent, so that the page says what to do, but examples need no
// words.
form.addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData.entries()]) {
    if (value === "" && (name !== "q" || formData.has("like"))) formData.delete(name);
  }
});

form.addEventListener("submit", () => page.setAttribute("data-busy", ""));
// Coming back by the browser's history must not show the page as busy.
window.addEventListener("pageshow", () => page.removeAttribute("data-busy"));

// On wide screens a ticked collection or a date applies at once when something was asked.
rail.addEventListener("change", (event) => {
  if (event.target.form !== form) return;
  const asked = form.elements.q.value.trim() || new FormData(form).has("like");
  if (WIDE.matches && asked) form.requestSubmit();
});

function clicked(event) {
  const link = event.target.closest("[data-open]");
  if (link && event.button < 2) sendClick(link.closest("[data-hit]").dataset.token);
}

document.addEventListener("click", clicked);
document.addEventListener("auxclick", clicked);

// A changed weight applies at once, so that the button is not needed; the chips come anew with every answer.
function chipsApplyThemselves() {
  for (const chips of document.querySelectorAll("[data-chips]")) chips.setAttribute("data-live", "");
}

chipsApplyThemselves();
document.addEventListener("htmx:afterSettle", chipsApplyThemselves);
