"""The parts of a query beside the whole: clauses add to a score, what must not be there takes away from it.

Scores of different texts are not on one scale, so they are standardised over the candidates before they are added
(weighted composition as in WeiCom: Psomas et al., "Composed Image Retrieval for Remote Sensing", IGARSS 2024, arXiv
2405.15587). A vision-language model hardly knows "not", so what must not be there is compared by itself, and only what
a picture resembles more than the average candidate does counts against it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from search.ranking.normalise import target_corrected
from search.ranking.pool import Asked, Pool
from search.ranking.query import RankClause, Vector

Scores = NDArray[np.float64]

NOTE: Final = "clauses"
"""What the steps note of a row: [[words, what they added to its score], ...]."""
_SHORT: Final = 2  # clauses
_LONG: Final = 6
_TINY: Final = 1e-9
_DIGITS: Final = 3


def clauses_step(pool: Pool) -> Pool:
    """Fuse the scores of the query's clauses with those of the whole; a query without clauses stays as it is."""
    clauses = [clause for clause in pool.asked.query.clauses if clause.weight > 0]
    if not clauses:
        return pool
    weights = [clause.weight for clause in clauses]
    share = pool.asked.settings.clauses.weight
    if not pool.asked.query.stressed:
        share *= length_share(len(clauses))
    if not share:
        return pool
    added = clauses_add(whole=pool.scores, parts=_scores(pool, clauses), weights=weights, share=share)
    return _after(pool, pool.scores + sum(added), clauses, added)


def without_step(pool: Pool) -> Pool:
    """Take away what must not be there; a query that leaves nothing out stays as it is."""
    clauses = [clause for clause in pool.asked.query.clauses if clause.weight < 0]
    if not clauses:
        return pool
    weights = [-clause.weight for clause in clauses]
    gamma = pool.asked.settings.without.weight
    taken = without_take(whole=pool.scores, against=_scores(pool, clauses), weights=weights, gamma=gamma)
    return _after(pool, pool.scores + sum(taken), clauses, taken)


def taken_away(pool: Pool) -> Scores:
    """Return what "without" took from each row of the pool (m,), as it was noted: numbers of at most 0."""
    taken = np.zeros(len(pool.rows))
    for row, told in enumerate(pool.notes[NOTE].tolist() if NOTE in pool.notes else ()):
        taken[row] = sum(min(value, 0.0) for _words, value in told or ())
    return taken


def clauses_add(*, whole: Scores, parts: Sequence[Scores], weights: Sequence[float], share: float) -> list[Scores]:
    """Return what each clause adds to the scores ``whole`` (n,) of the text, in their unit; ``parts`` are (n,) each.

    z(text) becomes (z(text) + ``share`` * mean of z(parts) by weight) / (1 + ``share``).
    """
    total, spread, z = float(sum(weights)), float(whole.std()), standardised(whole)
    return [
        np.asarray(spread * share / (1.0 + share) * (weight / total) * (standardised(each) - z))
        for weight, each in zip(weights, parts, strict=True)
    ]


def length_share(count: int) -> float:
    """Return how much the clauses of a text that nobody weighted count beside it, 0 to 1, by their number.

    0 for one or two, 1 from six: one vector holds a short text as well as its parts do, and the more clauses there are,
    the less it holds of each. Fitted on training captions, alone and two or three joined (docs/search.md).
    """
    return min(max((count - _SHORT) / (_LONG - _SHORT), 0.0), 1.0)


def without_take(*, whole: Scores, against: Sequence[Scores], weights: Sequence[float], gamma: float) -> list[Scores]:
    """Return what each clause that must not be there takes from the scores ``whole`` (n,): numbers of at most 0.

    ``gamma`` * weight * relu(z(against)), in units of the spread of ``whole``.
    """
    spread = float(whole.std())
    return [
        np.asarray(-gamma * weight * spread * np.maximum(standardised(each), 0.0))
        for weight, each in zip(weights, against, strict=True)
    ]


def standardised(scores: Scores) -> Scores:
    """Return scores (n,) with mean 0 and standard deviation 1; equal scores are all 0."""
    spread = scores.std()
    if not spread > _TINY:
        return np.zeros_like(scores)
    return np.asarray((scores - scores.mean()) / spread, dtype=np.float64)


def clause_target(vector: Vector, asked: Asked) -> Vector:
    """Return a clause's vector (d,) in the geometry in which the pool's vectors are compared."""
    if asked.settings.normalise.active and asked.geometry.complete:
        return target_corrected(vector, asked.geometry, share=asked.settings.normalise.weight)
    return vector


def _scores(pool: Pool, clauses: Sequence[RankClause]) -> list[Scores]:
    targets = [clause_target(clause.vector, pool.asked) for clause in clauses]
    return [np.asarray(pool.vectors @ target, dtype=np.float64) for target in targets]


def _after(pool: Pool, scores: Scores, clauses: Sequence[RankClause], parts: Sequence[Scores]) -> Pool:
    told: list[list[Any]] = [[] for _ in pool.rows]
    for row, before in enumerate(pool.notes[NOTE].tolist() if NOTE in pool.notes else ()):
        told[row] += before or []
    for clause, values in zip(clauses, parts, strict=True):
        for row, value in enumerate(np.round(values, _DIGITS).tolist()):
            if value:
                told[row].append([clause.text, value])
    note = np.empty(len(told), dtype=object)
    note[:] = [each or None for each in told]
    return replace(pool, scores=np.asarray(scores, dtype=np.float64)).noted(NOTE, note)
