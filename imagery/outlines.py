"""Outlines of scenes as PostgreSQL's native polygons, so that a drawn area finds scenes by an index and exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models import Q

    from imagery.area import Area, Ring

    _Field = models.Field[Any, Any]
    _Lookup = models.Lookup[bool]
else:
    _Field, _Lookup = models.Field, models.Lookup

_TURN: Final = 360.0


class PolygonField(_Field):
    """A native polygon of (lon, lat), read as PostgreSQL's text: ``((lon,lat),...)``."""

    description = "polygon"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "polygon"


class _Compared(_Lookup):
    operator: str

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} {self.operator} {right}::polygon", (*left_params, *right_params)


@PolygonField.register_lookup
class Overlaps(_Compared):
    """``outline__overlaps="((lon,lat),...)"``: they have a point in common (operator &&)."""

    lookup_name = "overlaps"
    operator = "&&"


@PolygonField.register_lookup
class InsideOf(_Compared):
    """``outline__inside_of="((lon,lat),...)"``: no point of it lies outside (operator <@)."""

    lookup_name = "inside_of"
    operator = "<@"


def meets(area: Area) -> Q:
    """Return the rule that a scene has a point in common with ``area``.

    A scene that lies wholly in a hole of the area has none. Longitudes a turn apart are the same place, so an area
    drawn across the antimeridian meets scenes on both sides.
    """
    rule = models.Q(pk__in=[])
    for outline, *holes in area.polygons:
        for turn in _turns(outline):
            part = _rule(outline, turn, "overlaps")
            for hole in holes:
                part &= ~_rule(hole, turn, "inside_of")
            rule |= part
    return rule


def _turns(ring: Ring) -> list[float]:
    """Return by how many degrees the ring must be turned to be seen from longitudes -180 to 180."""
    west, east = min(lon for lon, _lat in ring), max(lon for lon, _lat in ring)
    return [turn for turn in (-_TURN, 0.0, _TURN) if west + turn <= 180 and east + turn >= -180]


def _rule(ring: Ring, turn: float, verb: str) -> Q:
    text = "(" + ",".join(f"({lon + turn:.7f},{lat:.7f})" for lon, lat in ring) + ")"
    # Scenes in several parts (cut at the antimeridian) have no outline; they are few, and asked part by part.
    parts = models.Func(
        models.F("footprint"),
        models.Func(models.Value(text), template="%(expressions)s::polygon", output_field=PolygonField()),
        function=f"imagery_parts_{verb}",
        output_field=models.BooleanField(),
    )
    one = models.Q(**{f"outline__{verb}": text})
    return one | (models.Q(outline__isnull=True, footprint__isnull=False) & models.Q(parts))
