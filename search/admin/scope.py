"""Who sees which part of the feedback log in the administration (``docs/admin.md`` tells curators).

What somebody searched for is personal. So queries and rankings are seen by the person and by superusers only.
What was shown and opened is also seen by whoever may change the scene's collection, without the person, the
words and the ranking: those columns are emptied in the database query itself, not in a template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Case, CharField, F, Q, QuerySet, UUIDField, When

from imagery.models import Scene

if TYPE_CHECKING:
    from django.db.models import Model

    from rsportal.accounts.models import User


def own_log(model: type[Model], user: User) -> QuerySet[Any]:
    """Return the queries or rankings of this person; of everybody for superusers."""
    manager = model._default_manager
    return manager.all() if user.is_superuser else manager.visible_to(user)  # type: ignore[attr-defined]


def shown_log(model: type[Model], user: User, *, path: str) -> QuerySet[Any]:
    """Return the impressions or events this person may see, with the words and name emptied where not theirs.

    ``path`` leads from the row to its impression (``""`` or ``"impression__"``). Adds ``scene_title``, ``asked``
    (the words), ``asker`` (the user name) and ``ranking_pk``; the last three are null for other people's rows
    unless the viewer is a superuser.
    """
    asker = f"{path}ranking__query__user"
    rows = model._default_manager.all()
    if not user.is_superuser:
        own = Q(**{asker: user, f"{path}scene__in": Scene.objects.visible_to(user).values("pk")})
        rows = rows.filter(own | Q(**{f"{path}scene__in": Scene.objects.editable_by(user).values("pk")}))
    known = Q() if user.is_superuser else Q(**{asker: user})

    def shown(name: str, output: Any) -> Any:
        value = F(f"{path}ranking__{name}")
        return value if user.is_superuser else Case(When(known, then=value), default=None, output_field=output)

    return rows.annotate(
        scene_title=F(f"{path}scene__title"),
        scene_pk=F(f"{path}scene_id"),
        asked=shown("query__text", CharField()),
        asker=shown("query__user__username", CharField()),
        ranking_pk=shown("pk", UUIDField()),
    )
