// Examples for a query: pictures pasted, dropped or chosen, hits dragged into the box, and their weights.
// Pictures are sent one by one, each with its own progress and its own refusal; when all are there, the search runs.

import { csrfToken } from "./csrf.js";

const HIT = "application/x-rsportal-like";
const ask = document.querySelector("[data-ask]");
const give = document.querySelector("[data-give]");
const list = document.querySelector("[data-given]");
const blank = document.querySelector("[data-giving]");
const file = document.querySelector("[data-file]");

let sending = 0;
let refused = 0;
let line = Promise.resolve();

/** Put an example (as it stands in an address) into the query, and ask. */
export function addExample(like) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name: "like", value: like });
  ask.append(field);
  if (!sending) ask.requestSubmit();
}

function post(picture, onProgress) {
  return new Promise((resolve) => {
    const data = new FormData();
    data.set("picture", picture, picture.name || "picture.png");
    data.set("kind", "picture");
    data.set("csrfmiddlewaretoken", csrfToken());
    const request = new XMLHttpRequest();
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total ? loaded / total : 0));
    request.addEventListener("load", () => resolve({ status: request.status, ...request.response }));
    request.addEventListener("error", () => resolve({ status: 0 }));
    request.open("POST", give.action);
    request.setRequestHeader("Accept", "application/json");
    request.send(data);
  });
}

async function sendPicture(picture) {
  const item = blank.content.firstElementChild.cloneNode(true);
  const shown = item.querySelector("img");
  shown.src = URL.createObjectURL(picture);
  shown.addEventListener("error", () => shown.remove(), { once: true }); // The browser cannot draw every format.
  item.querySelector("[data-name]").textContent = picture.name;
  let dropped = false;
  item.querySelector("[data-drop-it]").addEventListener("click", () => {
    dropped = true;
    item.remove();
    if (item.dataset.refused !== undefined) refused -= 1;
    askWhenReady();
  });
  list.append(item);
  sending += 1;
  const bar = item.querySelector("progress");
  line = line.then(() => (dropped ? { status: -1 } : post(picture, (share) => (bar.value = share))));
  const answer = await line;
  sending -= 1;
  bar.remove();
  if (dropped) return;
  if (answer.status === 201) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "like", value: answer.like });
    item.append(field);
    item.dataset.sent = "";
  } else {
    refused += 1;
    item.dataset.refused = "";
    item.querySelector("[data-refused]").textContent = answer.error || blank.dataset.lost;
  }
  askWhenReady();
}

/** Ask when nothing is on its way any more and nothing waits for a person to read why it was refused. */
function askWhenReady() {
  if (!sending && !refused && list.querySelector("[data-sent]")) ask.requestSubmit();
}

function pictures(transfer) {
  return [...(transfer?.files ?? [])];
}

document.addEventListener("paste", (event) => {
  const given = pictures(event.clipboardData).filter((each) => each.type.startsWith("image/"));
  const words = event.clipboardData.types.includes("text/plain") && event.target.matches("input, textarea");
  if (!given.length || words) return; // Words go where the cursor is.
  event.preventDefault();
  given.forEach(sendPicture);
});

// A hit is dragged as what it stands for; a file wherever it falls on the page.
document.addEventListener("dragstart", (event) => {
  const hit = event.target.closest?.("[data-hit]");
  if (hit) event.dataTransfer.setData(HIT, hit.dataset.like);
});

function isFor(event) {
  return event.dataTransfer.types.includes("Files") || event.dataTransfer.types.includes(HIT);
}

let inside = 0;
document.addEventListener("dragenter", (event) => {
  if (!isFor(event)) return;
  inside += 1;
  ask.dataset.dropping = "";
});

document.addEventListener("dragleave", (event) => {
  if (!isFor(event)) return;
  inside -= 1;
  if (inside <= 0) endDrag();
});

document.addEventListener("dragend", endDrag);

function endDrag() {
  inside = 0;
  delete ask.dataset.dropping;
}

document.addEventListener("dragover", (event) => {
  if (!isFor(event)) return;
  // Of a dragged picture of this page the browser makes a file, too.
  if (!event.dataTransfer.types.includes(HIT) || event.target.closest("[data-ask]")) event.preventDefault();
});

document.addEventListener("drop", (event) => {
  if (!isFor(event)) return;
  endDrag();
  const like = event.dataTransfer.getData(HIT);
  if (like && !event.target.closest("[data-ask]")) return;
  event.preventDefault();
  if (like) addExample(like);
  else pictures(event.dataTransfer).forEach(sendPicture);
});

// With the script the summary opens the file dialog, and what is chosen is sent at once.
file.multiple = true;
document.querySelector("[data-picture] > summary").addEventListener("click", (event) => {
  event.preventDefault();
  file.click();
});
file.addEventListener("change", () => {
  [...file.files].forEach(sendPicture);
  file.value = "";
});

for (const hint of document.querySelectorAll("[data-hint]")) hint.hidden = false;

// A changed weight applies at once; a search without any example left needs no address of its own.
list.addEventListener("change", (event) => {
  if (event.target.matches("[data-example]")) ask.requestSubmit();
});

document.addEventListener("example:added", (event) => {
  event.preventDefault();
  addExample(event.detail.like);
});
