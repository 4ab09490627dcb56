// The line of one file: what it is called, how far it is, what became of it.

const UNDER_WAY = ["waiting", "sending", "paused", "checking", "unpacking"];

/** Format bytes like "3.4 MB". */
function size(bytes) {
  const units = ["B", "KB", "MB", "GB"]; // of 1024, as the server writes them
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(unit && value < 10 ? 1 : 0)} ${units[unit]}`;
}

export class Row {
  /** `scene`: name, size and rows of the files that make one scene, this one among them. */
  constructor(template, file, scene) {
    this.file = file;
    this.scene = scene;
    this.element = template.content.cloneNode(true).firstElementChild;
    this.part("name").textContent = file.name;
    this.part("name").title = file.path;
    this.part("size").textContent = size(file.size);
    if (scene.size > 1) {
      const group = this.part("group");
      group.textContent = group.dataset.label.replace("%(name)s", scene.name);
      group.hidden = false;
    }
    for (const [name, act] of [
      ["pause", () => this.sending.pause()],
      ["go-on", () => this.sending.wait(["paused"])],
      ["again", () => this.sending.wait(["lost", "refused"])],
      ["give-up", () => this.sending.giveUp()],
    ]) {
      this.part(name).addEventListener("click", () => {
        act();
        this.sending.changed();
      });
    }
    this.say("waiting");
  }

  part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }

  text(part, name) {
    return this.part(part).dataset[name];
  }

  /** Show a state; `numbers` fill the places in its words. */
  say(word, numbers = {}) {
    this.word = word;
    this.element.dataset.result = word;
    this.part("state").textContent = fill(this.text("state", word), numbers);
    this.part("bar").hidden = !UNDER_WAY.includes(word);
    if (["checking", "together"].includes(word)) this.part("bar").removeAttribute("value");
    this.part("pause").hidden = word !== "sending";
    this.part("go-on").hidden = word !== "paused";
    this.part("again").hidden = word !== "lost";
    this.part("give-up").hidden = !["sending", "paused", "lost", "together"].includes(word);
    if (UNDER_WAY.includes(word)) this.because("");
  }

  because(sentence) {
    this.part("reason").textContent = sentence;
    this.part("reason").hidden = !sentence;
  }

  refuse(sentence) {
    this.say("refused");
    this.because(sentence);
  }

  progress(sent, all) {
    this.say("sending");
    this.part("bar").value = all ? (100 * sent) / all : 100;
  }

  /** Show what the server says of an upload whose bytes are all there. */
  settle(upload, sceneUrl) {
    if (upload.state === "working" && upload.total) {
      this.say("unpacking", upload);
      this.part("bar").value = (100 * upload.done) / upload.total;
    } else if (upload.state === "working" || upload.state === "receiving") {
      this.say("checking");
    } else if (upload.state === "waiting") {
      this.say("together");
    } else {
      this.finish(upload, sceneUrl);
    }
  }

  finish(upload, sceneUrl) {
    if (upload.state === "failed") {
      this.refuse(upload.reason);
    } else if (upload.outcome) {
      this.say("unpacked");
      this.because(fill(this.text("reason", "outcome"), upload.outcome));
    } else {
      this.say(upload.job_state === "duplicate" ? "known" : "accepted");
    }
    if (upload.scene) {
      this.part("scene").href = sceneUrl;
      this.part("scene").hidden = this.word !== "known";
    }
    const refusals = upload.outcome?.refusals ?? [];
    this.part("refusals").hidden = !refusals.length;
    this.part("refusals").replaceChildren(
      ...refusals.map(({ name, reason }) => {
        const line = document.createElement("li");
        line.textContent = `${name}: ${reason}`;
        return line;
      }),
    );
  }
}

function fill(text, numbers) {
  return text.replace(/%\((\w+)\)s/g, (_place, name) => numbers[name] ?? "");
}
