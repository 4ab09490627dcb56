// One request per file, so that each has its own progress and its own answer. Without this module the form sends
// all files at once and the server answers with the page of their jobs.

import { csrfToken } from "./csrf.js";

const AT_ONCE = 2;
const form = document.querySelector("[data-upload]");

/** Format bytes like "3.4 MB". */
function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(unit && value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** Send one file; resolve with the server's {status, answer}; reject when the connection breaks. */
function send(file, batch, collection, onProgress) {
  const data = new FormData();
  data.set("csrfmiddlewaretoken", csrfToken());
  data.set("batch", batch);
  data.set("collection", collection);
  data.set("images", file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress((100 * event.loaded) / event.total);
    });
    request.addEventListener("load", () => resolve({ status: request.status, answer: request.response }));
    request.addEventListener("error", () => reject(new Error("network")));
    request.addEventListener("abort", () => reject(new Error("network")));
    request.send(data);
  });
}

/** The line of one file. */
class Row {
  constructor(template, file) {
    this.file = file;
    this.element = template.content.cloneNode(true).firstElementChild;
    this.part("name").textContent = file.name;
    this.part("name").title = file.name;
    this.part("size").textContent = size(file.size);
    this.say("waiting");
  }

  part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }

  say(word) {
    const state = this.part("state");
    state.textContent = state.dataset[word];
    this.element.dataset.result = word;
    this.part("bar").hidden = !["waiting", "sending", "checking"].includes(word);
  }

  because(sentence) {
    this.part("reason").textContent = sentence;
    this.part("reason").hidden = !sentence;
  }

  progress(percent) {
    const bar = this.part("bar");
    if (percent >= 100) {
      bar.removeAttribute("value");
      this.say("checking");
    } else {
      bar.value = percent;
      this.say("sending");
    }
  }

  finish(result) {
    const word = { failed: "refused", duplicate: "known" }[result.state] ?? "accepted";
    this.say(word);
    this.because(result.reason);
    if (result.scene_url) {
      this.part("scene").href = result.scene_url;
      this.part("scene").hidden = word === "accepted";
    }
  }
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
  const maxBytes = Number(form.dataset.maxBytes);
  const rows = [];
  const queue = [];
  let running = 0;

  form.querySelector("[data-send]").hidden = true; // files go as soon as they are chosen
  title.textContent = title.dataset.scripted;
  picker.classList.add("visually-hidden");

  function summarise() {
    const results = rows.map((row) => row.element.dataset.result);
    const count = (...words) => results.filter((word) => words.includes(word)).length;
    const sent = count("accepted", "known", "refused", "lost");
    const done = sent === rows.length;
    summary.textContent = (done ? summary.dataset.done : summary.dataset.busy)
      .replace("%(sent)s", sent)
      .replace("%(all)s", rows.length)
      .replace("%(accepted)s", count("accepted"))
      .replace("%(known)s", count("known"))
      .replace("%(refused)s", count("refused", "lost"));
    follow.href = `${form.dataset.jobsUrl}?batch=${encodeURIComponent(form.elements.batch.value)}`;
    follow.hidden = !count("accepted", "known", "refused");
  }

  async function run(row) {
    const reason = row.part("reason");
    try {
      const { status, answer } = await send(row.file, form.elements.batch.value, row.collection, (percent) =>
        row.progress(percent),
      );
      if (status === 200 && answer?.results?.length) {
        row.finish(answer.results[0]);
      } else {
        const errors = Object.values(answer?.errors ?? {}).flat();
        row.say("refused");
        row.because(errors[0]?.message ?? (status === 413 ? reason.dataset.tooLarge : reason.dataset.rejected));
      }
    } catch {
      row.say("lost");
      row.because(reason.dataset.network);
      row.part("again").hidden = false;
    }
  }

  function next() {
    summarise();
    while (running < AT_ONCE && queue.length) {
      running += 1;
      run(queue.shift()).finally(() => {
        running -= 1;
        next();
      });
    }
  }

  function add(files) {
    for (const file of files) {
      const row = new Row(template, file);
      row.collection = form.elements.collection.value;
      rows.push(row);
      list.append(row.element);
      if (file.size > maxBytes) {
        row.say("refused");
        row.because(row.part("reason").dataset.tooLarge);
        continue;
      }
      row.part("again").addEventListener("click", () => {
        row.part("again").hidden = true;
        row.because("");
        row.say("waiting");
        queue.push(row);
        next();
      });
      queue.push(row);
    }
    results.hidden = !rows.length;
    next();
  }

  picker.addEventListener("change", () => {
    add(picker.files);
    picker.value = "";
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
  drop.addEventListener("drop", (event) => add(event.dataTransfer.files));
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("beforeunload", (event) => {
    if (running || queue.length) event.preventDefault();
  });
}

if (form) start();
