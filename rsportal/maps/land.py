"""Land outlines, cut to a window."""

import json
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

Point = tuple[float, float]
Ring = list[Point]

_LAND: Final = Path(__file__).resolve().parent / "data" / "land-50m.json"


class Window(NamedTuple):
    """A part of the plate carrée plane, degrees WGS 84; ``east`` may exceed 180 and ``west`` fall below -180."""

    west: float
    south: float
    east: float
    north: float


class _Bounded(NamedTuple):
    bounds: Window
    ring: Ring


@cache
def _rings() -> list[_Bounded]:
    rings: list[Ring] = json.loads(_LAND.read_text())
    return [_Bounded(_bounds(ring), ring) for ring in rings]


def _bounds(ring: Ring) -> Window:
    lons, lats = [point[0] for point in ring], [point[1] for point in ring]
    return Window(min(lons), min(lats), max(lons), max(lats))


def land_in(window: Window) -> list[Ring]:
    """Return the land rings (lon, lat) that fall into ``window``, clipped to it and unrolled past the antimeridian."""
    rings = []
    for shift in (-360.0, 0.0, 360.0):
        if shift - 180 >= window.east or shift + 180 <= window.west:
            continue
        for bounds, ring in _rings():
            if (
                bounds.west + shift < window.east
                and bounds.east + shift > window.west
                and bounds.south < window.north
                and bounds.north > window.south
            ):
                clipped = clip([(lon + shift, lat) for lon, lat in ring], window)
                if len(clipped) > 2:
                    rings.append(clipped)
    return rings


def clip(ring: Ring, window: Window) -> Ring:
    """Return ``ring`` cut to ``window`` (Sutherland and Hodgman 1974, https://doi.org/10.1145/360767.360802)."""
    for axis, limit, keep_above in (
        (0, window.west, True),
        (0, window.east, False),
        (1, window.south, True),
        (1, window.north, False),
    ):
        if not ring:
            return ring
        ring = _clip_half_plane(ring, axis=axis, limit=limit, keep_above=keep_above)
    return ring


def _clip_half_plane(ring: Ring, *, axis: int, limit: float, keep_above: bool) -> Ring:
    kept: Ring = []
    previous = ring[-1]
    previous_in = (previous[axis] >= limit) is keep_above
    for point in ring:
        point_in = (point[axis] >= limit) is keep_above
        if point_in is not previous_in:
            share = (limit - previous[axis]) / (point[axis] - previous[axis])
            kept.append(
                (previous[0] + share * (point[0] - previous[0]), previous[1] + share * (point[1] - previous[1]))
            )
        if point_in:
            kept.append(point)
        previous, previous_in = point, point_in
    return kept
