"""Query verbs of the judged query sets: who sees a set, who judges in it, who may change it.

A set is its owner's. Shared, it is also seen (or judged) by whoever may see its collection; without a collection it
cannot be shared. Scenes keep their own rule: a judgement of a scene that somebody may not see does not exist for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

from imagery.models import Collection, Scene

if TYPE_CHECKING:
    from imagery.querysets import Viewer


def _rule(user: Viewer, prefix: str, *, sharing: tuple[str, ...]) -> Q:
    """Return the predicate on a row's set (``prefix`` is the path to it): its owner, or shared in one of these ways."""
    if not user.is_authenticated or not user.is_active:
        return Q(pk__in=[])
    if user.is_superuser:
        return Q()
    own = Q(**{f"{prefix}owner": user})
    if not sharing:
        return own
    seen = Collection.objects.visible_to(user).order_by().values("pk")
    return own | Q(**{f"{prefix}sharing__in": sharing, f"{prefix}collection__in": seen})


class JudgedSetQuerySet(models.QuerySet[Any]):
    """Judged sets, and (``set_path`` leads to the set) their queries."""

    set_path = ""

    def visible_to(self, user: Viewer) -> Self:
        """Return the rows this person may see."""
        return self.filter(_rule(user, self.set_path, sharing=("view", "judge")))

    def judgeable_by(self, user: Viewer) -> Self:
        """Return the rows this person may judge scenes for."""
        return self.filter(_rule(user, self.set_path, sharing=("judge",)))

    def editable_by(self, user: Viewer) -> Self:
        """Return the rows this person may change or delete: the owner's, all for superusers."""
        return self.filter(_rule(user, self.set_path, sharing=()))


class JudgedQueryQuerySet(JudgedSetQuerySet):
    """Queries of a set."""

    set_path = "judged_set__"


class RelevanceJudgementQuerySet(JudgedSetQuerySet):
    """Judgements: seen by whoever sees both the set and the scene."""

    set_path = "query__judged_set__"

    def visible_to(self, user: Viewer) -> Self:
        """Return the judgements of sets and scenes that this person may see."""
        scenes = Scene.objects.visible_to(user).order_by().values("pk")
        rows = super().visible_to(user)
        return rows if getattr(user, "is_superuser", False) else rows.filter(scene__in=scenes)


class RankingRunQuerySet(JudgedSetQuerySet):
    """Runs: their scores tell of every scene that the runner saw.

    So they are the runner's own, and of those who see the set and the collection that the run was bound to.
    """

    set_path = "judged_set__"

    def visible_to(self, user: Viewer) -> Self:
        """Return the runs this person may see."""
        rows = super().visible_to(user)
        if not user.is_authenticated or user.is_superuser:
            return rows
        seen = Collection.objects.visible_to(user).order_by().values("pk")
        return rows.filter(Q(user=user) | Q(collection__in=seen))
