"""Where a pixel grid lies on Earth: footprint, bounding box and ground sample distance.

All results are in degrees, WGS 84, (lon, lat) order. A footprint that cannot be told with certainty is refused
(None), never guessed: coordinates must survive the way to WGS 84 and back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

Point: TypeAlias = tuple[float, float]
Ring: TypeAlias = list[Point]
BBox: TypeAlias = tuple[float, float, float, float]
"""(west, south, east, north); west > east crosses the antimeridian."""

_EDGE_STEPS: Final = 32
"""Segments per edge: straight lines of a projection are curves in longitude and latitude."""
_MOST_EDGE_STEPS: Final = 1024
_TOLERANCE_PIXELS: Final = 0.1
"""So far may an outline lie beside the edge of its grid: nothing that a half pixel is measured by may see it."""
_METRES_PER_DEGREE: Final = 111_320.0
_ROUND_TRIP_PIXELS: Final = 1.0
_DECIMALS: Final = 7  # 1e-7 degrees are about 1 cm.
_POLE_DEGREES: Final = 1e-4
_LONGITUDES: Final = (-360.0, 450.0)
"""Degrees east that a grid may name: 0 to 360 is usual too, and on past Greenwich; beyond, they are no longitudes."""
_MIN_AREA_SQUARE_DEGREES: Final = 1e-16
# WGS 84 (EPSG:7030): semi-major axis in metres and first eccentricity squared.
_A: Final = 6_378_137.0
_E2: Final = 0.006_694_379_990_14


@dataclass(frozen=True)
class Footprint:
    """``geometry``: GeoJSON Polygon, or MultiPolygon cut at the antimeridian (RFC 7946, 3.1.9); ``bbox`` around it."""

    geometry: dict[str, Any]
    bbox: BBox


def apply(transform: Affine, x: float, y: float) -> Point:
    """Return ``transform`` applied to the point (x, y)."""
    return (
        transform.a * x + transform.b * y + transform.c,
        transform.d * x + transform.e * y + transform.f,
    )


def window_transform(transform: Affine, window: tuple[int, int, int, int]) -> Affine:
    """Return the transform of a window (x, y, width, height) of a grid."""
    from affine import Affine

    c, f = apply(transform, window[0], window[1])
    return Affine(transform.a, transform.b, c, transform.d, transform.e, f)


def footprint_of_grid(crs: CRS, transform: Affine, width: int, height: int) -> Footprint | None:
    """Return the outline of a grid of ``width`` x ``height`` pixels, or None when it cannot be told.

    Handles rotated grids, grids across the antimeridian and grids around a pole.
    """
    if width < 1 or height < 1 or transform.determinant == 0:
        return None
    tolerance = max(10.0**-_DECIMALS, _TOLERANCE_PIXELS * _pixel_degrees(crs, transform, width, height))
    ring = _outline(crs, transform, width, height, _EDGE_STEPS)
    if ring is None:
        return None
    if (steps := _steps_needed(ring, tolerance)) > _EDGE_STEPS:
        ring = _outline(crs, transform, width, height, steps) or ring
    if abs(ring[-1][0] - ring[0][0]) > 180:
        closed = _closed_over_pole(crs, transform, width, height, ring)
        return None if closed is None else _footprint(closed, tolerance, around_pole=True)
    if 1 <= sum(abs(lat) > 90 - _POLE_DEGREES for _, lat in ring) <= 2:
        return None  # The edge passes through a pole, where longitude means nothing.
    return _footprint(ring, tolerance)


def footprint_of_ring(points: Iterable[Point], *, tolerance: float) -> Footprint | None:
    """Return the footprint of a closed outline (lon, lat), simplified within ``tolerance`` degrees.

    None when it has no area, is not on Earth or goes around a pole.
    """
    ring = _unwrapped(points)
    if not all(math.isfinite(lon) and abs(lat) <= 90 for lon, lat in ring) or abs(ring[-1][0] - ring[0][0]) > 180:
        return None
    return _footprint(ring, max(10.0**-_DECIMALS, tolerance))


def _outline(crs: CRS, transform: Affine, width: int, height: int, steps: int) -> Ring | None:
    """Return the closed, unwrapped outline of a grid in WGS 84 with ``steps`` segments to an edge, or None."""
    outline = [apply(transform, x, y) for x, y in edge_points(width, height, steps)]
    slack = max(abs(transform.a), abs(transform.b), abs(transform.d), abs(transform.e))
    ring = _to_wgs84(crs, outline, slack)
    return None if ring is None else _unwrapped(ring)


def _pixel_degrees(crs: CRS, transform: Affine, width: int, height: int) -> float:
    """Return the side of a pixel in degrees of latitude, 0 where it cannot be told."""
    return (gsd_of_grid(crs, transform, width, height) or 0.0) / _METRES_PER_DEGREE


def _steps_needed(ring: Ring, tolerance: float) -> int:
    """Return how many segments an edge needs so that its chords stay well within ``tolerance`` degrees of the curve.

    Measured at every point against the chord of its neighbours: twice as long as the edge's own, so four times as far
    from the curve. That distance, cut down to ``tolerance``, leaves a quarter of it to the edge's own chords.
    """
    points = _ground(ring)
    between = points[1:-1] - (points[:-2] + points[2:]) / 2
    inner = [number for number in range(len(between)) if (number + 1) % _EDGE_STEPS]  # Corners are no error.
    worst = float(np.hypot(*between[inner].T).max())
    return min(_MOST_EDGE_STEPS, math.ceil(_EDGE_STEPS * math.sqrt(worst / tolerance)))


def footprint_of_window(crs: CRS, transform: Affine, window: tuple[int, int, int, int]) -> Footprint | None:
    """Return the outline of the window (x, y, width, height) of a grid, or None."""
    return footprint_of_grid(crs, window_transform(transform, window), window[2], window[3])


def gsd_of_grid(crs: CRS, transform: Affine, width: int, height: int) -> float | None:
    """Return the side of a pixel on the ground in metres, measured at the grid's centre, or None.

    The nominal pixel size of a projected grid is returned when it is true within 1 % (UTM); otherwise the size on
    the ellipsoid (degrees, Web Mercator away from the equator).
    """
    x, y = width / 2, height / 2
    points = [apply(transform, x, y), apply(transform, x + 1, y), apply(transform, x, y + 1)]
    slack = max(abs(transform.a), abs(transform.b), abs(transform.d), abs(transform.e))
    lonlat = _to_wgs84(crs, points, slack)
    if lonlat is None:
        return None
    centre, right, below = lonlat
    measured = math.sqrt(_metres(centre, right) * _metres(centre, below))
    if not math.isfinite(measured) or measured <= 0:
        return None
    if crs.is_projected:
        nominal = math.sqrt(abs(transform.determinant)) * crs.linear_units_factor[1]
        if abs(nominal - measured) <= 0.01 * measured:
            return float(nominal)
    return float(measured)


def _metres(a: Point, b: Point) -> float:
    """Return the distance of two near points on the WGS 84 ellipsoid (radii of curvature at their latitude)."""
    phi = math.radians((a[1] + b[1]) / 2)
    w = 1 - _E2 * math.sin(phi) ** 2
    meridian, normal = _A * (1 - _E2) / w**1.5, _A / math.sqrt(w)
    turn = (b[0] - a[0] + 180) % 360 - 180
    return math.hypot(math.radians(turn) * normal * math.cos(phi), math.radians(b[1] - a[1]) * meridian)


def edge_points(width: int, height: int, steps: int = _EDGE_STEPS) -> list[Point]:
    """Return pixel positions along the four edges, counterclockwise on a north-up grid, first = last."""
    corners = [(0, 0), (0, height), (width, height), (width, 0), (0, 0)]
    points: list[Point] = []
    for (x0, y0), (x1, y1) in pairwise(corners):
        points += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps) for i in range(steps)]
    return [*points, (0, 0)]


def _to_wgs84(crs: CRS, points: Sequence[Point], slack: float) -> list[Point] | None:
    """Return (lon, lat) of points, or None when they are not on Earth or do not come back.

    ``slack`` is the side of a pixel in units of ``crs``: by so much a point may miss.
    """
    from rasterio.errors import RasterioError
    from rasterio.warp import transform as warp

    xs, ys = [p[0] for p in points], [p[1] for p in points]
    if not all(map(math.isfinite, (*xs, *ys))):
        return None
    try:
        lons, lats = warp(crs, "EPSG:4326", xs, ys)
        if crs.is_geographic:
            if min(lons) < _LONGITUDES[0] - slack or max(lons) > _LONGITUDES[1] + slack:
                return None
            lats = [_clamped(lat, slack) for lat in lats]
        elif not _comes_back(crs, xs, ys, lons, lats, slack):
            return None
    except (RasterioError, ValueError, RuntimeError):
        return None
    except Exception as error:
        if type(error).__module__.startswith("rasterio"):  # GDAL's own errors have no common public base class.
            return None
        raise
    if not all(
        math.isfinite(lon) and math.isfinite(lat) and abs(lat) <= 90 for lon, lat in zip(lons, lats, strict=True)
    ):
        return None
    return list(zip(lons, lats, strict=True))


def _clamped(lat: float, slack: float) -> float:
    """Return a latitude at most a pixel beyond a pole as the pole (grids whose pixel centres lie on the poles)."""
    return math.copysign(90.0, lat) if 90 < abs(lat) <= 90 + slack else lat


def _comes_back(
    crs: CRS, xs: Sequence[float], ys: Sequence[float], lons: Sequence[float], lats: Sequence[float], slack: float
) -> bool:
    """Return whether all coordinates return to themselves from WGS 84; at 180 degrees either sign may return."""
    from rasterio.warp import transform as warp

    if not all(map(math.isfinite, (*lons, *lats))):
        return False
    back_xs, back_ys = warp("EPSG:4326", crs, list(lons), list(lats))
    for x, y, lon, back_x, back_y in zip(xs, ys, lons, back_xs, back_ys, strict=True):
        near = math.hypot(back_x - x, back_y - y) <= _ROUND_TRIP_PIXELS * slack
        at_the_seam = abs(abs(lon) - 180) < 1e-6 and abs(abs(back_x) - abs(x)) <= slack and abs(back_y - y) <= slack
        if not near and not at_the_seam:
            return False
    return True


def _unwrapped(ring: Iterable[Point]) -> Ring:
    """Return the ring with longitudes that go on past 180 degrees instead of jumping; starts in [-180, 180)."""
    out: Ring = []
    for lon, lat in ring:
        if not out:
            out.append(((lon + 180) % 360 - 180 if lon != 180 else lon, lat))
            continue
        step = (lon - out[-1][0] + 180) % 360 - 180
        out.append((out[-1][0] + step, lat))
    return out


def _closed_over_pole(crs: CRS, transform: Affine, width: int, height: int, ring: Ring) -> Ring | None:
    """Return a ring around the globe closed along the pole inside the grid; None when that is not exactly one."""
    inside = [lat for lat in (90.0, -90.0) if _pole_inside(crs, transform, width, height, lat)]
    if len(inside) != 1:
        return None
    pole = inside[0]
    if ring[0][0] > ring[-1][0]:
        ring = ring[::-1]
    # Cut the turn at -180, so that the polygon spans exactly one turn of the globe.
    start = ring[0][0]
    turn = ring[:-1]
    cut = -180.0
    while cut < start:
        cut += 360
    body = [p for p in turn if p[0] >= cut] + [(lon + 360, lat) for lon, lat in turn if lon < cut]
    after, before = body[0], (body[-1][0] - 360, body[-1][1])
    span = after[0] - before[0]
    lat_cut = before[1] + (after[1] - before[1]) * ((cut - before[0]) / span if span else 0)
    shifted = [(lon - cut - 180, lat) for lon, lat in body if lon > cut]
    return [(-180.0, lat_cut), *shifted, (180.0, lat_cut), (180.0, pole), (-180.0, pole), (-180.0, lat_cut)]


def _pole_inside(crs: CRS, transform: Affine, width: int, height: int, lat: float) -> bool:
    from rasterio.errors import RasterioError
    from rasterio.warp import transform as warp

    try:
        xs, ys = warp("EPSG:4326", crs, [0.0], [lat])
    except (RasterioError, ValueError, RuntimeError):
        return False
    if not (math.isfinite(xs[0]) and math.isfinite(ys[0])):
        return False
    column, row = apply(~transform, xs[0], ys[0])
    return 0 <= column <= width and 0 <= row <= height


def _footprint(ring: Ring, tolerance: float, *, around_pole: bool = False) -> Footprint | None:
    """Return the footprint of a closed, unwrapped ring."""
    west, east = min(p[0] for p in ring), max(p[0] for p in ring)
    south, north = min(p[1] for p in ring), max(p[1] for p in ring)
    if (
        east - west > 360 - 1e-9 and not around_pole
    ):  # A global grid; half a pixel beyond the seam is the same place again.
        ring = [(-180.0, south), (180.0, south), (180.0, north), (-180.0, north), (-180.0, south)]
        west, east = -180.0, 180.0
    shift = -360.0 * math.floor((west + 180) / 360)
    ring, west, east = [(lon + shift, lat) for lon, lat in ring], west + shift, east + shift
    parts = [ring] if east <= 180 else [_clipped(ring, 180.0, 1), _shifted(_clipped(ring, 180.0, -1), -360.0)]
    polygons = [tidy for part in parts if (tidy := _tidied(part, tolerance)) is not None]
    if not polygons:
        return None
    crosses = len(polygons) > 1
    box = (west, south, east - 360 if crosses else min(east, 180.0), north)
    geometry: dict[str, Any] = (
        {"type": "MultiPolygon", "coordinates": [[polygon] for polygon in polygons]}
        if crosses
        else {"type": "Polygon", "coordinates": [polygons[0]]}
    )
    rounded = (round(box[0], _DECIMALS), round(box[1], _DECIMALS), round(box[2], _DECIMALS), round(box[3], _DECIMALS))
    return Footprint(geometry=geometry, bbox=rounded)


def _shifted(ring: Ring, by: float) -> Ring:
    return [(lon + by, lat) for lon, lat in ring]


def _clipped(ring: Ring, meridian: float, side: int) -> Ring:
    """Return the part of a closed ring west (side 1) or east (side -1) of a meridian (Sutherland-Hodgman)."""
    out: Ring = []
    for (x0, y0), (x1, y1) in pairwise(ring):
        inside0, inside1 = (meridian - x0) * side >= 0, (meridian - x1) * side >= 0
        if inside0:
            out.append((x0, y0))
        if inside0 != inside1:
            out.append((meridian, y0 + (y1 - y0) * (meridian - x0) / (x1 - x0)))
    return [*out, out[0]] if out else out


def _tidied(ring: Ring, tolerance: float) -> list[list[float]] | None:
    """Return the ring rounded, without needless points, counterclockwise; None when it has no area."""
    points: list[Point] = []
    for lon, lat in ring:
        point = (round(lon, _DECIMALS) + 0.0, round(lat, _DECIMALS) + 0.0)
        if not points or point != points[-1]:
            points.append(point)
    if len(points) < 4 or abs(_area(points)) < _MIN_AREA_SQUARE_DEGREES:
        return None
    if _area(points) < 0:
        points = points[::-1]
    kept = _simplified(points, tolerance)
    return [list(point) for point in kept] if len(kept) >= 4 else [list(point) for point in points]


def _simplified(ring: Sequence[Point], tolerance: float) -> list[Point]:
    """Return a closed ring without the points that lie within ``tolerance`` of it anyway (Douglas and Peucker 1973)."""
    points = _ground(ring)
    keep = {0, len(ring) - 1}
    far = int(np.argmax(np.hypot(*(points - points[0]).T)))
    spans = [(0, far), (far, len(ring) - 1)]
    while spans:
        first, last = spans.pop()
        keep |= {first, last}
        if last - first < 2:
            continue
        chord, offset = points[last] - points[first], points[first + 1 : last] - points[first]
        along = np.clip(offset @ chord / max(float(chord @ chord), 1e-300), 0, 1)
        beside = np.hypot(*(offset - along[:, None] * chord).T)
        if beside.max() > tolerance:
            split = first + 1 + int(np.argmax(beside))
            spans += [(first, split), (split, last)]
    return [ring[number] for number in sorted(keep)]


def _ground(ring: Sequence[Point]) -> NDArray[np.float64]:
    """Return (n, 2) points in degrees of latitude: longitudes as long as they are on the ring's broadest parallel."""
    points = np.array(ring, dtype=np.float64)
    points[:, 0] *= math.cos(math.radians(float(np.abs(points[:, 1]).min())))
    return points


def _area(ring: Sequence[Point]) -> float:
    """Return the signed area of a closed ring in square degrees, positive when counterclockwise (shoelace)."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring)) / 2
