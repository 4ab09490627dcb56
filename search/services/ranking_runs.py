"""Measuring a configuration on a judged set, and keeping what came out."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, NotAllowed
from search.judged.configuration import Configuration
from search.judged.evaluate import Measured, Progress, configuration_measure
from search.judged.scope import JudgedRequest
from search.judged.summary import run_summary
from search.models import JudgedSet, RankingRun


def ranking_run_make(
    *,
    judged_set: JudgedSet,
    configuration: Configuration,
    requests: Sequence[JudgedRequest],
    user: User,
    progress: Progress | None = None,
) -> tuple[RankingRun, Measured]:
    """Measure a configuration over the scenes that this person may see, and store the scores query by query.

    ``requests`` are ``set_requests(judged_set, user)``, read once for several configurations. Raises NotAllowed when
    the set is not theirs to see, InvalidInput (field ``judged_set``) if no query has a relevant scene, and what
    ``configuration_measure`` raises.
    """
    if not JudgedSet.objects.visible_to(user).filter(pk=judged_set.pk).exists():
        raise NotAllowed(_("You may not see this set."))
    if not any(grade for row in requests for grade in row.grades.values()):
        raise InvalidInput(
            _("No query of “%(name)s” has a relevant scene that you may see. Judge some first, or import judgements.")
            % {"name": judged_set.name},
            field="judged_set",
        )
    measured = configuration_measure(configuration=configuration, requests=requests, user=user, progress=progress)
    groups = {row.query.key: row.group for row in requests}
    languages = {row.query.key: row.query.language for row in requests}
    run = RankingRun(
        judged_set=judged_set,
        user=user,
        collection=judged_set.collection,
        configuration=configuration.name,
        encoder=configuration.encoder,
        versions=measured.versions,
        scores={
            key: {
                **{name: round(value, 5) for name, value in scores.measures.items()},
                "relevant": scores.relevant,
                "group": groups[key],
                **({"problem": scores.problem} if scores.problem else {}),
            }
            for key, scores in measured.scores.items()
        },
        summary={
            **run_summary(measured.scores, groups=groups, languages=languages),
            "unjudged": len(measured.unjudged),
        },
        searched=measured.searched,
        seconds=measured.seconds,
    )
    run.full_clean()
    run.save()
    return run, measured


def ranking_run_delete(*, run: RankingRun, user: User) -> None:
    """Forget a run. Raises NotAllowed unless it is this person's, or they own the set."""
    if not (user.is_superuser or run.user_id == user.pk or run.judged_set.owner_id == user.pk):
        raise NotAllowed(_("Only who made a run, or owns its set, can delete it."))
    run.delete()
