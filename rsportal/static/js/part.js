// A box on a scene: drawn with mouse or finger, or written into the fields; both always say the same.

const details = document.querySelector("[data-part]");
const pane = document.querySelector("[data-pane]");
const NAMES = ["x", "y", "width", "height"];
const SMALLEST = 6; // pixels of the screen: less was no drag
const SVG = "http://www.w3.org/2000/svg";

if (details && pane) {
  const fields = NAMES.map((name) => details.querySelector(`[name=${name}]`));
  const [wide, high] = [Number(fields[2].max), Number(fields[3].max)];
  const drawing = draw(wide, high);
  pane.append(drawing.svg);
  details.querySelector("[data-draw]").hidden = false;

  // What part of the scene the pane shows: all of it with what is beside it, until the deep view says otherwise.
  let region = null;
  const around = () => {
    const scale = Math.max(wide / Math.max(pane.clientWidth, 1), high / Math.max(pane.clientHeight, 1));
    const [across, down] = [pane.clientWidth * scale, pane.clientHeight * scale];
    return pane.clientWidth ? [(wide - across) / 2, (high - down) / 2, across, down] : [0, 0, wide, high];
  };
  pane.parentElement.addEventListener("deep:region", ({ detail }) => {
    region = detail;
    if (!pane.hidden) show();
  });

  const box = () => fields.map((field) => Math.round(Number(field.value)) || 0);
  const show = () => drawing.show(box(), region ?? around());

  function set(values) {
    values.forEach((value, index) => (fields[index].value = value));
    show();
  }

  function keepInside() {
    let [x, y, width, height] = box();
    width = Math.min(Math.max(width, 1), wide);
    height = Math.min(Math.max(height, 1), high);
    x = Math.min(Math.max(x, 0), wide - width);
    y = Math.min(Math.max(y, 0), high - height);
    set([x, y, width, height]);
  }

  function toggle() {
    pane.hidden = !details.open;
    if (!details.open) return;
    show();
    pane.scrollIntoView({ block: "nearest" });
  }

  /** Where the pointer is, in pixels of the scene, never outside. */
  function at(event) {
    const there = pane.getBoundingClientRect();
    const [left, top, across, down] = region ?? around();
    const inside = (value, most) => Math.min(Math.max(value, 0), most);
    return [
      inside(left + ((event.clientX - there.left) / there.width) * across, wide),
      inside(top + ((event.clientY - there.top) / there.height) * down, high),
    ];
  }

  let drag = null;

  pane.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    pane.setPointerCapture(event.pointerId);
    const [x, y] = at(event);
    const [left, top, width, height] = box();
    const whole = width === wide && height === high;
    const moves = !whole && x >= left && x < left + width && y >= top && y < top + height;
    drag = { x, y, before: [left, top, width, height], moves, client: [event.clientX, event.clientY] };
  });

  pane.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x, y] = at(event);
    const [left, top, width, height] = drag.before;
    if (drag.moves) {
      const right = Math.min(Math.max(left + x - drag.x, 0), wide - width);
      const down = Math.min(Math.max(top + y - drag.y, 0), high - height);
      set([Math.round(right), Math.round(down), width, height]);
    } else {
      const [from, to] = [Math.min(x, drag.x), Math.max(x, drag.x)].map(Math.round);
      const [above, below] = [Math.min(y, drag.y), Math.max(y, drag.y)].map(Math.round);
      set([Math.min(from, wide - 1), Math.min(above, high - 1), Math.max(to - from, 1), Math.max(below - above, 1)]);
    }
  });

  pane.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const far = Math.hypot(event.clientX - drag.client[0], event.clientY - drag.client[1]);
    if (far < SMALLEST) set(drag.before);
    drag = null;
  });

  pane.addEventListener("pointercancel", () => {
    if (drag) set(drag.before);
    drag = null;
  });

  for (const field of fields) {
    field.addEventListener("input", show);
    field.addEventListener("change", keepInside);
  }
  details.addEventListener("toggle", toggle);
  toggle();
}

/** The outline of a box over the picture, all else under a veil. */
function draw(wide, high) {
  const make = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const svg = make("svg", { class: "match", viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: "none" });
  const veil = make("path", { class: "pane__veil" });
  const lines = ["match__halo", "match__line"].map((name) =>
    make("rect", { class: name, "vector-effect": "non-scaling-stroke" }),
  );
  svg.append(veil, ...lines);
  return {
    svg,
    show([x, y, width, height], [left, top, across, down]) {
      svg.setAttribute("viewBox", `${left} ${top} ${across} ${down}`);
      veil.setAttribute("d", `M0 0H${wide}V${high}H0ZM${x} ${y}h${width}v${height}h${-width}Z`);
      for (const line of lines) {
        Object.entries({ x, y, width, height }).forEach(([key, value]) => line.setAttribute(key, value));
      }
    },
  };
}
