"""World maps: where the scenes of an archive lie, and how far a collection reaches."""

from dataclasses import dataclass
from math import sqrt
from typing import Final

from rsportal.maps.view import BBox

_LEAST_RADIUS_DEGREES: Final = 1.6
_MOST_RADIUS_DEGREES: Final = 6.0
_LEAST_BOX_DEGREES: Final = 3.0


@dataclass(frozen=True)
class Spot:
    """A circle on the world map: x = lon, y = -lat, radius in degrees, for ``count`` scenes."""

    x: float
    y: float
    radius: float
    count: int


@dataclass(frozen=True)
class Box:
    """A rectangle on the world map: x = lon, y = -lat of its upper left corner, in degrees."""

    x: float
    y: float
    width: float
    height: float


def spots(cells: list[tuple[float, float, int]]) -> list[Spot]:
    """Return a circle for each (lon, lat, count); its area is the count's share of the largest."""
    largest = max((count for _, _, count in cells), default=1)
    return [Spot(round(lon, 2), round(-lat, 2), _radius(count, largest), count) for lon, lat, count in cells]


def _radius(count: int, largest: int) -> float:
    return round(max(_LEAST_RADIUS_DEGREES, _MOST_RADIUS_DEGREES * sqrt(count / max(largest, 10))), 2)


def extent_boxes(extent: BBox) -> list[Box]:
    """Return the rectangles of (west, south, east, north) in degrees: two when it crosses the antimeridian.

    An extent too small to be seen on a world map is drawn larger, around its centre.
    """
    west, south, east, north = extent
    if west > east:
        return [_box(west, south, 180.0, north), _box(-180.0, south, east, north)]
    return [_box(west, south, east, north)]


def _box(west: float, south: float, east: float, north: float) -> Box:
    width, height = max(east - west, _LEAST_BOX_DEGREES), max(north - south, _LEAST_BOX_DEGREES)
    x, y = (west + east - width) / 2, -(south + north + height) / 2
    return Box(round(x, 2), round(y, 2), round(width, 2), round(height, 2))
