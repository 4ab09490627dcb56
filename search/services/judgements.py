"""Writing down how well a scene answers a judged query."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, NotAllowed
from search.judged.scope import set_scenes
from search.models import Grade, JudgedQuery, JudgedSet, RelevanceJudgement


def judgement_record(*, query: JudgedQuery, user: User, scene_id: UUID, grade: int) -> RelevanceJudgement:
    """Judge a scene for a query, or judge it again: the last word counts.

    Raises NotAllowed when this person may not judge in the set; InvalidInput (field ``grade`` or ``scene``), for a
    hidden scene as for one that does not exist.
    """
    _require_judge(query, user)
    if grade not in Grade.values:
        raise InvalidInput(_("The grade is %(grade)s; it must be 0, 1, 2 or 3.") % {"grade": grade}, field="grade")
    _require_scene(query, user, scene_id)
    judgement, _made = RelevanceJudgement.objects.update_or_create(
        query=query, scene_id=scene_id, defaults={"grade": grade, "judged_by": user}
    )
    return judgement


def judgement_withdraw(*, query: JudgedQuery, user: User, scene_id: UUID) -> None:
    """Take a judgement back; harmless when there is none. Raises as ``judgement_record``."""
    _require_judge(query, user)
    _require_scene(query, user, scene_id)
    RelevanceJudgement.objects.filter(query=query, scene_id=scene_id).delete()


def _require_judge(query: JudgedQuery, user: User) -> None:
    if not JudgedSet.objects.judgeable_by(user).filter(pk=query.judged_set_id).exists():
        raise NotAllowed(_("You may look at “%(name)s”, but not judge in it.") % {"name": query.judged_set.name})


def _require_scene(query: JudgedQuery, user: User, scene_id: UUID) -> None:
    if not set_scenes(query.judged_set, user).filter(pk=scene_id).exists():
        raise InvalidInput(_("There is no such scene in this set's collection, or you may not see it."), field="scene")
