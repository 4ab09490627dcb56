"""Areas as people and programs draw or paste them: GeoJSON, checked, and small enough for an address."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    from shapely import MultiPolygon

FIELD: Final = "intersects"
MAX_POINTS: Final = 150
"""Areas of more points are simplified until they have at most so many: they must fit into an address."""
_MOST_POINTS_READ: Final = 50_000
_LONGEST: Final = 4_000_000  # characters
_DECIMALS: Final = 5  # 1e-5 degrees are about 1 m.
_FARTHEST_EAST: Final = 540.0
"""Degrees: maps that go on past the antimeridian name longitudes beyond 180."""
_THIN_DEGREES: Final = 1e-5
"""Points and lines become areas of this half width, so that one rule serves all."""
_FIRST_TOLERANCE: Final = 1e-5  # degrees

Point: TypeAlias = tuple[float, float]
Ring: TypeAlias = tuple[Point, ...]


@dataclass(frozen=True)
class Area:
    """``polygons``: of each its outline and holes, closed rings of (lon, lat) in degrees, WGS 84.

    Longitudes may lie beyond 180: a place counts wherever it is named. ``tolerance`` is by how many degrees the area
    may differ from what was given because it was simplified, 0 when it was not.
    """

    polygons: tuple[tuple[Ring, ...], ...]
    tolerance: float = 0.0

    def as_geojson(self) -> dict[str, Any]:
        """Return the area as a GeoJSON geometry."""
        parts = [[[list(point) for point in ring] for ring in polygon] for polygon in self.polygons]
        if len(parts) == 1:
            return {"type": "Polygon", "coordinates": parts[0]}
        return {"type": "MultiPolygon", "coordinates": parts}

    def __str__(self) -> str:
        """Return the area as ``area_parse`` reads it and addresses carry it: GeoJSON without spaces."""
        return json.dumps(self.as_geojson(), separators=(",", ":"))


def area_parse(raw: str | Mapping[str, Any]) -> Area:
    """Return the area that a GeoJSON geometry, Feature or FeatureCollection covers; lon, lat in degrees, WGS 84.

    Points and lines are taken as thin areas. Raises InvalidInput (field ``intersects``) with what is wrong.
    """
    from shapely import MultiPolygon
    from shapely.geometry.polygon import orient

    shape = _united(_geometries(_json(raw)))
    shape, tolerance = _simplified(shape)
    polygons = []
    for part in sorted(shape.geoms, key=lambda part: part.bounds):
        turned = orient(part)  # RFC 7946, 3.1.6: outlines counterclockwise, holes clockwise.
        rings = [_ring(turned.exterior.coords), *(_ring(hole.coords) for hole in turned.interiors)]
        if len(set(rings[0])) >= 3:
            polygons.append(tuple(ring for ring in rings if len(set(ring)) >= 3))
    if not polygons:
        raise _wrong(_("intersects: the area is smaller than a metre; draw a larger one."))
    assert isinstance(shape, MultiPolygon)
    return Area(polygons=tuple(polygons), tolerance=tolerance)


def _json(raw: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(raw, str):
        if len(raw) > _LONGEST:
            raise _wrong(_("intersects: the text is too long; simplify the area first."))
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            raise _wrong(
                _('intersects is no GeoJSON; paste a geometry such as {"type":"Polygon","coordinates":[…]}.')
            ) from None
    if not isinstance(raw, Mapping):
        raise _wrong(_('intersects is no GeoJSON; paste a geometry such as {"type":"Polygon","coordinates":[…]}.'))
    return raw


def _geometries(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    kind = given.get("type")
    members: Any
    if kind == "Feature":
        members = [given.get("geometry")]
    elif kind == "FeatureCollection":
        features = given.get("features")
        members = [each.get("geometry") if isinstance(each, Mapping) else None for each in _listed(features)]
    elif kind == "GeometryCollection":
        members = _listed(given.get("geometries"))
    else:
        return [given]
    found = [each for each in members if isinstance(each, Mapping)]
    if any(each.get("type") == "GeometryCollection" for each in found):
        raise _wrong(_("intersects: a collection of geometries inside another one is not read."))
    if not found:
        raise _wrong(_("intersects holds no geometry."))
    return found


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _united(geometries: Sequence[Mapping[str, Any]]) -> MultiPolygon:
    from shapely import MultiPolygon, Polygon, union_all
    from shapely.errors import ShapelyError
    from shapely.geometry import shape
    from shapely.validation import explain_validity

    parts = []
    for geometry in geometries:
        _check_numbers(geometry)
        try:
            part = shape(geometry)
        except (ShapelyError, ValueError, TypeError, IndexError, KeyError, AttributeError):
            raise _wrong(
                _("intersects: the geometry cannot be read (%(type)s).")
                % {"type": repr(str(geometry.get("type"))[:40])}
            ) from None
        if part.is_empty:
            raise _wrong(_("intersects holds an empty geometry."))
        if not part.is_valid:
            raise _wrong(
                _("intersects: the area crosses or touches itself (%(where)s); draw its outline without crossings.")
                % {"where": explain_validity(part)[:80]}
            )
        parts.append(part if isinstance(part, Polygon | MultiPolygon) else part.buffer(_THIN_DEGREES, quad_segs=1))
    whole = union_all(parts)
    return whole if isinstance(whole, MultiPolygon) else MultiPolygon([whole])


def _check_numbers(geometry: Mapping[str, Any]) -> None:
    """Refuse positions that are none on Earth, before anything is computed from them."""
    left: list[Any] = [geometry.get("coordinates")]
    points = 0
    while left:
        value = left.pop()
        if not isinstance(value, list | tuple) or not value:
            raise _wrong(_("intersects: coordinates are lists of [longitude, latitude]."))
        if isinstance(value[0], list | tuple):
            left.extend(value)
            continue
        points += 1
        if points > _MOST_POINTS_READ:
            raise _wrong(
                _("intersects has more than %(most)d points; simplify the area first.") % {"most": _MOST_POINTS_READ}
            )
        if len(value) < 2 or not all(
            isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
            for number in value[:2]
        ):
            raise _wrong(_("intersects: coordinates are lists of [longitude, latitude]."))
        if abs(value[0]) > _FARTHEST_EAST or abs(value[1]) > 90:
            raise _wrong(
                _("intersects: %(point)s is not on Earth; coordinates are longitude, latitude in degrees.")
                % {"point": f"[{value[0]:g}, {value[1]:g}]"}
            )


def _simplified(shape: MultiPolygon) -> tuple[MultiPolygon, float]:
    """Return the shape with at most :data:`MAX_POINTS` points (Douglas-Peucker), and the tolerance that took."""
    from shapely import MultiPolygon, get_num_coordinates

    if get_num_coordinates(shape) <= MAX_POINTS:
        return shape, 0.0
    tolerance, slim = _FIRST_TOLERANCE, shape
    while get_num_coordinates(slim) > MAX_POINTS:
        tolerance *= 2
        if tolerance > 1.0:
            raise _wrong(_("intersects has too many separate parts; give fewer areas at once."))
        found = shape.simplify(tolerance).buffer(0)
        slim = found if isinstance(found, MultiPolygon) else MultiPolygon([found])
    return slim, tolerance


def _ring(points: Any) -> Ring:
    rounded = [(round(lon, _DECIMALS) + 0.0, round(lat, _DECIMALS) + 0.0) for lon, lat, *_more in points]
    return (rounded[0], *(point for before, point in pairwise(rounded) if point != before))


def _wrong(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, field=FIELD)
