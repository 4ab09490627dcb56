"""Query verbs of concepts: who sees one, who changes it, which of its examples somebody may meet.

A concept is its owner's. Shared, it is also seen by whoever may see its collection, as long as its owner may. Scenes
keep their own rule: an example on a scene that somebody may not see does not exist for them, not even in a count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from imagery.models import Collection, CollectionMember, Scene
from imagery.models.collection import Visibility

if TYPE_CHECKING:
    from imagery.querysets import Viewer


def _rule(user: Viewer, prefix: str) -> Q:
    """Return the predicate on a row's concept (``prefix`` is the path to it): one's own, or shared with one."""
    if not user.is_authenticated or not user.is_active:
        return Q(pk__in=[])
    seen = Collection.objects.visible_to(user).order_by().values("pk")
    return Q(**{f"{prefix}owner": user}) | (Q(**{f"{prefix}collection__in": seen}) & _shared(prefix))


def _shared(prefix: str) -> Q:
    """Return the predicate that the owner may (still) see the collection; one who left it shares nothing in it."""
    collection, owner = f"{prefix}collection", f"{prefix}owner"
    member = CollectionMember.objects.filter(collection=OuterRef(collection), user=OuterRef(owner))
    return (
        Q(**{f"{owner}__is_superuser": True})
        | Q(**{f"{collection}__owner": F(owner)})
        | Q(**{f"{collection}__visibility": Visibility.ALL_USERS})
        | Q(Q(**{f"{collection}__visibility": Visibility.MEMBERS}), Exists(member))
    )


class ConceptQuerySet(models.QuerySet[Any]):
    """Concepts."""

    def visible_to(self, user: Viewer) -> Self:
        """Return the concepts this person may use: their own, and those shared in collections they may see."""
        return self.filter(_rule(user, ""))

    def editable_by(self, user: Viewer) -> Self:
        """Return the concepts this person may change, share or delete: their own."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(owner=user)


class ConceptExampleQuerySet(models.QuerySet[Any]):
    """Examples of concepts."""

    def visible_to(self, user: Viewer) -> Self:
        """Return the examples of concepts this person may see, without those on scenes they may not see.

        Pictures of a concept are seen by whoever sees the concept: its owner shared them with it.
        """
        return self.filter(_rule(user, "concept__")).seen_by(user)

    def seen_by(self, user: Viewer) -> Self:
        """Return the examples without those on scenes this person may not see, of concepts they are known to see."""
        # Asked of each example: the ids of all scenes would be read to look for fifty.
        scene = Scene.objects.visible_to(user).ready().filter(pk=OuterRef("scene"))
        return self.filter(Q(Q(image__isnull=False), Exists(scene), _connector=Q.OR))
