"""Query verbs of the catalogue. ``visible_to`` is the one permission rule for every read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from django.db import models
from django.db.models import Q
from django.db.models.functions import Cast, Lower
from django.utils import timezone

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from imagery.area import Area
    from rsportal.accounts.models import User

    Viewer: TypeAlias = User | AnonymousUser

LICENSE_NOT_STATED = "none"
"""Stands for collections without a licence in filters and counts, as SPDX writes it (all rights are reserved)."""

BBox: TypeAlias = tuple[float, float, float, float]
"""(west, south, east, north), degrees WGS 84; west > east crosses the antimeridian."""


def _collection_rule(user: Viewer, prefix: str, *, writing: bool = False) -> Q:
    """Return the predicate on a row's collection (``prefix`` is the path to it, e.g. ``scene__collection__``)."""
    from imagery.models.collection import CollectionMember, Visibility

    if not user.is_authenticated or not user.is_active:
        return Q(pk__in=[])
    if user.is_superuser:
        return Q()
    memberships = CollectionMember.objects.filter(user=user)
    key = f"{prefix.removesuffix('__')}_id" if prefix else "pk"
    if writing:
        editor_of = memberships.filter(role=CollectionMember.Role.EDITOR).values("collection_id")
        # A private collection is its owner's alone: the rights of its editors rest.
        shared = ~Q(**{f"{prefix}visibility": Visibility.PRIVATE}) & Q(**{f"{key}__in": editor_of})
        return Q(**{f"{prefix}owner": user}) | shared
    return (
        Q(**{f"{prefix}owner": user})
        | Q(**{f"{prefix}visibility": Visibility.ALL_USERS})
        | (Q(**{f"{prefix}visibility": Visibility.MEMBERS}) & Q(**{f"{key}__in": memberships.values("collection_id")}))
    )


class _InCollection(models.QuerySet[Any]):
    """Rows that hang on a collection; ``collection_path`` leads to it."""

    collection_path = "collection__"

    def visible_to(self, user: Viewer) -> Self:
        """Return the rows this person may see (nothing for anonymous or disabled accounts)."""
        return self.filter(_collection_rule(user, self.collection_path))

    def editable_by(self, user: Viewer) -> Self:
        """Return the rows this person may change: the owner's, an editor's, all for superusers."""
        return self.filter(_collection_rule(user, self.collection_path, writing=True))


class CollectionQuerySet(_InCollection):
    """Collections."""

    collection_path = ""


class SceneQuerySet(_InCollection):
    """Scenes, with the metadata filters of a search."""

    def ready(self) -> Self:
        """Return scenes whose ingest ended well (they can be shown and searched)."""
        from imagery.models.scene import Scene

        return self.filter(status=Scene.Status.READY)

    def kept(self) -> Self:
        """Return what a collection holds for good: ready scenes, and those of which only the description is known."""
        from imagery.models.scene import Scene

        return self.filter(status__in=(Scene.Status.READY, Scene.Status.METADATA))

    def findable(self) -> Self:
        """Return ready scenes that the rules of the house let a search find: no embargo, and a licence that may be.

        The rules hold for everybody alike (who may see a scene is another question: ``visible_to``).
        """
        from imagery.licenses import licences_searched

        rows = self.ready().filter(Q(embargo_until=None) | Q(embargo_until__lte=timezone.now()))
        allowed = licences_searched()
        return rows if allowed is None else rows.filter(collection__license__iregex=allowed)

    def captured_between(self, start: datetime | None, end: datetime | None) -> Self:
        """Return scenes acquired within [start, end] (either may be open); undated scenes only when both are."""
        if start is not None and end is not None:
            # As ranges: so indexes serve it, and the planner knows how few pass.
            return self.filter(
                Q(datetime__gte=start, datetime__lte=end) | Q(end_datetime__gte=start, start_datetime__lte=end)
            )
        if start is not None:
            return self.filter(Q(datetime__gte=start) | Q(end_datetime__gte=start))
        if end is not None:
            return self.filter(Q(datetime__lte=end) | Q(start_datetime__lte=end))
        return self.all()

    def in_bbox(self, bbox: BBox) -> Self:
        """Return scenes whose bounding box meets ``bbox`` (both may cross the antimeridian)."""
        west, south, east, north = bbox
        halves = [bbox] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]
        # Redundant, but the index that finds boxes knows only this form; of scenes across the antimeridian, all.
        indexed = _any([*(Q(_box_meets(half)) for half in halves), Q(west__gt=models.F("east"))])
        rows = self.filter(indexed, south__lte=north, north__gte=south)
        if west <= east:
            plain = Q(west__lte=models.F("east")) & Q(west__lte=east, east__gte=west)
            crossing = Q(west__gt=models.F("east")) & (Q(west__lte=east) | Q(east__gte=west))
            return rows.filter(plain | crossing)
        plain = Q(west__lte=models.F("east")) & (Q(east__gte=west) | Q(west__lte=east))
        return rows.filter(plain | Q(west__gt=models.F("east")))

    def meeting(self, area: Area) -> Self:
        """Return scenes whose footprint has a point in common with ``area``."""
        from imagery.outlines import meets

        return self.filter(meets(area))

    def on_platforms(self, names: Iterable[str]) -> Self:
        """Return scenes taken from one of these platforms, in upper or lower case."""
        return self.filter(_any(Q(platform__iexact=name) for name in names))

    def with_instruments(self, names: Iterable[str]) -> Self:
        """Return scenes taken with at least one of these instruments, in upper or lower case."""
        lowered = Cast(Lower(Cast("instruments", models.TextField())), models.JSONField())
        wanted = [name.lower() for name in names]
        return self.alias(_instruments=lowered).filter(_instruments__has_any_keys=wanted)

    def gsd_between(self, least: float | None, most: float | None) -> Self:
        """Return scenes of a ground sample distance of ``least`` to ``most`` metres (either may be open).

        Scenes whose distance is not known pass only when both are open.
        """
        rows = self
        if least is not None:
            rows = rows.filter(gsd__gte=least)
        if most is not None:
            rows = rows.filter(gsd__lte=most)
        return rows

    def clouds_up_to(self, most: float) -> Self:
        """Return scenes of which at most ``most`` per cent are known to be under clouds."""
        return self.filter(cloud_cover__lte=most)

    def under_licenses(self, names: Iterable[str]) -> Self:
        """Return scenes of collections under one of these licences (in upper or lower case; "none": not stated)."""
        from imagery.models.collection import Collection

        stated = ["" if name.lower() == LICENSE_NOT_STATED else name for name in names]
        under = Collection.objects.filter(_any(Q(license__iexact=name) for name in stated))
        return self.filter(collection__in=under.order_by().values("pk"))


def _box_meets(bbox: BBox) -> models.Func:
    """Return whether the native box of a scene meets ``bbox`` (west <= east), as the index ``scene_box`` knows it."""

    def box(*edges: models.F | models.Value) -> models.Func:
        west, south, east, north = edges
        return models.Func(
            models.Func(west, south, function="point"), models.Func(east, north, function="point"), function="box"
        )

    scene = box(*(models.F(name) for name in ("west", "south", "east", "north")))
    asked = box(*(models.Value(edge) for edge in bbox))
    return models.Func(
        scene, asked, template="(%(expressions)s)", arg_joiner=" && ", output_field=models.BooleanField()
    )


def _any(rules: Iterable[Q]) -> Q:
    """Return the rule that one of ``rules`` holds; without any, nothing passes."""
    every = list(rules)
    found = every[0] if every else Q(pk__in=[])
    for rule in every[1:]:
        found |= rule
    return found


class SceneChildQuerySet(_InCollection):
    """Assets and tiles: seen by whoever sees their scene."""

    collection_path = "scene__collection__"


class JobQuerySet(_InCollection):
    """Ingest jobs: seen by whoever started them and by those who may change their collection."""

    def visible_to(self, user: Viewer) -> Self:
        """Return own jobs in collections still visible, and all jobs of collections one may change."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        own = Q(created_by=user) & _collection_rule(user, self.collection_path)
        return self.filter(own | _collection_rule(user, self.collection_path, writing=True))


class ArchiveFolderQuerySet(_InCollection):
    """Archive folders: their paths tell how the server is laid out, so only those see them who may change their
    collection."""

    def visible_to(self, user: Viewer) -> Self:
        """Return the folders of the collections this person may change."""
        return self.editable_by(user)


class ArchiveFileQuerySet(ArchiveFolderQuerySet):
    """Files of archive folders: seen by whoever sees their folder."""

    collection_path = "folder__collection__"
