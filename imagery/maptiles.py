"""Map tiles and pixel pyramids. Pure functions.

Map tiles are the XYZ squares of Web Mercator (EPSG:3857): at zoom ``z`` the world is 2^z x 2^z tiles of 256 px, x from
the antimeridian eastwards, y from the north. A pixel pyramid needs no georeference: level ``n`` is the scene scaled so
that its longest side is at most 2^n px, cut into squares of 256 px from the top left corner; the last level is the full
resolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

TILE_SIDE: Final = 256
"""Side of a map tile and of a square of a pyramid, in pixels."""
MAX_ZOOM: Final = 24
"""Deepest zoom that is drawn: a pixel is then 0.6 cm at the equator."""
MAX_LATITUDE: Final = math.degrees(math.atan(math.sinh(math.pi)))
"""Where the square world of Web Mercator ends (85.05 degrees)."""
_HALF_WORLD_METRES: Final = math.pi * 6_378_137.0
WORLD_METRES: Final = 2 * _HALF_WORLD_METRES
"""Width and height of the square world of Web Mercator."""

Bounds: TypeAlias = tuple[float, float, float, float]
"""(left, bottom, right, top): metres in EPSG:3857."""
BBox: TypeAlias = tuple[float, float, float, float]
"""(west, south, east, north), degrees WGS 84; west > east crosses the antimeridian."""
Window: TypeAlias = tuple[int, int, int, int]
"""(x, y, width, height) in pixels of the full resolution."""


@dataclass(frozen=True)
class Zooms:
    """The zooms at which a scene is worth drawing: from where it is about one tile to its own resolution."""

    least: int
    most: int


def tile_exists(z: int, x: int, y: int) -> bool:
    """Return whether the world has such a tile at that zoom (0 to MAX_ZOOM)."""
    return 0 <= z <= MAX_ZOOM and 0 <= x < 1 << z and 0 <= y < 1 << z


def tile_bounds(z: int, x: int, y: int) -> Bounds:
    """Return the bounds of a map tile in EPSG:3857 metres."""
    side = 2 * _HALF_WORLD_METRES / (1 << z)
    left, top = x * side - _HALF_WORLD_METRES, _HALF_WORLD_METRES - y * side
    return (left, top - side, left + side, top)


def mercator_to_lonlat(x: float, y: float) -> tuple[float, float]:
    """Return (lon, lat) in degrees WGS 84 of a point in EPSG:3857 metres (the inverse of the spherical Mercator)."""
    return (
        math.degrees(x / 6_378_137.0),
        math.degrees(math.atan(math.sinh(y / 6_378_137.0))),
    )


def lonlat_to_mercator(lon: float, lat: float) -> tuple[float, float]:
    """Return metres in EPSG:3857; latitudes beyond the square world are taken as its edge."""
    phi = math.radians(max(-MAX_LATITUDE, min(MAX_LATITUDE, lat)))
    return (math.radians(lon) * 6_378_137.0, math.asinh(math.tan(phi)) * 6_378_137.0)


def tile_meets(z: int, x: int, y: int, bbox: BBox) -> bool:
    """Return whether a map tile meets a box in degrees, which may cross the antimeridian."""
    left, bottom, right, top = tile_bounds(z, x, y)
    west, south, east, north = bbox
    for part_west, part_east in [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]:
        part_left, part_bottom = lonlat_to_mercator(part_west, south)
        part_right, part_top = lonlat_to_mercator(part_east, north)
        if part_left <= right and part_right >= left and part_bottom <= top and part_top >= bottom:
            return True
    return False


def resolution(z: int, lat: float) -> float:
    """Return the ground size in metres of a pixel of a map tile at a latitude (Web Mercator stretches by 1/cos)."""
    return 2 * _HALF_WORLD_METRES * math.cos(math.radians(lat)) / (TILE_SIDE << z)


def zooms_of(bbox: BBox, gsd_m: float) -> Zooms:
    """Return the zooms of a scene with pixels of ``gsd_m`` metres.

    At the deepest a pixel of the tile is no larger than one of the scene; at the least the scene fits into one tile's
    side. Both within 0 and MAX_ZOOM.
    """
    west, south, east, north = bbox
    lat = max(-MAX_LATITUDE, min(MAX_LATITUDE, (south + north) / 2))
    finest = math.ceil(math.log2(resolution(0, lat) / gsd_m) - 0.05)  # 5 % coarser still is its resolution.
    left, bottom = lonlat_to_mercator(west, south)
    right, top = lonlat_to_mercator(east if west <= east else east + 360, north)
    extent = max(right - left, top - bottom, 1e-6)
    least = math.floor(math.log2(2 * _HALF_WORLD_METRES / extent))
    most = max(0, min(MAX_ZOOM, finest))
    return Zooms(least=max(0, min(least, most)), most=most)


def levels(width: int, height: int) -> int:
    """Return the last level of the pyramid of a scene: the full resolution. Raises ValueError for an empty scene."""
    if width < 1 or height < 1:
        raise ValueError(f"a scene of {width} x {height} pixels has no levels")
    return (max(width, height) - 1).bit_length()


@dataclass(frozen=True)
class Square:
    """A square of a pyramid: the ``window`` of the scene it shows and its own size (``width`` x ``height`` px)."""

    window: Window
    width: int
    height: int


def square(width: int, height: int, *, level: int, x: int, y: int, side: int = TILE_SIDE) -> Square | None:
    """Return one square of a level, None where the pyramid has none.

    Squares of the last column and row end where the scene ends and may be smaller than ``side``.
    """
    last = levels(width, height)
    if not 0 <= level <= last or x < 0 or y < 0:
        return None
    scale = 1 << (last - level)
    left, top = x * side * scale, y * side * scale
    if left >= width or top >= height:
        return None
    wide, high = min(side * scale, width - left), min(side * scale, height - top)
    return Square(window=(left, top, wide, high), width=-(-wide // scale), height=-(-high // scale))


def block_of(x: int, y: int, *, side: int) -> tuple[int, int]:
    """Return the block of ``side`` x ``side`` tiles that holds a tile: its first column and row."""
    return x - x % side, y - y % side


def block_tiles(x: int, y: int, *, side: int) -> Iterator[tuple[int, int]]:
    """Yield the columns and rows of the tiles of a block, row by row."""
    return ((x + column, y + row) for row in range(side) for column in range(side))
