// The paper to draw on: strokes by mouse, finger or pen, an eraser, undo; sent as a PNG, it becomes an example.
// What was drawn last stays in this tab, so that a sketch can be changed after seeing what it finds.

import { csrfToken } from "./csrf.js";

const KEPT = "rsportal:sketch";
const INK = "#000";
const PAPER = "#fff";
const ERASER_TIMES = 4; // An eraser is wider than the pen.

const form = document.getElementById("draw");
const panel = document.querySelector("[data-sketch]");
const paper = panel.querySelector("[data-paper]");
const pen = paper.getContext("2d");
const width = panel.querySelector("[data-width]");
const eraser = panel.querySelector("[data-eraser]");
const undo = panel.querySelector("[data-undo]");
const clear = panel.querySelector("[data-clear]");
const go = panel.querySelector("[data-go]");
const refusal = panel.querySelector("[data-refused]");

/** Strokes, oldest first: {ink, points: [[x, y, width], ...]} in pixels of the paper. */
let strokes = [];
let drawing = null;
let sentAs = "";

function drawPart({ ink, points }, from) {
  pen.strokeStyle = ink;
  pen.fillStyle = ink;
  pen.lineCap = "round";
  for (let index = from; index < points.length; index += 1) {
    const [x, y, thick] = points[index];
    const [beforeX, beforeY] = points[Math.max(0, index - 1)];
    pen.beginPath();
    if (index === 0) {
      pen.arc(x, y, thick / 2, 0, 2 * Math.PI);
      pen.fill();
    } else {
      pen.lineWidth = thick;
      pen.moveTo(beforeX, beforeY);
      pen.lineTo(x, y);
      pen.stroke();
    }
  }
}

function drawAll() {
  pen.fillStyle = PAPER;
  pen.fillRect(0, 0, paper.width, paper.height);
  for (const stroke of strokes) drawPart(stroke, 0);
  showState();
}

function showState() {
  undo.disabled = clear.disabled = strokes.length === 0;
  go.disabled = !strokes.some(({ ink }) => ink === INK);
}

function keep() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ strokes, sentAs }));
  } catch {
    // A full or forbidden store only means that the sketch does not outlive the page.
  }
}

function recall() {
  try {
    ({ strokes, sentAs } = JSON.parse(sessionStorage.getItem(KEPT)) ?? { strokes: [], sentAs: "" });
  } catch {
    strokes = [];
  }
  drawAll();
}

function point(event) {
  const box = paper.getBoundingClientRect();
  const scale = paper.width / box.width;
  const pressed = event.pointerType === "pen" && event.pressure > 0 ? 0.5 + event.pressure : 1;
  const thick = Number(width.value) * (drawing.ink === INK ? pressed : ERASER_TIMES);
  const at = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale, thick];
  return at.map((value) => Math.round(value * 10) / 10);
}

paper.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || drawing) return; // A second finger is no second pen.
  event.preventDefault();
  paper.setPointerCapture(event.pointerId);
  drawing = { id: event.pointerId, ink: eraser.getAttribute("aria-pressed") === "true" ? PAPER : INK, points: [] };
  drawing.points.push(point(event));
  strokes.push({ ink: drawing.ink, points: drawing.points });
  drawPart(drawing, 0);
  refusal.hidden = true;
  showState();
});

paper.addEventListener("pointermove", (event) => {
  if (drawing?.id !== event.pointerId) return;
  const before = drawing.points.length;
  const passed = event.getCoalescedEvents?.() ?? [];
  for (const each of passed.length ? passed : [event]) drawing.points.push(point(each));
  drawPart(drawing, before);
});

for (const end of ["pointerup", "pointercancel"]) {
  paper.addEventListener(end, (event) => {
    if (drawing?.id !== event.pointerId) return;
    drawing = null;
    keep();
  });
}

eraser.addEventListener("click", () => {
  eraser.setAttribute("aria-pressed", String(eraser.getAttribute("aria-pressed") !== "true"));
});

function takeBack() {
  strokes.pop();
  drawAll();
  keep();
  if (undo.disabled) width.focus(); // A disabled button would lose the place.
}

undo.addEventListener("click", takeBack);

panel.addEventListener("keydown", (event) => {
  if (event.key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey && strokes.length && !drawing) {
    event.preventDefault();
    takeBack();
  }
  if (event.key === "Enter" && event.target === width) event.preventDefault(); // It would send the empty file field.
});

clear.addEventListener("click", () => {
  strokes = [];
  drawAll();
  keep();
  width.focus();
});

function refuse(sentence) {
  refusal.textContent = sentence || refusal.dataset.lost;
  refusal.hidden = false;
}

/** A changed sketch takes the place of the one that was sent before. */
function withdraw(like) {
  for (const field of document.querySelectorAll("[data-ask] [name=like]")) {
    if (like && field.value.split("*")[0] === like) field.disabled = true;
  }
}

function added(like) {
  const event = new CustomEvent("example:added", { bubbles: true, cancelable: true, detail: { like } });
  if (!panel.dispatchEvent(event)) return; // The page has put it into the query itself.
  const ask = document.querySelector("[data-ask]");
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name: "like", value: like });
  ask.append(field);
  ask.requestSubmit();
}

async function send() {
  const picture = await new Promise((resolve) => paper.toBlob(resolve, "image/png"));
  const data = new FormData();
  data.set("picture", picture, panel.dataset.name); // Without a name it would be no file.
  data.set("kind", "sketch");
  data.set("csrfmiddlewaretoken", csrfToken());
  const response = await fetch(form.action, { method: "POST", body: data, headers: { Accept: "application/json" } });
  const answer = await response.json();
  if (response.status !== 201) return refuse(answer.error);
  if (answer.like !== sentAs) withdraw(sentAs);
  sentAs = answer.like;
  keep();
  added(answer.like);
}

go.addEventListener("click", async () => {
  go.disabled = true;
  refusal.hidden = true;
  try {
    await send();
  } catch {
    refuse("");
  } finally {
    showState();
  }
});

panel.querySelector("[data-desk]").hidden = false;
recall();
