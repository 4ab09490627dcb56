// Files go by the tus protocol: each with its own progress, and what was cut off goes on where it stopped, also after
// the page was closed. Without this module the form sends all files at once.

import { csrfToken } from "./csrf.js";
import { chosen, dropped } from "./upload-files.js";
import { Row } from "./upload-row.js";
import { Sending } from "./upload-sending.js";

const AT_ONCE = 2;
const OVER = ["accepted", "unpacked", "known", "refused", "removed"];
const BATCH_KEY = "rsportal-upload-batch";
const form = document.querySelector("[data-upload]");

/** Ask the server which files make one scene; if it does not answer, each stands alone. */
async function plan(files) {
  const alone = { groups: files.map((file, number) => ({ name: file.name, key: file.path, files: [number] })), left_out: [] };
  try {
    const collection = new URLSearchParams({ collection: form.elements.collection.value });
    const answer = await fetch(`${form.dataset.planUrl}?${collection}`, {
      method: "POST",
      headers: { "X-CSRFToken": csrfToken(), "Content-Type": "application/json" },
      body: JSON.stringify(files.map((file) => file.path)),
    });
    return answer.ok ? await answer.json() : alone;
  } catch {
    return alone;
  }
}

/** The number that uploads share until all are over, also across a reload: files of a scene find each other by it. */
function batchKept() {
  const known = localStorage.getItem(BATCH_KEY);
  if (known) form.elements.batch.value = known;
  return form.elements.batch.value;
}

function start() {
  const picker = form.querySelector("input[type=file]");
  const drop = form.querySelector("[data-drop]");
  const results = form.querySelector("[data-results]");
  const list = form.querySelector("[data-list]");
  const template = form.querySelector("template[data-row]");
  const summary = form.querySelector("[data-summary]");
  const follow = form.querySelector("[data-follow]");
  const title = form.querySelector("[data-drop-title]");
  const folder = form.querySelector("[data-folder]");
  const pauseAll = form.querySelector("[data-pause-all]");
  const goOnAll = form.querySelector("[data-go-on-all]");
  const batch = batchKept();
  const rows = [];
  let leftOut = 0;

  form.querySelector("[data-send]").hidden = true; // files go as soon as they are chosen
  title.textContent = title.dataset.scripted;
  picker.classList.add("visually-hidden");
  folder.hidden = false;

  function summarise() {
    const count = (...words) => rows.filter((row) => words.includes(row.word)).length;
    const over = count(...OVER, "lost");
    const sent = over + count("together", "checking", "unpacking");
    const words = [
      (over === rows.length ? summary.dataset.done : summary.dataset.busy)
        .replace("%(sent)s", sent)
        .replace("%(all)s", rows.length)
        .replace("%(accepted)s", count("accepted", "unpacked"))
        .replace("%(known)s", count("known"))
        .replace("%(refused)s", count("refused", "lost", "removed")),
    ];
    if (leftOut) words.push(summary.dataset.leftOut.replace("%(count)s", leftOut));
    summary.textContent = words.join(" · ");
    follow.href = `${form.dataset.jobsUrl}?batch=${encodeURIComponent(batch)}`;
    follow.hidden = !count("accepted", "unpacked", "known", "refused");
    pauseAll.hidden = !count("waiting", "sending");
    goOnAll.hidden = !count("paused") || !pauseAll.hidden;
    if (rows.length && over - count("lost") === rows.length) localStorage.removeItem(BATCH_KEY);
    else if (rows.length) localStorage.setItem(BATCH_KEY, batch);
  }

  /** Begin what waits, as long as few are under way. */
  function next() {
    const busy = rows.filter((row) => row.word === "sending").length;
    for (const row of rows.filter((each) => each.word === "waiting").slice(0, Math.max(0, AT_ONCE - busy))) {
      row.sending.begin();
    }
    summarise();
  }

  async function add(files) {
    if (!files.length) return;
    results.hidden = false;
    const { groups, left_out: others } = await plan(files);
    leftOut += others.length;
    for (const group of groups) {
      const scene = { name: group.name, key: group.key, size: group.files.length, rows: [] };
      for (const number of group.files) {
        const row = new Row(template, files[number], scene);
        row.sending = new Sending(row, { form, batch, collection: form.elements.collection.value, changed: next });
        const twin = rows.find((each) => each.sending.key === row.sending.key && !OVER.includes(each.word));
        if (twin) {
          twin.sending.wait(["paused", "lost"]); // Chosen again: the one that is there goes on.
          continue;
        }
        scene.rows.push(row);
        rows.push(row);
        list.append(row.element);
        if (row.file.size > Number(form.dataset.maxBytes)) row.refuse(row.text("reason", "tooLarge"));
      }
    }
    next();
  }

  pauseAll.addEventListener("click", () => {
    for (const row of rows) row.sending.pause();
    summarise();
  });
  goOnAll.addEventListener("click", () => {
    for (const row of rows) row.sending.wait(["paused"]);
    next();
  });
  window.addEventListener("online", () => {
    for (const row of rows) row.sending.wait(["lost"]);
    next();
  });
  picker.addEventListener("change", () => {
    add(chosen(picker.files));
    picker.value = "";
  });
  folder.addEventListener("click", () => {
    const opener = document.createElement("input");
    opener.type = "file";
    opener.webkitdirectory = true;
    opener.addEventListener("change", () => add(chosen(opener.files)));
    opener.click();
  });
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.toggleAttribute("data-over", true);
    });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.toggleAttribute("data-over", false);
    });
  }
  drop.addEventListener("drop", async (event) => add(await dropped(event.dataTransfer)));
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("beforeunload", (event) => {
    if (rows.some((row) => ["waiting", "sending"].includes(row.word))) event.preventDefault();
  });
}

if (form && window.tus?.isSupported) start();
