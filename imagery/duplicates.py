"""Scenes that may be the same as another one: same bytes, same pixels, same place on another date.

They are shown and never merged; who asks meets only scenes they may see, so that a private collection cannot be told
from one that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db.models import Case, F, FloatField, QuerySet, Value, When
from django.db.models.functions import Abs, Coalesce, Extract
from pgvector.django import CosineDistance

from imagery.models import Asset, Embedding, Encoder, Scene
from imagery.perceptual import FLAT
from imagery.perceptual_bands import MAX_DISTANCE, distance_to, near_hash

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from imagery.querysets import Viewer

MIN_COSINE: Final = 0.6
"""Of the vectors of two whole scenes; below, hashes met by chance. docs/archive.md tells how it was measured."""
UNCONFIRMED_DISTANCE: Final = 3
"""Bits; so near, hashes are believed where no vector can confirm them yet."""
MIN_OVERLAP: Final = 0.5
"""Of the larger of two footprints."""
_MOST: Final = 12  # of each kind
_CANDIDATES: Final = 200
_SIZES: Final = 16.0
"""Bounding boxes that differ more in area than by this factor are not compared: half of the larger cannot be shared."""
_DAY_SECONDS: Final = 86_400.0


class Kind(StrEnum):
    """Why two scenes may be the same."""

    BYTES = "bytes"
    PIXELS = "pixels"
    PLACE = "place"


@dataclass(frozen=True)
class Duplicate:
    """A scene that may be the same as the one asked about.

    ``distance`` (bits of 64) and ``cosine`` belong to same pixels (``cosine`` None: not compared yet), ``overlap``
    (share of the larger footprint) and ``days`` (later than the one asked about; negative: earlier) to same place.
    """

    scene: Scene
    kind: Kind
    distance: int | None = None
    cosine: float | None = None
    overlap: float | None = None
    days: float | None = None


def duplicates_of(scene: Scene, user: Viewer, *, most: int = _MOST) -> list[Duplicate]:
    """Return what this person may see and may be the same as ``scene``: same bytes, same pixels, same place.

    A scene comes once, for the strongest reason; at most ``most`` for each. Nothing for a scene they may not see.
    """
    if not Scene.objects.visible_to(user).filter(pk=scene.pk).exists():
        return []
    found: list[Duplicate] = []
    seen = {scene.pk}
    for look in (_same_bytes, _same_pixels, _same_place):
        others = [each for each in look(scene, _others(user)) if each.scene.pk not in seen][:most]
        seen |= {each.scene.pk for each in others}
        found += others
    return found


def pixels_alike(distance: int, cosine: float | None) -> bool:
    """Return whether a distance of hashes (bits) and, where known, the cosine of the vectors mean the same picture."""
    if cosine is None:
        return distance <= UNCONFIRMED_DISTANCE
    return distance <= MAX_DISTANCE and cosine >= MIN_COSINE


def cosines(scene_id: UUID, others: Iterable[UUID]) -> dict[UUID, float]:
    """Return the cosine of the active encoder's vectors of whole scenes to this one's, where both are there."""
    encoder = Encoder.objects.filter(state=Encoder.State.ACTIVE).values_list("pk", flat=True).first()
    if encoder is None:
        return {}
    whole = Embedding.objects.filter(encoder_id=encoder, tile__level=0)
    mine = whole.filter(tile__scene=scene_id).values_list("vector", flat=True).first()
    if mine is None:
        return {}
    rows = whole.filter(tile__scene__in=list(others)).annotate(cosine=1.0 - CosineDistance("vector", mine))
    return dict(rows.values_list("tile__scene_id", "cosine"))


def _others(user: Viewer) -> QuerySet[Scene]:
    return (
        Scene.objects.visible_to(user)
        .ready()
        .select_related("collection")
        .defer("properties", "bands", "stac", "stretch")
        .order_by()
    )


def _same_bytes(scene: Scene, others: QuerySet[Scene]) -> list[Duplicate]:
    pictures = Asset.objects.filter(role=Asset.Role.DATA, width__gt=0).exclude(sha256="")
    mine = list(pictures.filter(scene=scene).values_list("sha256", flat=True))
    if not mine:
        return []
    holders = pictures.filter(sha256__in=mine).exclude(scene=scene).values("scene")
    rows = others.filter(pk__in=holders).defer("footprint", "properties", "bands", "stac", "stretch")
    return [Duplicate(each, Kind.BYTES) for each in rows.order_by("created_at", "pk")[:_CANDIDATES]]


def _same_pixels(scene: Scene, others: QuerySet[Scene]) -> list[Duplicate]:
    if scene.perceptual_hash is None or scene.perceptual_hash == FLAT:
        return []
    near = (
        others.filter(near_hash(scene.perceptual_hash))
        .exclude(perceptual_hash=FLAT)
        .exclude(pk=scene.pk)
        .annotate(distance=distance_to(scene.perceptual_hash))
        .filter(distance__lte=MAX_DISTANCE)
        .defer("footprint", "properties", "bands", "stac", "stretch")
    )
    rows = list(near.order_by("distance", "pk")[:_CANDIDATES])
    cosine = cosines(scene.pk, [row.pk for row in rows]) if rows else {}
    return [
        Duplicate(row, Kind.PIXELS, distance=row.distance, cosine=cosine.get(row.pk))
        for row in rows
        if pixels_alike(row.distance, cosine.get(row.pk))
    ]


def _same_place(scene: Scene, others: QuerySet[Scene]) -> list[Duplicate]:
    taken, bbox = scene.datetime or scene.start_datetime, scene.bbox
    if taken is None or bbox is None or not scene.footprint:
        return []
    mine = _shape(scene.footprint)
    if mine is None:
        return []
    rows = _around(others.exclude(pk=scene.pk), bbox, taken)
    found = []
    for row in rows:
        when = row.datetime or row.start_datetime
        theirs = _shape(row.footprint)
        if when is None or theirs is None or when.date() == taken.date():
            continue
        overlap = mine.intersection(theirs).area / max(mine.area, theirs.area)
        if overlap >= MIN_OVERLAP:
            days = (when - taken).total_seconds() / _DAY_SECONDS
            found.append(Duplicate(row, Kind.PLACE, overlap=overlap, days=days))
    return found


def _around(others: QuerySet[Scene], bbox: tuple[float, float, float, float], taken: datetime) -> Sequence[Scene]:
    """Return dated scenes whose box meets ``bbox`` and is about as large, those nearest in time first."""
    west, south, east, north = bbox
    area = (east - west + (360.0 if west > east else 0.0)) * (north - south)
    wide = Case(When(west__gt=F("east"), then=360.0 + F("east") - F("west")), default=F("east") - F("west"))
    when = Coalesce("datetime", "start_datetime")
    rows = (
        others.in_bbox(bbox)  # type: ignore[attr-defined]
        .annotate(
            box_area=Coalesce(wide * (F("north") - F("south")), 0.0, output_field=FloatField()),
            apart=Abs(Extract(when, "epoch") - Value(taken.timestamp()), output_field=FloatField()),
        )
        .filter(box_area__gte=area / _SIZES, box_area__lte=area * _SIZES, apart__isnull=False)
    )
    return list(rows.order_by("apart", "pk")[:_CANDIDATES])


def _shape(footprint: object) -> BaseGeometry | None:
    """Return a footprint as a valid shape with an area, or None."""
    from shapely import make_valid
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        found = make_valid(shape(footprint))
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if found.area > 0 else None
