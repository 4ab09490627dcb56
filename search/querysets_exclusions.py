"""Query verbs of excluded feedback: people are excluded by superusers, scenes by whoever looks after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models

from imagery.models import Scene

if TYPE_CHECKING:
    from imagery.querysets import Viewer


class FeedbackExclusionQuerySet(models.QuerySet[Any]):
    """Exclusions: who may lift one may see it."""

    def visible_to(self, user: Viewer) -> Self:
        """Return all for superusers, and for others those of scenes that they may change."""
        if user.is_active and user.is_superuser:
            return self.all()
        return self.filter(scene__in=Scene.objects.editable_by(user).order_by().values("pk"))

    def editable_by(self, user: Viewer) -> Self:
        """Return those that this person may lift."""
        return self.visible_to(user)
