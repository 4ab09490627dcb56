"""Where and when the scenes of collections lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Case, F, FloatField, Max, Min, Q, Value, When
from django.db.models.functions import Greatest, Least

from imagery.models import Collection, Scene
from imagery.querysets import BBox, SceneQuerySet

if TYPE_CHECKING:
    from imagery.querysets import Viewer


@dataclass(frozen=True)
class CollectionExtent:
    """``bbox`` in degrees WGS 84 (west > east crosses the antimeridian); ``interval`` is (earliest, latest)."""

    bbox: BBox | None = None
    interval: tuple[datetime, datetime] | None = None


def collection_extents(*, user: Viewer, collections: Iterable[Collection]) -> dict[int, CollectionExtent]:
    """Return the extents of what each collection holds, by its primary key, in one query."""
    return scenes_extents(
        Scene.objects.visible_to(user).kept().filter(collection__in=[item.pk for item in collections])
    )


def scenes_extents(scenes: SceneQuerySet) -> dict[int, CollectionExtent]:
    """Return the extents of scenes by the primary key of their collection, in one query.

    The union is taken twice, on a circle cut at the antimeridian and on one cut at Greenwich; the narrower box is
    the answer, so that scenes on both sides of the antimeridian do not span the whole Earth.
    """
    crossing, greenwich = Q(west__gt=F("east")), Q(west__lt=0, east__gte=0)
    rows = (
        scenes.order_by()
        .values("collection_id")
        .annotate(
            w=Min(_case(crossing, -180.0, F("west"))),
            e=Max(_case(crossing, 180.0, F("east"))),
            # Longitudes from 0 to 360: a box over Greenwich is cut there and spans the circle.
            w360=Min(_case(greenwich, 0.0, _east_of_greenwich("west"))),
            e360=Max(_case(greenwich, 360.0, _east_of_greenwich("east"))),
            s=Min("south"),
            n=Max("north"),
            first=Min(Least("datetime", "start_datetime")),  # PostgreSQL passes over nulls here.
            last=Max(Greatest("datetime", "end_datetime")),
        )
    )
    return {row["collection_id"]: _extent(row) for row in rows}


def _case(condition: Q, value: float, otherwise: Any) -> Case:
    return Case(When(condition, then=Value(value)), default=otherwise, output_field=FloatField())


def _east_of_greenwich(name: str) -> Case:
    return Case(When(**{f"{name}__lt": 0}, then=F(name) + 360.0), default=F(name), output_field=FloatField())


def _extent(row: dict[str, Any]) -> CollectionExtent:
    bbox: BBox | None = None
    if row["w"] is not None:
        west, east = row["w"], row["e"]
        if row["e360"] - row["w360"] < east - west:
            west, east = (x - 360.0 if x > 180.0 else x for x in (row["w360"], row["e360"]))
        bbox = (west, row["s"], east, row["n"])
    interval = (row["first"], row["last"]) if row["first"] and row["last"] else None
    return CollectionExtent(bbox=bbox, interval=interval)
