"""Between windows of a scene (pixels) and polygons on Earth, both ways."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Protocol

from imagery.geometry import Point, apply, footprint_of_window

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

_STEPS: Final = 16
"""Segments per edge of a polygon: its straight lines are curves on a projected grid."""
_SLACK_PIXELS: Final = 0.25
"""A polygon may reach so far into a pixel without taking it: coordinates of polygons are rounded."""


class Placed(Protocol):
    """Anything on an affine grid: a :class:`imagery.readers.Reader`, or a row that keeps ``crs`` and ``transform``."""

    @property
    def crs(self) -> CRS | None: ...

    @property
    def transform(self) -> Affine | None: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


def window_polygon(placed: Placed, window: tuple[int, int, int, int]) -> dict[str, Any] | None:
    """Return the outline on Earth of the window (x, y, width, height; pixels): a GeoJSON Polygon (lon, lat; WGS 84).

    A MultiPolygon where it crosses the antimeridian. None without a position, or where it cannot be told.
    """
    if placed.crs is None or placed.transform is None:
        return None
    outline = footprint_of_window(placed.crs, placed.transform, window)
    return None if outline is None else outline.geometry


def polygon_window(placed: Placed, geometry: dict[str, Any]) -> tuple[int, int, int, int] | None:
    """Return the smallest window (x, y, width, height; pixels) of the scene that holds a polygon, cut at its edges.

    ``geometry`` is a GeoJSON Polygon or MultiPolygon (lon, lat; WGS 84). A pixel that it enters by less than a
    quarter is left out, so that a window's own polygon gives that window again. None where they do not meet, or the
    scene has no position. Raises ValueError for another kind of geometry.
    """
    if placed.crs is None or placed.transform is None or placed.transform.determinant == 0:
        return None
    pixels = _pixels(placed, list(_outline(geometry)))
    if not pixels:
        return None
    left, right = _span([x for x, _y in pixels], placed.width)
    top, bottom = _span([y for _x, y in pixels], placed.height)
    return None if right <= left or bottom <= top else (left, top, right - left, bottom - top)


def _span(values: list[float], length: int) -> tuple[int, int]:
    first, last = math.floor(min(values) + _SLACK_PIXELS), math.ceil(max(values) - _SLACK_PIXELS)
    return max(0, first), min(length, max(last, first + 1))


def _outline(geometry: dict[str, Any]) -> Iterator[Point]:
    """Yield points along the outer rings of a Polygon or MultiPolygon."""
    match geometry.get("type"):
        case "Polygon":
            polygons = [geometry["coordinates"]]
        case "MultiPolygon":
            polygons = geometry["coordinates"]
        case other:
            raise ValueError(f"a polygon is needed, not {other}")
    for polygon in polygons:
        for (x0, y0), (x1, y1) in pairwise((point[0], point[1]) for point in polygon[0]):
            for step in range(_STEPS):
                yield x0 + (x1 - x0) * step / _STEPS, y0 + (y1 - y0) * step / _STEPS


def _pixels(placed: Placed, points: list[Point]) -> list[Point]:
    """Return where points (lon, lat) fall on a grid, in pixels; those the grid's system cannot express are left out."""
    from rasterio.warp import transform as warp

    assert placed.crs is not None and placed.transform is not None
    xs, ys = warp("EPSG:4326", placed.crs, [p[0] for p in points], [p[1] for p in points])
    if placed.crs.is_geographic:  # 0 to 360 degrees, or on past 180: of all the turns, the one nearest to the grid.
        centre = apply(placed.transform, placed.width / 2, placed.height / 2)[0]
        xs = [x + 360 * round((centre - x) / 360) if math.isfinite(x) else x for x in xs]
    inverse = ~placed.transform
    return [apply(inverse, x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(x) and math.isfinite(y)]
