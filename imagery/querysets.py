"""Query verbs of the catalogue. ``visible_to`` is the one permission rule for every read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from rsportal.accounts.models import User

    Viewer: TypeAlias = User | AnonymousUser

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

    def captured_between(self, start: datetime | None, end: datetime | None) -> Self:
        """Return scenes acquired within [start, end] (either may be open); undated scenes only when both are."""
        rows = self
        if start is not None:
            rows = rows.filter(Q(datetime__gte=start) | Q(end_datetime__gte=start))
        if end is not None:
            rows = rows.filter(Q(datetime__lte=end) | Q(start_datetime__lte=end))
        return rows

    def in_bbox(self, bbox: BBox) -> Self:
        """Return scenes whose bounding box meets ``bbox`` (both may cross the antimeridian)."""
        west, south, east, north = bbox
        rows = self.filter(south__lte=north, north__gte=south)
        if west <= east:
            plain = Q(west__lte=models.F("east")) & Q(west__lte=east, east__gte=west)
            crossing = Q(west__gt=models.F("east")) & (Q(west__lte=east) | Q(east__gte=west))
            return rows.filter(plain | crossing)
        plain = Q(west__lte=models.F("east")) & (Q(east__gte=west) | Q(west__lte=east))
        return rows.filter(plain | Q(west__gt=models.F("east")))


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
