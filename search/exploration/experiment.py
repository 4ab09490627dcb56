"""Which experiment a search of a person takes part in: a trial of two rankers, swaps of neighbours, or none."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from search.exploration.learnable import LEARNABLE
from search.exploration.swaps import swaps_draw
from search.models import Query, RankerTrial
from search.query import SearchRequest

if TYPE_CHECKING:
    from rsportal.accounts.models import User

_CHANNELS: Final = (Query.Channel.WEB, Query.Channel.API)
_SALT: Final = "search.exploration"
_STATE: Final = f"""
SELECT {LEARNABLE.format(user="%(user)s")}, trial.id, trial.share, trial.ranking
FROM (SELECT 1) AS always LEFT JOIN search_rankertrial trial ON trial.state = %(running)s
"""


@dataclass(frozen=True)
class Trial:
    """The running trial: its id, and the stage settings of B (``RankerTrial.ranking``)."""

    pk: int
    ranking: dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """What is tried on a search: ``trial`` of two rankers, or else swaps with the chance ``share`` (0: none).

    ``chance`` decides, the same for the same question of the same person for a day: a page that is asked again, or
    ranked again after a like, does not change for a reason that nobody can see. ``key`` is what the key of the answer
    must know: within a trial no answer is anybody else's.
    """

    trial: Trial | None
    share: float
    seed: bytes
    key: str

    def chance(self) -> np.random.Generator:
        """Return the generator that decides, in its first state."""
        return np.random.default_rng(list(self.seed))

    def swaps(self, hits: int) -> list[int]:
        """Return the upper ranks of the pairs to exchange in a ranking of so many hits."""
        return swaps_draw(hits=hits, share=self.share, chance=self.chance()) if self.share else []


NOTHING: Final = Experiment(trial=None, share=0.0, seed=b"", key="")


def experiment_of(*, user: User, request: SearchRequest, channel: str) -> Experiment:
    """Return what is tried on this search, in one statement.

    Searches on the web and by the API take part, unless the person does not let everybody's results learn from theirs,
    or an administrator excluded them: what they saw would not be counted, so they see the ranking as it was computed.
    Commands and evaluations never do.
    """
    if channel not in _CHANNELS:
        return NOTHING
    with connection.cursor() as cursor:
        cursor.execute(_STATE, {"user": user.pk, "running": RankerTrial.State.RUNNING})
        learnable, trial_id, trial_share, ranking = cursor.fetchone()
    if not learnable:
        return NOTHING
    told = f"{user.pk} {channel} {timezone.now().date()} {request!r}"
    if trial_id is not None and takes_part(trial_id=trial_id, user_id=user.pk, share=trial_share):
        trial = Trial(pk=trial_id, ranking=json.loads(ranking))
        seed = salted_hmac(_SALT, f"trial {trial_id} {told}", algorithm="sha256").digest()
        return Experiment(trial=trial, share=0.0, seed=seed, key=f"trial {trial_id} of {user.pk} by {channel}")
    seed = salted_hmac(_SALT, f"swaps {told}", algorithm="sha256").digest()
    return Experiment(trial=None, share=settings.SEARCH_EXPLORE, seed=seed, key="")


def takes_part(*, trial_id: int, user_id: int, share: float) -> bool:
    """Tell whether a person is one of those with whom a trial is made: always the same ones, others in each trial."""
    digest = hashlib.sha256(f"trial {trial_id} user {user_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64
