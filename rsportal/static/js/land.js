// The land of the world, from the picture that the server's maps use.

/** Return rings of [lon, lat] in degrees from the path of the SVG at `address` (x is the longitude, -y the latitude). */
export async function landOf(address) {
  const drawing = new DOMParser().parseFromString(await (await fetch(address)).text(), "image/svg+xml");
  const path = drawing.getElementById("land").getAttribute("d");
  return path
    .split("M")
    .slice(1)
    .map((ring) => ring.replace("Z", "").trim().split(/\s+/).map((point) => point.split(",").map(Number)))
    .map((ring) => ring.map(([x, y]) => [x, -y]));
}
