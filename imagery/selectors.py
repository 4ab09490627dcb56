"""Reads of the catalogue. Each takes the person first and shows them only what they may see."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db.models import (
    Case,
    Count,
    ExpressionWrapper,
    F,
    FloatField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Floor
from django.utils import timezone

from imagery.models import Asset, Collection, CollectionMember, IngestJob, Scene
from imagery.querysets import BBox, SceneQuerySet
from rsportal.maps.world import Cell

if TYPE_CHECKING:
    from imagery.area import Area
    from imagery.querysets import Viewer

_LARGE: Final = ("properties", "footprint", "bands", "stac", "stretch", "outline")
"""What no list of scenes shows."""
_CELL_DEGREES: Final = 4.0
UNFINISHED: Final = (IngestJob.State.QUEUED, IngestJob.State.RUNNING)


def collections_list(user: Viewer) -> QuerySet[Collection]:
    """Return the collections this person may see, each with ``scene_count`` (scenes that can be searched)."""
    ready = (
        Scene.objects.ready()
        .filter(collection=OuterRef("pk"))
        .order_by()
        .values("collection")
        .annotate(count=Count("pk"))
        .values("count")
    )
    return (
        Collection.objects.visible_to(user)
        .select_related("owner")
        .annotate(scene_count=Coalesce(Subquery(ready), Value(0)))
        .order_by("title", "pk")
    )


def collection_get(user: Viewer, slug: str) -> Collection:
    """Return one collection with its ``scene_count``. Raises Collection.DoesNotExist when it may not be seen."""
    return collections_list(user).get(slug=slug)


def collections_editable(user: Viewer) -> QuerySet[Collection]:
    """Return the collections this person may add scenes to (an editor only while it is shared with its members)."""
    return Collection.objects.visible_to(user).editable_by(user).order_by("title", "pk")


def collection_editable(user: Viewer, collection: Collection) -> bool:
    """Return whether this person may add and delete scenes of the collection."""
    return collections_editable(user).filter(pk=collection.pk).exists()


def collection_members(collection: Collection) -> QuerySet[CollectionMember]:
    """Return the members of a collection by name (show them to its editors only)."""
    return CollectionMember.objects.filter(collection=collection).select_related("user").order_by("user__username")


def collection_extent(user: Viewer, collection: Collection) -> BBox | None:
    """Return (west, south, east, north) of what a collection holds; None when none of it is georeferenced.

    With a scene across the antimeridian it spans all longitudes.
    """
    crosses = Q(west__gt=F("east"))
    row = (
        Scene.objects.visible_to(user)
        .kept()
        .filter(collection=collection, west__isnull=False)
        .aggregate(
            west_most=Min(Case(When(crosses, then=-180.0), default=F("west"), output_field=FloatField())),
            south_most=Min("south"),
            east_most=Max(Case(When(crosses, then=180.0), default=F("east"), output_field=FloatField())),
            north_most=Max("north"),
        )
    )
    if row["west_most"] is None:
        return None
    return row["west_most"], row["south_most"], row["east_most"], row["north_most"]


def coverage_cells(user: Viewer, *, collection: Collection | None = None) -> dict[int, list[Cell]]:
    """Return where the visible searchable scenes lie: per collection id, cells of 4 degrees with their scene count.

    Of one ``collection`` it is all that it holds. A scene counts in the cell of its bounding box's centre.
    """
    east = Case(When(west__gt=F("east"), then=F("east") + 360.0), default=F("east"), output_field=FloatField())
    lon = ExpressionWrapper((F("west") + east) / 2.0, output_field=FloatField())
    lat = ExpressionWrapper((F("south") + F("north")) / 2.0, output_field=FloatField())
    scenes = Scene.objects.visible_to(user).filter(west__isnull=False)
    scenes = scenes.ready() if collection is None else scenes.kept().filter(collection=collection)
    rows = (
        scenes.order_by()
        .annotate(lon=lon, lat=lat)
        .annotate(column=Floor(F("lon") / _CELL_DEGREES), row=Floor(F("lat") / _CELL_DEGREES))
        .values("collection_id", "column", "row")
        .annotate(count=Count("pk"))
        .order_by("collection_id", "column", "row")
    )
    half = _CELL_DEGREES / 2
    cells: dict[int, list[Cell]] = {}
    for row in rows:
        middle = (row["column"] * _CELL_DEGREES + half + 180) % 360 - 180, row["row"] * _CELL_DEGREES + half
        cells.setdefault(row["collection_id"], []).append(Cell(*middle, row["count"]))
    return cells


def scenes_list(
    user: Viewer,
    *,
    collections: Iterable[str] = (),
    start: date | datetime | None = None,
    end: date | datetime | None = None,
    bbox: BBox | None = None,
    intersects: Area | None = None,
    status: str | None = None,
    platform: str = "",
    text: str = "",
) -> SceneQuerySet:
    """Return visible scenes, newest first: of these collection slugs, acquired within [start, end] (UTC days when
    plain dates are given), meeting ``bbox`` (degrees WGS 84) and the area ``intersects``, in this ingest status, of
    this platform (in any case), with ``text`` in the title.
    """
    scenes: SceneQuerySet = Scene.objects.visible_to(user).select_related("collection").defer(*_LARGE)
    if slugs := list(collections):
        scenes = scenes.filter(collection__slug__in=slugs)
    if start is not None or end is not None:
        scenes = scenes.captured_between(_moment(start, end_of_day=False), _moment(end, end_of_day=True))
    if bbox is not None:
        scenes = scenes.in_bbox(bbox)
    if intersects is not None:
        scenes = scenes.meeting(intersects)
    if status is not None:
        scenes = scenes.filter(status=status)
    if platform:
        scenes = scenes.filter(platform__iexact=platform)
    if text:
        scenes = scenes.filter(title__icontains=text)
    return scenes.order_by("-created_at", "-id")


def _moment(day: date | datetime | None, *, end_of_day: bool) -> datetime | None:
    if day is None or isinstance(day, datetime):
        return day
    midnight = datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())
    return midnight + timedelta(days=1) - timedelta(microseconds=1) if end_of_day else midnight


def scene_get(user: Viewer, scene_id: UUID) -> Scene:
    """Return one scene with its collection. Raises Scene.DoesNotExist when it may not be seen."""
    return Scene.objects.visible_to(user).select_related("collection", "created_by").get(pk=scene_id)


def scene_originals(scene: Scene) -> list[Asset]:
    """Return the original files of a scene by their key."""
    return list(Asset.objects.filter(scene=scene, role=Asset.Role.DATA).order_by("key"))


def asset_get(user: Viewer, scene_id: UUID, key: str) -> Asset:
    """Return one file of a scene with its collection. Raises Asset.DoesNotExist when it may not be seen."""
    if "\x00" in key:  # The database takes no text with it, not even to compare.
        raise Asset.DoesNotExist
    return Asset.objects.visible_to(user).select_related("scene__collection").get(scene_id=scene_id, key=key)


def jobs_list(user: Viewer, *, batch: UUID | None = None, state: str | None = None) -> QuerySet[IngestJob]:
    """Return the ingest jobs this person may follow, newest first; ``state`` may also be ``unfinished``."""
    jobs = IngestJob.objects.visible_to(user).select_related("collection", "scene", "created_by")
    if batch is not None:
        jobs = jobs.filter(batch=batch)
    if state == "unfinished":
        jobs = jobs.filter(state__in=UNFINISHED)
    elif state:
        jobs = jobs.filter(state=state)
    return jobs.order_by("-created_at", "-id")


def jobs_count_by_state(user: Viewer, *, batch: UUID | None = None) -> dict[str, int]:
    """Return how many of these jobs are in each state (states without jobs are left out)."""
    rows = jobs_list(user, batch=batch).order_by().values("state").annotate(count=Count("pk"))
    return {row["state"]: row["count"] for row in rows}


def job_get(user: Viewer, job_id: UUID) -> IngestJob:
    """Return one ingest job. Raises IngestJob.DoesNotExist when it may not be seen."""
    return jobs_list(user).get(pk=job_id)
