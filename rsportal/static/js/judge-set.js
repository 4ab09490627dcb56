// Judging with one key or click: 0 to 3 grade the scene that has the focus, arrows move, Backspace takes back.
// Without this module every grade is a button of a plain form.

const scenes = [...document.querySelectorAll("[data-scene]")];
const bar = document.querySelector("[data-progress]");
const told = document.querySelector("[data-progress-text]");

function showProgress() {
  if (!bar) return;
  const pool = bar.max;
  const done = scenes.slice(0, pool).filter((scene) => "grade" in scene.dataset).length;
  bar.value = done;
  told.textContent = told.dataset.pattern.replace("{done}", done).replace("{all}", pool);
}

function show(scene, grade) {
  if (grade === "") delete scene.dataset.grade;
  else scene.dataset.grade = grade;
  for (const button of scene.querySelectorAll("button[aria-pressed]")) {
    button.setAttribute("aria-pressed", String(button.value === grade));
  }
  scene.querySelector("[data-withdraw]").hidden = grade === "";
  showProgress();
}

/** Record a grade ("" takes it back), show it at once, and undo that if the server did not take it. */
async function judge(scene, grade) {
  const before = scene.dataset.grade ?? "";
  const data = new FormData(scene.querySelector("form"));
  data.set("grade", grade);
  show(scene, grade);
  let recorded = false;
  try {
    const response = await fetch(scene.closest("[data-judge-url]").dataset.judgeUrl, {
      method: "POST",
      body: data,
      headers: { "X-Requested-With": "judge" },
      keepalive: true,
    });
    recorded = response.ok && !response.redirected;
  } catch {
    recorded = false;
  }
  if (recorded) {
    delete scene.dataset.lost;
  } else {
    show(scene, before);
    scene.dataset.lost = "";
  }
}

function focus(scene) {
  const link = scene?.querySelector("[data-focus]");
  if (!link) return;
  link.focus();
  scene.scrollIntoView({ block: "nearest" });
}

/** Go on to the next scene that is not judged, or stay. */
function goOn(scene) {
  const place = scenes.indexOf(scene);
  const rest = [...scenes.slice(place + 1), ...scenes.slice(0, place)];
  focus(rest.find((each) => !("grade" in each.dataset)));
}

function columns() {
  const top = scenes[0].offsetTop;
  return Math.max(1, scenes.filter((scene) => scene.offsetTop === top).length);
}

document.addEventListener("submit", (event) => {
  const scene = event.target.closest("[data-scene]");
  if (!scene || !event.submitter) return;
  event.preventDefault();
  judge(scene, event.submitter.value);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=hidden]), textarea, select")) {
    return;
  }
  const scene = document.activeElement.closest?.("[data-scene]");
  if (/^[0-3]$/.test(event.key)) {
    const target = scene ?? scenes.find((each) => !("grade" in each.dataset));
    if (!target) return;
    event.preventDefault();
    judge(target, event.key);
    goOn(target);
  } else if (event.key === "Backspace" && scene && "grade" in scene.dataset) {
    event.preventDefault();
    judge(scene, "");
  } else if (scene && event.key.startsWith("Arrow")) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
    const next = scenes[scenes.indexOf(scene) + step];
    if (!next) return;
    event.preventDefault();
    focus(next);
  }
});
