// The windows of the scene that matched, outlined: the best strongest. Buttons below the picture go to each.

const ROOM = 0.35; // of a window's size, left around it when the view goes there
const FAINTEST = 0.35;

export function outlinesAdd({ map, stage, facts, box }) {
  const { L } = window;
  const group = L.layerGroup();
  const outlines = [];
  facts.windows
    .map((window, number) => [window, number])
    .reverse() // The best is drawn last, over the others.
    .forEach(([window, number]) => {
      for (const name of ["halo", "line"]) {
        const more = number ? ` match__${name}--more` : "";
        const className = `deep__match match__${name}${more}`;
        const outline = L.rectangle(box(window), { className, interactive: false, fill: false }).addTo(group);
        outlines.push({ outline, number, strength: number ? Math.max(FAINTEST, 0.8 - 0.06 * number) : 1 });
      }
    });
  group.addTo(map);
  for (const { outline, strength } of outlines) outline.getElement().style.opacity = strength;

  const go = (bounds) => map.flyToBounds(bounds, { duration: 0.6, animate: map.options.zoomAnimation });
  for (const link of stage.closest("figure").querySelectorAll("[data-go]")) {
    const number = Number(link.dataset.go);
    const point = (on) => {
      for (const each of outlines.filter((outline) => outline.number === number)) {
        each.outline.getElement().style.opacity = on ? 1 : each.strength;
        each.outline.getElement().classList.toggle("deep__match--pointed", on);
      }
    };
    for (const name of ["mouseenter", "focus"]) link.addEventListener(name, () => point(true));
    for (const name of ["mouseleave", "blur"]) link.addEventListener(name, () => point(false));
    link.addEventListener("click", (event) => {
      event.preventDefault();
      go(box(facts.windows[number]).pad(ROOM));
    });
  }
}
