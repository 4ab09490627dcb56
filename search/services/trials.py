"""Trials of a second way to rank: writing one, starting it, ending it."""

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.models import Encoder
from imagery.models.encoder import HEAVY_FIELDS
from imagery.services.encoders import encoder_active
from rsportal.accounts.models import User
from rsportal.errors import Conflict, InvalidInput
from search.engine import ranker_of
from search.exploration.shown import ranker_changed
from search.models import RankerTrial
from search.ranking.stages import stage_settings

_FIELDS: Final = ("name", "ranking", "share")


def trial_ranking_check(ranking: Mapping[str, Any]) -> None:
    """Raise InvalidInput (field ``ranking``) unless these are settings of stages, as in ``Encoder.ranking``."""
    active = Encoder.objects.filter(state=Encoder.State.ACTIVE).defer(*HEAVY_FIELDS).first()
    stage_settings(kind=active.kind if active else "", ranking=ranking)


def trial_create(*, user: User, name: str, ranking: Mapping[str, Any], share: float) -> RankerTrial:
    """Write down a trial; nothing runs yet. Raises InvalidInput (field ``ranking``) and ValidationError."""
    trial_ranking_check(ranking)
    trial = RankerTrial(name=name, ranking=dict(ranking), share=share, created_by=user)
    trial.full_clean(exclude=["created_by"])
    trial.save()
    return trial


def trial_update(*, trial: RankerTrial, **changes: Any) -> RankerTrial:
    """Change ``name``, ``ranking`` or ``share``; of a trial that was started, the name only.

    What was compared must stay what it says. Raises Conflict, InvalidInput (field ``ranking``) and ValidationError.
    """
    if unknown := changes.keys() - set(_FIELDS):
        raise ValueError(f"A trial has no {', '.join(sorted(unknown))} to change.")
    if "ranking" in changes:
        trial_ranking_check(changes["ranking"])
    with transaction.atomic():
        row = _locked(trial)
        if row.state != RankerTrial.State.DRAFT and changes.keys() - {"name"}:
            raise Conflict(
                _("“%(name)s” was started: only its name can be changed. Write a new trial.") % {"name": row.name}
            )
        for name, value in changes.items():
            setattr(row, name, value)
        row.full_clean(exclude=["created_by"])
        row.save(update_fields=list(changes))
    return row


def trial_start(*, trial: RankerTrial) -> RankerTrial:
    """Interleave from now on, for the trial's share of the people.

    Raises Conflict if it was started before or another one runs, InvalidInput (field ``ranking``) if B cannot be used
    or ranks as the active encoder does, and Unavailable without an active encoder.
    """
    with transaction.atomic():
        # All of them, so that two which are started at once follow each other.
        trials = list(RankerTrial.objects.select_for_update(of=("self",)).order_by("pk"))
        row = _locked(trial)
        if row.state != RankerTrial.State.DRAFT:
            raise Conflict(
                _("“%(name)s” was started before. Write a new trial, so that its results are its own.")
                % {"name": row.name}
            )
        other = next((each for each in trials if each.state == RankerTrial.State.RUNNING), None)
        if other is not None:
            raise Conflict(_("“%(name)s” is running. End it first.") % {"name": other.name})
        encoder = encoder_active()
        if ranker_changed(encoder, row.ranking).version == ranker_of(encoder).version:
            raise InvalidInput(
                _("“%(name)s” would rank as the active encoder does already. Change a stage.") % {"name": row.name},
                field="ranking",
            )
        row.state, row.started_at = RankerTrial.State.RUNNING, timezone.now()
        row.save(update_fields=["state", "started_at"])
    return row


def trial_stop(*, trial: RankerTrial) -> RankerTrial:
    """End a running trial; new searches are ranked by the encoder again. Raises Conflict if it does not run."""
    with transaction.atomic():
        row = _locked(trial)
        if row.state != RankerTrial.State.RUNNING:
            raise Conflict(_("“%(name)s” is not running.") % {"name": row.name})
        row.state, row.ended_at = RankerTrial.State.ENDED, timezone.now()
        row.save(update_fields=["state", "ended_at"])
    return row


def trial_delete(*, trial: RankerTrial) -> None:
    """Forget a trial with its results; the searches stay. Raises Conflict while it runs."""
    with transaction.atomic():
        row = _locked(trial)
        if row.state == RankerTrial.State.RUNNING:
            raise Conflict(_("“%(name)s” is running. End it first.") % {"name": row.name})
        row.delete()


def _locked(trial: RankerTrial) -> RankerTrial:
    return RankerTrial.objects.select_for_update(of=("self",)).get(pk=trial.pk)
