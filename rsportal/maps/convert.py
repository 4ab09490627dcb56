"""Makes the land outlines the portal ships from TopoJSON of the npm package ``world-atlas``.

    python -m rsportal.maps.convert land-50m.json land-110m.json

The first file becomes ``data/land-50m.json`` (rings the pages clip and zoom into), the second the world outline
``static/map/land.svg``. The outlines are Natural Earth's, which are in the public domain.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from rsportal.maps.land import Ring, Window, clip

_MAPS = Path(__file__).resolve().parent
_DECIMALS: Final = 2  # degrees; 0.01 degree is about 1 km, finer than the 1:50 million source
_SVG_DECIMALS: Final = 1


def topology_rings(topology: dict[str, Any], *, decimals: int) -> list[Ring]:
    """Return every ring of the topology's ``land`` object as (lon, lat) points in degrees, closed, rounded.

    Decoding follows the TopoJSON specification: arcs are delta-encoded, quantised integers; a negative index
    means the arc ``~index`` reversed.
    """
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs: list[Ring] = []
    for encoded in topology["arcs"]:
        x = y = 0
        arc = []
        for dx, dy in encoded:
            x, y = x + dx, y + dy
            arc.append((x * scale[0] + shift[0], y * scale[1] + shift[1]))
        arcs.append(arc)

    rings: list[Ring] = []
    for geometry in topology["objects"]["land"]["geometries"]:
        polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
        for polygon in polygons:
            for indices in polygon:
                points: Ring = []
                for index in indices:
                    arc = arcs[index] if index >= 0 else arcs[~index][::-1]
                    points += arc[1:] if points else arc
                rings += [rounded for part in _cut(points) if len(rounded := _rounded(part, decimals)) > 3]
    return rings


def _cut(ring: Ring) -> list[Ring]:
    """Return the parts of a ring within -180..180 degrees: the source runs on across the antimeridian."""
    turn = 0.0
    unrolled: Ring = [ring[0]]
    for (before, _lat), (lon, lat) in pairwise(ring):
        turn += 360 if lon - before < -180 else -360 if lon - before > 180 else 0
        unrolled.append((lon + turn, lat))
    if turn:  # around a pole: close it along the pole's edge of the map
        pole = -90.0 if unrolled[0][1] < 0 else 90.0
        unrolled += [(unrolled[-1][0], pole), (unrolled[0][0], pole), unrolled[0]]
    parts = []
    for shift in (-360.0, 0.0, 360.0):
        part = clip([(lon + shift, lat) for lon, lat in unrolled], Window(-180.0, -90.0, 180.0, 90.0))
        if len(part) > 2:
            parts.append([*part, part[0]])
    return parts


def _rounded(points: Ring, decimals: int) -> Ring:
    ring: Ring = []
    for lon, lat in points:
        point = (round(lon, decimals), round(lat, decimals))
        if not ring or ring[-1] != point:
            ring.append(point)
    return ring


def world_svg(rings: list[Ring]) -> str:
    """Return an SVG whose ``#land`` symbol is the world in plate carrée: x = lon, y = -lat, degrees."""
    path = "".join("M" + " ".join(f"{lon:g},{-lat:g}" for lon, lat in ring[:-1]) + "Z" for ring in rings)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-180 -90 360 180">\n'
        f'<path id="land" fill-rule="evenodd" d="{path}"/>\n</svg>\n'
    )


def main() -> None:
    """Convert the two files named on the command line."""
    fine, coarse = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    rings = topology_rings(fine, decimals=_DECIMALS)
    (_MAPS / "data" / "land-50m.json").write_text(json.dumps(rings, separators=(",", ":")))
    svg = world_svg(topology_rings(coarse, decimals=_SVG_DECIMALS))
    (_MAPS.parent / "static" / "map" / "land.svg").write_text(svg)


if __name__ == "__main__":
    main()
