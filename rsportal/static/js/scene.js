// The scene page: feedback in place, how long it is looked at, boxes drawn on it, and copying the footprint.

import "./deep/view.js";
import "./dwell.js";
import "./feedback.js";
import "./part.js";

for (const block of document.querySelectorAll("[data-copy]")) {
  const button = block.querySelector("[data-copy-button]");
  const label = block.querySelector("[data-copy-label]");
  const before = label.textContent;
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("[data-copy-text]").textContent);
    label.textContent = label.dataset.done;
    setTimeout(() => (label.textContent = before), 2000);
  });
}
