"""Query verbs of the feedback log: everybody sees only what is kept about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_USER_PATH = {
    "Query": "user",
    "QueryImage": "user",
    "Event": "user",
    "Ranking": "query__user",
    "Impression": "ranking__query__user",
}


class OwnedQuerySet(models.QuerySet[Any]):
    """Rows of the log; each belongs to the person who asked the query."""

    def visible_to(self, user: Viewer) -> Self:
        """Return the rows kept about this person (nothing for anonymous visitors)."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(**{_USER_PATH[self.model.__name__]: user})
