// What is laid over the deep view: zoom, all of it, full screen; scale, north and where the pointer is.

import { placesOf } from "./places.js";

const NICE = [1, 2, 5];
const SCALE_PIXELS = 120; // the longest scale bar
const SVG = "http://www.w3.org/2000/svg";

export function controlsAdd(view) {
  const { map, words } = view;
  const { L } = window;
  L.control.zoom({ zoomInTitle: words.zoom_in, zoomOutTitle: words.zoom_out }).addTo(map);
  buttonsAdd(view);
  let places = null;
  const show = pointer(view, () => places);
  if (!view.facts.places) return;
  fetch(view.facts.places, { credentials: "same-origin" })
    .then((answer) => (answer.ok ? answer.json() : null))
    .then((table) => {
      if (!table?.lon) return;
      places = placesOf(table);
      scaleAdd(view, places);
      northAdd(view, places);
      show();
    })
    .catch(() => {}); // Without it the view has no scale; the picture is there all the same.
}

function buttonsAdd({ map, stage, words, fit, whole }) {
  const { L } = window;
  const bar = L.control({ position: "topleft" });
  bar.onAdd = () => {
    const box = L.DomUtil.create("div", "leaflet-bar deep__buttons");
    L.DomEvent.disableClickPropagation(box);
    const button = (word, path, press) => {
      const made = L.DomUtil.create("button", "deep__button", box);
      made.type = "button";
      made.title = word;
      made.setAttribute("aria-label", word);
      made.append(drawn(path));
      made.addEventListener("click", press);
      return made;
    };
    button(words.whole, "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5M8.5 8.5h7v7h-7z", () => map.flyToBounds(whole, { duration: 0.4, animate: map.options.zoomAnimation }));
    const full = button(words.full, "M9 4H4v5M15 4h5v5M20 15v5h-5M4 15v5h5", () => toggle(stage));
    document.addEventListener("fullscreenchange", () => told(full, stage, words));
    stage.addEventListener("deep:full", () => told(full, stage, words));
    stage.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && stage.classList.contains("view__stage--full")) toggle(stage);
      if (event.key === "0" && event.target.closest(".deep")) fit();
      if (event.key === "f" && !event.ctrlKey && !event.metaKey && event.target.closest(".deep")) toggle(stage);
    });
    return box;
  };
  bar.addTo(map);
}

/** Full screen by the browser where it can (not on phones of one maker), else over the whole window. */
function toggle(stage) {
  if (document.fullscreenElement === stage) document.exitFullscreen();
  else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => over(stage));
  else over(stage);
}

function over(stage) {
  stage.classList.toggle("view__stage--full");
  stage.dispatchEvent(new CustomEvent("deep:full"));
}

function told(button, stage, words) {
  const on = document.fullscreenElement === stage || stage.classList.contains("view__stage--full");
  button.setAttribute("aria-pressed", String(on));
  button.title = on ? words.leave : words.full;
  button.setAttribute("aria-label", button.title);
}

/** Tells where the pointer is (without one, the middle of the view); returns a function that tells it anew. */
function pointer({ map, facts, pixel, words }, places) {
  const { L } = window;
  const readout = L.DomUtil.create("div", "deep__readout");
  const corner = L.control({ position: "bottomright" });
  corner.onAdd = () => readout;
  corner.addTo(map);
  let at = null;
  const show = () => {
    const { x, y } = pixel(at ?? map.getCenter());
    const inside = x >= 0 && y >= 0 && x < facts.width && y < facts.height;
    const place = inside && places()?.lonLat(x, y);
    const said = [];
    if (place) said.push(`${place[0].toFixed(5)}, ${place[1].toFixed(5)}`);
    if (inside) said.push(`${words.column} ${Math.floor(x)}, ${words.row} ${Math.floor(y)}`);
    readout.textContent = said.join("\n");
    readout.title = at ? words.pointer : words.middle;
  };
  map.on("mousemove", (event) => {
    at = event.latlng;
    show();
  });
  map.on("mouseout", () => {
    at = null;
    show();
  });
  map.on("move", show);
  show();
  return show;
}

function scaleAdd({ map, facts, pixel, words }, places) {
  const { L } = window;
  const scale = L.control({ position: "bottomleft" });
  scale.onAdd = () => {
    const bar = L.DomUtil.create("div", "deep__scale");
    const show = () => {
      const { x, y } = pixel(map.getCenter());
      const metres = places.metres(x, y);
      bar.hidden = !metres;
      if (!metres) return;
      const each = metres / map.getZoomScale(map.getZoom(), facts.levels); // metres of a pixel of the screen
      const most = each * SCALE_PIXELS;
      const ten = 10 ** Math.floor(Math.log10(most));
      const length = NICE.map((nice) => nice * ten).findLast((nice) => nice <= most) ?? ten;
      bar.style.width = `${length / each}px`;
      bar.textContent = said(length);
      bar.title = words.scale;
    };
    map.on("move zoom", show);
    show();
    return bar;
  };
  scale.addTo(map);
}

function said(metres) {
  if (metres >= 1000) return `${metres / 1000} km`;
  return metres >= 1 ? `${metres} m` : `${Math.round(metres * 100)} cm`;
}

function northAdd({ map, pixel, words }, places) {
  const { L } = window;
  const north = L.control({ position: "topright" });
  north.onAdd = () => {
    const box = L.DomUtil.create("div", "deep__north");
    const arrow = drawn("M12 3 7.5 20 12 16.5 16.5 20Z");
    box.append(arrow, Object.assign(document.createElement("span"), { textContent: words.north_letter }));
    const show = () => {
      const { x, y } = pixel(map.getCenter());
      const turned = places.north(x, y);
      box.hidden = turned === null;
      arrow.style.rotate = `${turned ?? 0}deg`;
      box.title = words.north;
    };
    map.on("moveend", show);
    show();
    return box;
  };
  north.addTo(map);
}

function drawn(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
