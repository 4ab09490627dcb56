// A place on a map: a box or an area, drawn with mouse, finger or pen. What is drawn goes into the fields of the form,
// which can be typed into as well. The map library is loaded when somebody opens the map.

import { csrfToken } from "./csrf.js";
import { landOf } from "./land.js";

const TURN = 360;
const SMALLEST = 6; // pixels of the screen: less was no drag
const dialog = document.querySelector("[data-place]");
const form = document.querySelector("[data-ask]");

if (dialog && form && dialog.showModal) {
  const open = document.querySelector("[data-place-open]");
  open.hidden = false;
  let map = null;
  open.addEventListener("click", async () => {
    dialog.showModal();
    map ??= ready();
    (await map).show();
  });
}

const part = (name) => dialog.querySelector(`[data-${name}]`);

function loaded(element, place = document.head) {
  return new Promise((resolve, reject) => {
    element.addEventListener("load", resolve);
    element.addEventListener("error", reject);
    place.append(element);
  });
}

async function ready() {
  const { script, style, land } = dialog.dataset;
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: style });
  await Promise.all([loaded(sheet), loaded(Object.assign(document.createElement("script"), { src: script }))]);
  return draw(window.L, await landOf(land));
}

/** Numbers as the field and the server write them. */
const plain = (value) => String(Number(value.toFixed(5)));
const wrapped = (lon) => ((((lon + 180) % TURN) + TURN) % TURN) - 180;

function boxText(bounds) {
  const [south, north] = [bounds.getSouth(), bounds.getNorth()].map((lat) => Math.min(Math.max(lat, -90), 90));
  const [west, east] = [bounds.getWest(), bounds.getEast()];
  if (east - west >= TURN) return [-180, south, 180, north].map(plain).join(",");
  return [wrapped(west), south, wrapped(east) === -180 ? 180 : wrapped(east), north].map(plain).join(",");
}

function boxOf(L, text) {
  const [west, south, east, north] = text.split(/[,;\s]+/).map(Number);
  if (![west, south, east, north].every(Number.isFinite)) return null;
  return L.latLngBounds([south, west], [north, west > east ? east + TURN : east]);
}

function draw(L, land) {
  const map = L.map(part("map"), {
    crs: L.CRS.EPSG4326,
    minZoom: 0,
    maxZoom: 14,
    zoomSnap: 0.5,
    maxBounds: [[-120, -TURN], [120, TURN]],
    preferCanvas: true,
    attributionControl: false,
    zoomControl: false,
    doubleClickZoom: false,
  });
  L.control.zoom({ zoomInTitle: dialog.dataset.zoomIn, zoomOutTitle: dialog.dataset.zoomOut }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  const colour = (name) => getComputedStyle(dialog).getPropertyValue(name).trim();
  const coast = { stroke: true, weight: 0.7, color: colour("--map-coast"), fillColor: colour("--map-land") };
  for (const turn of [-TURN, 0, TURN]) {
    const rings = land.map((ring) => ring.map(([lon, lat]) => [lat, lon + turn]));
    L.polygon(rings, { ...coast, fillOpacity: 1, fillRule: "evenodd", interactive: false }).addTo(map);
  }
  const hits = L.layerGroup().addTo(map);
  const drawn = L.layerGroup().addTo(map);
  const line = { color: colour("--map-footprint"), weight: 2, interactive: false };
  const state = { tool: "box", box: null, corners: [], closed: false, given: "" };

  const buttons = [...dialog.querySelectorAll("[data-tool]")];
  const container = map.getContainer();

  function take(tool) {
    state.tool = tool;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    part("hint").textContent = part("hint").dataset[tool];
    container.classList.toggle("place__map--drawing", tool !== "pan");
    container.classList.toggle("place__map--box", tool === "box");
    map.dragging[tool === "box" ? "disable" : "enable"]();
  }

  function forget() {
    Object.assign(state, { box: null, corners: [], closed: false, given: "" });
  }

  function refuse(sentence = "") {
    part("refused").textContent = sentence;
    part("refused").hidden = !sentence;
  }

  function paint() {
    drawn.clearLayers();
    if (state.box) L.rectangle(state.box, line).addTo(drawn);
    if (state.given) L.geoJSON(JSON.parse(state.given), { style: line, interactive: false }).addTo(drawn);
    if (state.corners.length) {
      (state.closed ? L.polygon : L.polyline)(state.corners, line).addTo(drawn);
      if (!state.closed) for (const corner of state.corners) L.circleMarker(corner, { ...line, radius: 5 }).addTo(drawn);
    }
    const something = Boolean(state.box || state.given || state.corners.length);
    part("use").disabled = !(state.box || state.given || state.corners.length > 2);
    part("clear").disabled = !something;
    part("undo").disabled = !state.corners.length;
    part("place-said").textContent = state.box ? boxText(state.box) : "";
  }

  // A box: dragged with any pointer.
  let from = null;
  const place = (event) => map.mouseEventToLatLng(event);
  container.addEventListener("pointerdown", (event) => {
    if (state.tool !== "box" || event.button || event.target.closest(".leaflet-control")) return;
    event.preventDefault(); // Else text is marked on the way.
    container.setPointerCapture(event.pointerId);
    from = { at: place(event), client: [event.clientX, event.clientY], before: { ...state } };
  });
  container.addEventListener("pointermove", (event) => {
    if (!from) return;
    forget();
    state.box = L.latLngBounds(from.at, place(event));
    paint();
  });
  const stop = (event) => {
    if (!from) return;
    const far = Math.hypot(event.clientX - from.client[0], event.clientY - from.client[1]);
    if (far < SMALLEST || event.type === "pointercancel") Object.assign(state, from.before);
    from = null;
    paint();
  };
  container.addEventListener("pointerup", stop);
  container.addEventListener("pointercancel", stop);

  // An area: corner after corner.
  map.on("click", ({ latlng }) => {
    if (state.tool !== "area") return;
    if (state.box || state.given || state.closed) forget();
    const [first] = state.corners;
    const near = first && map.latLngToContainerPoint(first).distanceTo(map.latLngToContainerPoint(latlng)) < 12;
    if (near && state.corners.length > 2) state.closed = true;
    else if (!near) state.corners.push(latlng);
    refuse();
    paint();
  });

  async function checked(text) {
    const body = new FormData();
    body.set("area", text);
    const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
    const answer = await fetch(dialog.dataset.url, { method: "POST", body, headers }).catch(() => null);
    const said = await answer?.json().catch(() => null);
    if (said?.intersects) return said;
    refuse(said?.detail ?? dialog.dataset.lost);
    return null;
  }

  function cornersText() {
    const ring = [...state.corners, state.corners[0]].map(({ lat, lng }) => [lng, Math.min(Math.max(lat, -90), 90)]);
    return JSON.stringify({ type: "Polygon", coordinates: [ring] });
  }

  async function use() {
    let area = state.given;
    if (state.corners.length) {
      state.closed = true;
      paint();
      area = (await checked(cornersText()))?.intersects;
      if (!area) return;
    }
    form.elements.bbox.value = state.box ? boxText(state.box) : "";
    form.elements.intersects.value = area;
    dialog.close();
    if (form.elements.q.value.trim() || new FormData(form).has("like")) form.requestSubmit();
    else location.assign(`?${new URLSearchParams([...new FormData(form)].filter(([name, value]) => value && name !== "q"))}`);
  }

  dialog.addEventListener("paste", async (event) => {
    const text = event.clipboardData?.getData("text") ?? "";
    const said = text.trim() && (await checked(text));
    if (!said) return;
    forget();
    state.given = said.intersects;
    refuse(said.said);
    paint();
    map.fitBounds(L.geoJSON(JSON.parse(state.given)).getBounds(), { maxZoom: 8 });
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.closest("button")) return;
    event.preventDefault();
    if (!part("use").disabled) use();
  });
  for (const button of buttons) button.addEventListener("click", () => take(button.dataset.tool));
  part("undo").addEventListener("click", () => {
    if (state.closed) state.closed = false;
    else state.corners.pop();
    paint();
  });
  part("clear").addEventListener("click", () => {
    forget();
    refuse();
    paint();
  });
  part("close").addEventListener("click", () => dialog.close());
  part("use").addEventListener("click", use);

  function show() {
    map.invalidateSize();
    forget();
    refuse();
    state.box = boxOf(L, form.elements.bbox.value.trim());
    if (!state.box) state.given = form.elements.intersects.value;
    hits.clearLayers();
    const found = [...document.querySelectorAll("[data-bbox]")].map((hit) => boxOf(L, hit.dataset.bbox));
    for (const box of found.filter(Boolean)) {
      L.rectangle(box, { ...line, weight: 1 }).addTo(hits);
      L.circleMarker(box.getCenter(), { ...line, radius: 4, weight: 1 }).addTo(hits); // Most are too small to be seen.
    }
    paint();
    const shown = drawn.getLayers().length ? drawn.getLayers() : hits.getLayers();
    const around = L.featureGroup(shown).getBounds();
    if (around.isValid()) map.fitBounds(around.pad(0.5), { maxZoom: 8 });
    else map.fitBounds([[-60, -180], [80, 180]]);
    take(state.tool);
  }

  return { show };
}
