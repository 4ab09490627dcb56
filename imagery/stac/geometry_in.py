"""The place an item names: checked, cut at the antimeridian, or refused with the reason; never a wrong footprint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _

from imagery.geometry import BBox, Footprint
from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    from shapely import Polygon

_MOST_POINTS: Final = 50_000
_ROUNDED_DEGREES: Final = 1e-3
"""By so much (about 100 m) a bbox may be rounded beside its geometry."""
_EAST_MOST: Final = 360.0
_TURN: Final = 360.0
_KINDS: Final = ("Polygon", "MultiPolygon")

Ring = list[list[float]]


def place_of(geometry: Any, bbox: Any) -> Footprint | None:
    """Return the footprint of an item's ``geometry`` and ``bbox`` (lon, lat; WGS 84), or None where it has none.

    Rings that jump over, or go on past, the antimeridian are cut there (RFC 7946, 3.1.9); heights are dropped. The
    box is the item's own where it lies around the geometry. Raises InvalidInput (field ``geometry`` or ``bbox``) for
    anything that is no area on Earth, swapped corners and a box beside its geometry.
    """
    box = _box(bbox)
    if geometry is None:
        return None
    polygons, crosses = _polygons(geometry)
    found = _bounds(polygons)
    if box is not None and not _boxes_meet(box, found):
        raise _wrong("bbox", _("bbox does not lie around the geometry; one of them has its corners swapped."))
    shape: dict[str, Any] = (
        {"type": "Polygon", "coordinates": polygons[0]}
        if len(polygons) == 1 and geometry["type"] == "Polygon"
        else {"type": "MultiPolygon", "coordinates": polygons}
    )
    around = box if box is not None and not crosses and _around(box, found) else found
    return Footprint(geometry=shape, bbox=around)


def _box(bbox: Any) -> BBox | None:
    if bbox is None:
        return None
    if not isinstance(bbox, list) or len(bbox) not in {4, 6} or not all(_is_number(value) for value in bbox):
        raise _wrong("bbox", _("bbox is a list of four (or, with heights, six) numbers; this one is not."))
    west, south, east, north = bbox if len(bbox) == 4 else (*bbox[:2], *bbox[3:5])
    if max(abs(south), abs(north)) > 90 or max(abs(west), abs(east)) > _EAST_MOST:
        raise _wrong("bbox", _("bbox %(bbox)s is not in degrees of longitude and latitude.") % {"bbox": bbox})
    if south > north:
        raise _wrong(
            "bbox", _("bbox: south (%(south)s) is above north (%(north)s).") % {"south": south, "north": north}
        )
    return (float(west), float(south), float(east), float(north))


def _polygons(geometry: Any) -> tuple[list[list[Ring]], bool]:
    """Return the rings of each part in [-180, 180], and whether they were cut or lie on both sides of the seam."""
    if not isinstance(geometry, Mapping) or geometry.get("type") not in _KINDS:
        kind = geometry.get("type") if isinstance(geometry, Mapping) else type(geometry).__name__
        raise _wrong(
            "geometry", _("geometry is %(kind)s; a Polygon or MultiPolygon is needed.") % {"kind": str(kind)[:40]}
        )
    given = geometry.get("coordinates")
    parts = [given] if geometry["type"] == "Polygon" else given
    if not isinstance(parts, list) or not parts:
        raise _wrong("geometry", _("geometry has no coordinates."))
    out: list[list[Ring]] = []
    cut = False
    for part in parts:
        rings = [_ring(ring) for ring in _listed(part)]
        if not rings:
            raise _wrong("geometry", _("geometry has no coordinates."))
        if sum(len(ring) for ring in rings) > _MOST_POINTS:
            raise _wrong("geometry", _("geometry has more than %(most)d points.") % {"most": _MOST_POINTS})
        plain = all(_plain(ring) for ring in rings)
        cut |= not plain
        pieces = [rings] if plain else _cut([_unwrapped(ring) for ring in rings])
        for piece in pieces:
            _valid_require(piece)
        out += pieces
    seam = any(abs(point[0]) == 180 for part in out for point in part[0])
    return out, cut or (seam and len(out) > 1)


def _ring(ring: Any) -> Ring:
    """Return a ring without heights, closed. Raises for anything but four or more points on Earth."""
    points: Ring = []
    for point in _listed(ring):
        if not isinstance(point, list) or len(point) < 2 or not all(_is_number(value) for value in point[:2]):
            raise _wrong("geometry", _("geometry has a point that is not two numbers."))
        lon, lat = point[0], point[1]
        if abs(lon) > _EAST_MOST or abs(lat) > 90:
            raise _wrong(
                "geometry",
                _("geometry has the point %(point)s, which is not in degrees of longitude and latitude.")
                % {"point": f"({lon}, {lat})"},
            )
        points.append([lon, lat])
    if points and points[0] != points[-1]:
        points.append(list(points[0]))
    if len(points) < 4:
        raise _wrong("geometry", _("geometry has a ring of fewer than three different points."))
    return points


def _plain(ring: Ring) -> bool:
    """Return whether a ring stays within [-180, 180] and never jumps over the seam."""
    return all(abs(lon) <= 180 for lon, _lat in ring) and all(abs(b[0] - a[0]) <= 180 for a, b in pairwise(ring))


def _unwrapped(ring: Ring) -> Ring:
    """Return a ring whose longitudes go on past 180 degrees instead of jumping."""
    out = [list(ring[0])]
    for lon, lat in ring[1:]:
        step = (lon - out[-1][0] + 180) % _TURN - 180
        out.append([out[-1][0] + step, lat])
    if abs(out[-1][0] - out[0][0]) > 1e-9:
        raise _wrong(
            "geometry", _("geometry goes around a pole; cut it at the antimeridian, as GeoJSON asks (RFC 7946, 3.1.9).")
        )
    return out


def _cut(rings: list[Ring]) -> list[list[Ring]]:
    """Return the parts of an unwrapped polygon in [-180, 180]."""
    from shapely import Polygon, box
    from shapely.affinity import translate

    whole = Polygon(rings[0], rings[1:])
    _valid_require(rings)
    parts: list[list[Ring]] = []
    for turn in (-2, -1, 0, 1, 2):
        west = -180.0 + turn * _TURN
        piece = whole.intersection(box(west, -90.0, west + _TURN, 90.0))
        areas = [part for part in getattr(piece, "geoms", [piece]) if part.geom_type == "Polygon" and part.area > 0]
        parts += [_rings(translate(part, xoff=-turn * _TURN)) for part in areas]
    return parts


def _rings(polygon: Polygon) -> list[Ring]:
    from shapely.geometry.polygon import orient

    turned = orient(polygon)
    return [[list(point) for point in ring.coords] for ring in (turned.exterior, *turned.interiors)]


def _valid_require(rings: list[Ring]) -> None:
    from shapely import Polygon
    from shapely.validation import explain_validity

    polygon = Polygon(rings[0], rings[1:])
    if polygon.is_valid and polygon.area > 0:
        return
    why = explain_validity(polygon) if not polygon.is_valid else "no area"
    raise _wrong(
        "geometry",
        _("geometry is no proper area (%(reason)s); its corners may be in the wrong order.") % {"reason": why},
    )


def _bounds(polygons: list[list[Ring]]) -> BBox:
    """Return the box around the parts; west > east where they lie on both sides of the seam."""
    boxes = [
        (min(p[0] for p in part[0]), min(p[1] for p in part[0]), max(p[0] for p in part[0]), max(p[1] for p in part[0]))
        for part in polygons
    ]
    south, north = min(box[1] for box in boxes), max(box[3] for box in boxes)
    eastern = [box for box in boxes if box[2] == 180 and box[0] > -180]
    western = [box for box in boxes if box[0] == -180 and box[2] < 180]
    if eastern and western and len(eastern) + len(western) == len(boxes):
        return (min(box[0] for box in eastern), south, max(box[2] for box in western), north)
    return (min(box[0] for box in boxes), south, max(box[2] for box in boxes), north)


def _around(box: BBox, found: BBox) -> bool:
    west, south, east, north = box
    return (
        west <= found[0] <= found[2] <= east <= 180
        and south <= found[1] <= found[3] <= north
        and west >= -180
    )  # fmt: skip


def _boxes_meet(box: BBox, found: BBox) -> bool:
    """Return whether two boxes are the same place: every side within a rounding, or one around the other."""
    if box[1] > found[3] + _ROUNDED_DEGREES or box[3] < found[1] - _ROUNDED_DEGREES:
        return False
    return any(
        one_west <= other_east + _ROUNDED_DEGREES and one_east >= other_west - _ROUNDED_DEGREES
        for one_west, one_east in _spans(box)
        for other_west, other_east in _spans(found)
    )


def _spans(box: BBox) -> list[tuple[float, float]]:
    west, east = box[0], box[2]
    spans = [(west, east)] if west <= east else [(west, east + _TURN), (west - _TURN, east)]
    return [(a + turn, b + turn) for a, b in spans for turn in (-_TURN, 0.0, _TURN)]


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong("geometry", _("geometry has coordinates that are not lists of points."))
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(field: str, sentence: str) -> InvalidInput:
    return InvalidInput(sentence, field=field)
