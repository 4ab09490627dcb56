// Moving between hits with the keyboard: / box, arrows, Enter (the link's own), + - judge, u takes the last one back,
// m more like this, ? shows the keys.

import { judge } from "./feedback.js";

const box = document.getElementById("q");
const dialog = document.getElementById("keys");

function links() {
  return [...document.querySelectorAll("[data-hit] [data-open]")];
}

function isTyping(target) {
  return target.closest("input:not([type=checkbox]), select, textarea, dialog");
}

/** Return the hit above (-1) or below (+1) `current`: the nearest column of the next row. */
function inNextRow(all, current, direction) {
  const here = current.getBoundingClientRect();
  const rows = all
    .map((link) => ({ link, box: link.getBoundingClientRect() }))
    .filter(({ box: there }) => direction * (there.top - here.top) > 1);
  if (!rows.length) return null;
  const nearest = direction > 0 ? Math.min(...rows.map((r) => r.box.top)) : Math.max(...rows.map((r) => r.box.top));
  return rows
    .filter(({ box: there }) => Math.abs(there.top - nearest) < 2)
    .reduce((best, each) => (Math.abs(each.box.left - here.left) < Math.abs(best.box.left - here.left) ? each : best))
    .link;
}

function move(key) {
  const all = links();
  if (!all.length) return false;
  const hit = document.activeElement.closest?.("[data-hit]");
  const current = hit?.querySelector("[data-open]");
  if (!current) {
    all[0].focus();
    return true;
  }
  const index = all.indexOf(current);
  const next = {
    ArrowRight: () => all[index + 1],
    ArrowLeft: () => all[index - 1],
    ArrowDown: () => inNextRow(all, current, 1),
    ArrowUp: () => inNextRow(all, current, -1),
  }[key]();
  if (next) next.focus();
  else if (key === "ArrowUp") box.focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === box) {
    if (event.key === "ArrowDown" && move("ArrowDown")) event.preventDefault();
    return;
  }
  if (isTyping(event.target)) return;
  if (event.key === "/") {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "?") {
    event.preventDefault();
    dialog.showModal();
  } else if (event.key.startsWith("Arrow") && !event.shiftKey) {
    const onHit = document.activeElement.closest?.("[data-hit]");
    const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
    // Up and down scroll the page until a hit has the focus.
    if ((onHit || sideways) && move(event.key)) event.preventDefault();
  } else if (["+", "=", "-"].includes(event.key)) {
    const form = document.activeElement.closest?.("[data-hit]")?.querySelector("[data-judge]");
    if (!form) return;
    event.preventDefault();
    judge(form, event.key === "-" ? "dislike" : "like");
  } else if (event.key === "m") {
    document.activeElement.closest?.("[data-hit]")?.querySelector("[data-more-like]")?.click();
  } else if (event.key === "u") {
    document.getElementById("undo")?.click();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-show-keys]")) dialog.showModal();
});

// The answer, and its button, come anew with every ranking.
function showKeysButton() {
  for (const button of document.querySelectorAll("[data-show-keys]")) button.hidden = false;
}

showKeysButton();
document.addEventListener("htmx:afterSwap", showKeysButton);
