// The deep view of a scene: its pixels, from all of it to the last one, in the place of the picture of the page.
// Shown at once is what the page has already; squares of full resolution come where and when they are needed.

import { controlsAdd } from "./controls.js";
import { outlinesAdd } from "./outlines.js";

const BEYOND = 3; // zooms past full resolution: a pixel of the scene is then 8 of the screen
const PIXELS_SHOW = 1.5; // zooms past full resolution from which pixels are drawn as squares
const RETRY_MS = 1500;
const RETRIES = 3;

const stage = document.querySelector("[data-deep]");
if (stage && window.L) start(stage);

function start(stage) {
  const { L } = window;
  const facts = JSON.parse(stage.dataset.deep);
  const words = facts.words;
  const last = facts.levels; // the level of full resolution is also the zoom at which a pixel is a pixel

  const host = document.createElement("div");
  host.className = "deep";
  stage.querySelector(".view__frame").after(host);
  const map = L.map(host, {
    crs: L.CRS.Simple,
    attributionControl: false,
    zoomControl: false,
    zoomSnap: 0,
    zoomDelta: 1,
    wheelPxPerZoomLevel: 120,
    maxZoom: last + BEYOND,
    scrollWheelZoom: false,
    bounceAtZoomLimits: false,
    maxBoundsViscosity: 1,
    fadeAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
  });
  host.setAttribute("role", "region");
  host.setAttribute("aria-label", words.region);

  const view = {
    map,
    stage,
    facts,
    words,
    point: (x, y) => map.unproject([x, y], last),
    pixel: (place) => map.project(place, last),
    box: ([x, y, width, height]) =>
      L.latLngBounds(map.unproject([x, y + height], last), map.unproject([x + width, y], last)),
  };
  const whole = view.box([0, 0, facts.width, facts.height]);
  view.whole = whole;
  view.fit = () => map.setView(whole.getCenter(), fitZoom(), { animate: false });
  const fitZoom = () => map.getBoundsZoom(whole, false);

  map.setMaxZoom(last + BEYOND + 20); // Of a few pixels, all is seen only beyond.
  view.fit();
  map.setMinZoom(fitZoom());
  map.setMaxZoom(Math.max(last, fitZoom()) + BEYOND);
  map.setMaxBounds(whole);
  picturesAdd(view, host);
  squaresAdd(view);
  outlinesAdd(view);
  controlsAdd(view);

  // One finger scrolls the page as long as all of the scene is seen; the wheel does until the view is clicked or
  // reached by keyboard.
  const dragging = () => (map.getZoom() > map.getMinZoom() + 0.01 ? map.dragging.enable() : map.dragging.disable());
  map.on("zoomend", dragging);
  dragging();
  map.on("focus", () => map.scrollWheelZoom.enable());
  map.on("blur", () => document.fullscreenElement !== stage && map.scrollWheelZoom.disable());
  map.on("zoomend", () => host.classList.toggle("deep--pixels", map.getZoom() > last + PIXELS_SHOW));

  new ResizeObserver(() => {
    const fitted = map.getZoom() <= map.getMinZoom() + 0.01;
    map.invalidateSize({ animate: false });
    map.options.minZoom = 0;
    const least = fitZoom();
    if (fitted) view.fit();
    map.setMinZoom(least);
  }).observe(host);

  // What part of the scene the view shows, for whoever draws over it (part.js).
  const tell = () => {
    const shown = map.getBounds();
    const [from, to] = [view.pixel(shown.getNorthWest()), view.pixel(shown.getSouthEast())];
    stage.dispatchEvent(new CustomEvent("deep:region", { detail: [from.x, from.y, to.x - from.x, to.y - from.y] }));
  };
  map.on("move zoom resize", tell);
  tell();
}

/** The thumbnail at once, the full view over it when it is there; the picture of the page goes when they took over. */
function picturesAdd({ map, stage, facts, whole }, host) {
  const { L } = window;
  const picture = (address) =>
    new Promise((done) => {
      const image = new Image();
      image.onload = () => {
        L.imageOverlay(address, whole, { className: "deep__picture" }).addTo(map).bringToFront();
        stage.classList.add("view__stage--deep");
        done(true);
      };
      image.onerror = () => done(false);
      image.src = address;
    });
  map.createPane("pictures").style.zIndex = 150; // below the squares
  L.ImageOverlay.mergeOptions({ pane: "pictures" });
  picture(facts.thumbnail).then(() => picture(facts.overview));
  host.dataset.ready = "";
}

/** Squares of the pyramid, from where the full view is no longer sharp. */
function squaresAdd({ map, facts, whole }) {
  const { L } = window;
  const fine = window.devicePixelRatio > 1 ? 1 : 0; // sharp screens get the next level, half as large
  const side = 256 >> fine;
  const sharp = facts.levels + Math.log2(facts.overview_side / Math.max(facts.width, facts.height));
  const squares = L.tileLayer(facts.squares, {
    tileSize: side,
    zoomOffset: fine,
    minZoom: Math.max(0, Math.ceil(sharp - fine + 0.01)),
    maxNativeZoom: facts.levels - fine,
    maxZoom: map.options.maxZoom,
    bounds: whole,
    noWrap: true,
    keepBuffer: 1,
    updateWhenZooming: false,
  });
  // Squares at the right and bottom end where the scene ends; Leaflet would stretch them to the full side.
  squares.on("tileloadstart", ({ tile, coords }) => {
    const scale = 2 ** (facts.levels - coords.z - fine);
    const size = squares.getTileSize().x;
    const part = (length, number) => Math.min(1, (length / scale - number * 256) / 256) * size;
    tile.style.width = `${part(facts.width, coords.x)}px`;
    tile.style.height = `${part(facts.height, coords.y)}px`;
  });
  squares.on("tileerror", ({ tile }) => {
    const tried = Number(tile.dataset.tried ?? 0);
    if (tried >= RETRIES) return;
    tile.dataset.tried = tried + 1;
    setTimeout(() => tile.isConnected && (tile.src = tile.src), RETRY_MS * (tried + 1)); // eslint-disable-line no-self-assign
  });
  squares.addTo(map);
}
