"""Answers as an experiment shows them: with neighbours exchanged, or two rankers' answers interleaved."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from rsportal.errors import InvalidInput
from search.engine import MOST_CANDIDATES, Answer, Ranker, ranker_of
from search.exploration.experiment import NOTHING, Experiment
from search.exploration.interleave import interleaved
from search.exploration.swaps import head_order
from search.ranking.scenes import RankedScenes

if TYPE_CHECKING:
    from imagery.models import Encoder

_log = structlog.get_logger(__name__)
BETWEEN: Final = "|"
"""Between the versions of A and B in ``Ranking.ranker``."""


@dataclass(frozen=True)
class Shown:
    """An answer in the order in which it is shown, and what was tried on it: fields of ``Ranking``."""

    answer: Answer
    swapped_ranks: list[int]
    swap_share: float
    trial_id: int | None
    teams: list[int]


def trial_ranker(encoder: Encoder, experiment: Experiment) -> tuple[Experiment, Ranker | None]:
    """Return the experiment with the ranker B of its trial (None: there is no trial).

    Settings that this version of the portal cannot use end in the log of the process, and the search is answered
    without an experiment: somebody who looks for a picture is not the one to tell.
    """
    if experiment.trial is None:
        return experiment, None
    try:
        return experiment, ranker_changed(encoder, experiment.trial.ranking)
    except InvalidInput as error:
        _log.error("trial_settings_unusable", trial=experiment.trial.pk, reason=error.message)
        return NOTHING, None


def ranker_changed(encoder: Encoder, ranking: dict[str, object]) -> Ranker:
    """Return how the encoder's candidates are ranked with these settings in place of its own (``Encoder.ranking``).

    Raises InvalidInput (field ``ranking``).
    """
    changed = copy.copy(encoder)
    changed.ranking = ranking
    return ranker_of(changed)


def answer_swapped(answer: Answer, experiment: Experiment) -> Shown:
    """Return the answer with the neighbours exchanged that the experiment draws."""
    ranked = answer.ranked
    swaps = experiment.swaps(len(ranked.scores))
    shown = replace(answer, ranked=ranked_swapped(ranked, swaps)) if swaps else answer
    return Shown(answer=shown, swapped_ranks=swaps, swap_share=experiment.share, trial_id=None, teams=[])


def answers_interleaved(
    first: Answer, second: Answer, experiment: Experiment, *, limit: int = MOST_CANDIDATES
) -> Shown:
    """Return the answers of A and of B as one. Raises ValueError for an experiment that is no trial."""
    if experiment.trial is None:
        raise ValueError("Answers are interleaved in a trial only.")
    ranked, teams = interleaved(first.ranked, second.ranked, chance=experiment.chance(), most=limit)
    answer = replace(
        first,
        ranked=ranked,
        ranker=replace(first.ranker, version=f"{first.ranker.version}{BETWEEN}{second.ranker.version}"),
        final=first.final and second.final,
        learnt=first.learnt if second.learnt is None else second.learnt,  # Of one state; None where the stage is off.
        took_ms=_summed(first.took_ms, second.took_ms),
    )
    return Shown(answer=answer, swapped_ranks=[], swap_share=0.0, trial_id=experiment.trial.pk, teams=teams.tolist())


def ranked_swapped(ranked: RankedScenes, swaps: list[int]) -> RankedScenes:
    """Return the ranking with the hits at these ranks and the next exchanged, and all that is said of them."""
    head = head_order(hits=len(ranked.scores), was=[], wanted=swaps)
    order = [rank - 1 for rank in head] + list(range(len(head), len(ranked.scores)))
    return RankedScenes(
        scene_ids=ranked.scene_ids[order],
        tile_ids=ranked.tile_ids[order],
        scores=ranked.scores[order],
        similarities=ranked.similarities[order],
        reasons=[ranked.reasons[place] for place in order],
    )


def _summed(one: dict[str, float], two: dict[str, float]) -> dict[str, float]:
    return {name: round(one.get(name, 0.0) + two.get(name, 0.0), 2) for name in {**one, **two}}
