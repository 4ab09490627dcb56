// One file on its way, by the stock tus-js-client.

import { csrfToken } from "./csrf.js";

const DELAYS = [0, 1000, 3000, 5000, 10000, 20000, 30000]; // ms; a minute in all outlasts the limit on requests
const POLL = 1500; // ms
const PART = 32 * 1024 * 1024; // bytes of a request, so that a proxy that collects requests loses little of one
const WITH_CREATION = 4 * 1024 * 1024; // bytes; smaller files go in one request
const AGAIN = [409, 423, 429];
const FULL = 507;

/** Read the sentence of a problem document; empty when there is none. */
function detail(response) {
  try {
    return JSON.parse(response.getBody()).detail ?? "";
  } catch {
    return "";
  }
}

export class Sending {
  constructor(row, { form, batch, collection, changed }) {
    this.row = row;
    this.form = form;
    this.changed = changed;
    const { file, scene } = row;
    this.key = ["rsportal", collection, file.path, file.size, file.lastModified, scene.key, scene.size].join("|");
    const metadata = { filename: file.name, collection, batch, relativePath: file.path };
    if (scene.size > 1) Object.assign(metadata, { group: scene.key, groupSize: String(scene.size) });
    this.upload = new window.tus.Upload(file, {
      endpoint: form.dataset.tusUrl,
      metadata,
      headers: { "X-CSRFToken": csrfToken(), "Accept": "application/json" },
      chunkSize: PART,
      uploadDataDuringCreation: file.size <= WITH_CREATION,
      retryDelays: DELAYS,
      fingerprint: async () => this.key,
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        return !status || AGAIN.includes(status) || (status >= 500 && status !== FULL);
      },
      onUploadUrlAvailable: () => this.unlist(),
      onProgress: (sent, all) => row.word === "sending" && row.progress(sent, all),
      onError: (error) => this.failed(error),
      onSuccess: () => this.arrived(),
    });
  }

  /** Send, from where an earlier attempt stopped; also one of another day, if this browser knows of it. */
  async begin() {
    this.row.say("sending");
    if (!this.upload.url) {
      const before = await this.upload.findPreviousUploads();
      if (this.row.word !== "sending") return; // It was paused meanwhile.
      if (before.length) this.upload.resumeFromPreviousUpload(before[0]);
    }
    this.upload.start();
  }

  /** Stand in line again, from one of these states. */
  wait(words) {
    if (words.includes(this.row.word)) this.row.say("waiting");
  }

  async pause() {
    if (!["waiting", "sending"].includes(this.row.word)) return;
    this.row.say("paused");
    await this.upload.abort();
  }

  /** Stop, and have the server forget what arrived. */
  async giveUp() {
    this.row.say("removed");
    try {
      await this.upload.abort(true);
    } catch {
      // The server removes it when it expires.
    }
    await this.forget();
    this.changed();
  }

  failed(error) {
    const { row } = this;
    if (row.word !== "sending") return;
    const response = error.originalResponse;
    const status = response?.getStatus() ?? 0;
    if (status >= 400 && status < 500 && !AGAIN.includes(status)) {
      row.refuse(detail(response) || row.text("reason", status === 413 ? "tooLarge" : "rejected"));
    } else {
      row.say("lost");
      row.because((response && detail(response)) || row.text("reason", "network"));
    }
    this.changed();
  }

  async arrived() {
    this.row.say("checking");
    this.changed();
    await this.ask();
  }

  /** Ask what became of it, until that is sure. The files of a scene share their fate with the last of them. */
  async ask() {
    const answer = await fetch(this.upload.url, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer || answer.status === 429 || answer.status >= 500) {
      setTimeout(() => this.ask(), 2 * POLL);
      return;
    }
    if (!answer.ok) {
      this.row.refuse(this.row.text("reason", "rejected"));
      this.changed();
      return;
    }
    const state = await answer.json();
    const url = this.form.dataset.sceneUrl.replace(/0{8}-.*0{12}/, state.scene ?? "");
    this.row.settle(state, url);
    if (state.state === "working") setTimeout(() => this.ask(), POLL);
    if (["done", "failed"].includes(state.state)) {
      await this.forget();
      for (const other of this.row.scene.rows.filter((each) => each.word === "together")) other.sending.ask();
    }
    this.changed();
  }

  /** Drop what this browser remembers of the upload: sent again, the file is a new one. */
  async forget() {
    for (const before of await this.upload.findPreviousUploads()) {
      await window.tus.defaultOptions.urlStorage.removeUpload(before.urlStorageKey);
    }
  }

  /** Take an upload that goes on out of the list of unfinished ones. */
  unlist() {
    for (const item of document.querySelectorAll("[data-upload-id]")) {
      if (this.upload.url.includes(item.dataset.uploadId)) item.remove();
    }
    const section = document.querySelector("[data-unfinished]");
    if (section && !section.querySelector("[data-upload-id]")) section.hidden = true;
  }
}
