// Where the pixels of a scene lie on Earth: between the crossings of a table from the server, on the sphere, so that
// neither the antimeridian nor a pole is a seam.

const RADIUS = 6371008.8; // metres: the mean radius of the Earth
const RADIANS = Math.PI / 180;

/** The table (see imagery/scene_places.py) as functions of a pixel's position (x, y), from the top left corner. */
export function placesOf(table) {
  const { columns, rows } = table;
  const points = table.lon.map((line, row) =>
    line.map((lon, column) => (lon === null ? null : vector(lon * RADIANS, table.lat[row][column] * RADIANS))),
  );

  function point(x, y) {
    const [column, right] = between(columns, x);
    const [row, below] = between(rows, y);
    const corners = [points[row][column], points[row][column + 1], points[row + 1][column], points[row + 1][column + 1]];
    if (corners.includes(null)) return null;
    const weights = [(1 - right) * (1 - below), right * (1 - below), (1 - right) * below, right * below];
    const sum = [0, 1, 2].map((axis) => corners.reduce((total, corner, i) => total + weights[i] * corner[axis], 0));
    const length = Math.hypot(...sum);
    return length > 0 ? sum.map((part) => part / length) : null;
  }

  /** [lon, lat] in degrees; null where it is not known. */
  function lonLat(x, y) {
    const found = point(x, y);
    if (!found) return null;
    return [Math.atan2(found[1], found[0]) / RADIANS, Math.asin(Math.min(1, Math.max(-1, found[2]))) / RADIANS];
  }

  /** How a step of one pixel to the right and one down go, in metres [east, north]; null where it is not known. */
  function steps(x, y) {
    const step = Math.max((columns.at(-1) - columns[0]) / (columns.length - 1) / 4, 0.5);
    const here = point(x, y);
    const [right, below] = [point(x + step, y), point(x, y + step)];
    const place = lonLat(x, y);
    if (!here || !right || !below || !place) return null;
    const [lon, lat] = place.map((degrees) => degrees * RADIANS);
    const east = [-Math.sin(lon), Math.cos(lon), 0];
    const north = [-Math.sin(lat) * Math.cos(lon), -Math.sin(lat) * Math.sin(lon), Math.cos(lat)];
    return [right, below].map((there) => [east, north].map((axis) => (dot(there, axis) - dot(here, axis)) * (RADIUS / step)));
  }

  return {
    lonLat,
    /** Metres that a pixel is wide here, or null. */
    metres(x, y) {
      const found = steps(x, y);
      return found && Math.hypot(...found[0]);
    },
    /** Degrees by which north is turned clockwise from up on the picture, or null. */
    north(x, y) {
      const found = steps(x, y);
      if (!found) return null;
      const [[rightEast, rightNorth], [downEast, downNorth]] = found;
      const determinant = rightEast * downNorth - downEast * rightNorth;
      if (!determinant) return null;
      // The pixel step (a right, b down) that goes north only.
      const [a, b] = [-downEast / determinant, rightEast / determinant];
      return Math.atan2(a, -b) / RADIANS;
    },
  };
}

function vector(lon, lat) {
  return [Math.cos(lat) * Math.cos(lon), Math.cos(lat) * Math.sin(lon), Math.sin(lat)];
}

function dot(one, two) {
  return one.reduce((total, part, i) => total + part * two[i], 0);
}

/** The interval of ascending values that holds (or is next to) a value, and how far in it lies (beyond: on along it). */
function between(values, value) {
  let first = 0;
  while (first < values.length - 2 && values[first + 1] <= value) first += 1;
  return [first, (value - values[first]) / (values[first + 1] - values[first])];
}
