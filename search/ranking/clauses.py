"""The parts of a query beside the whole: clauses add to a score, what must not be there takes away from it.

Scores of different texts are not on one scale, so they are standardised over the candidates before they are added
(WeiCom: Psomas et al., "Composed Image Retrieval for Remote Sensing", IGARSS 2024, arXiv 2405.15587). A vision-language
model hardly knows "not", so what must not be there is compared by itself, and only what it resembles more than the
average candidate does counts against a picture.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.ranking.normalise import target_corrected
from search.ranking.pool import Asked, Pool
from search.ranking.query import Vector

Scores = NDArray[np.float64]

_TINY: Final = 1e-9


def clauses_step(pool: Pool) -> Pool:
    """Fuse the scores of the query's clauses with those of the whole; a query without clauses stays as it is."""
    asked = pool.asked
    wanted = [clause for clause in asked.query.clauses if clause.weight > 0]
    denied = [clause for clause in asked.query.clauses if clause.weight < 0]
    if not wanted and not denied:
        return pool
    parts = [np.asarray(pool.vectors @ target_of(clause.vector, asked), dtype=np.float64) for clause in wanted]
    against = [np.asarray(pool.vectors @ target_of(clause.vector, asked), dtype=np.float64) for clause in denied]
    scores = clauses_fuse(
        whole=pool.scores,
        parts=parts,
        weights=[clause.weight for clause in wanted],
        against=against,
        strengths=[-clause.weight for clause in denied],
        share=asked.settings.clauses.weight,
        gamma=asked.settings.without.weight,
    )
    after = replace(pool, scores=scores)
    for clause, values in zip([*wanted, *denied], [*parts, *against], strict=True):
        sign = "clause" if clause.weight > 0 else "without"
        after = after.noted(f"{sign}:{clause.text}", np.round(standardised(values), 2))
    return after


def target_of(vector: Vector, asked: Asked) -> Vector:
    """Return a clause's vector (d,) in the geometry in which the pool's vectors are compared."""
    if asked.settings.normalise.active and asked.geometry.complete:
        return target_corrected(vector, asked.geometry, share=asked.settings.normalise.weight)
    return vector


def clauses_fuse(
    *,
    whole: Scores,
    parts: Sequence[Scores],
    weights: Sequence[float],
    against: Sequence[Scores],
    strengths: Sequence[float],
    share: float,
    gamma: float,
) -> Scores:
    """Return one score (n,) a candidate, in the unit and at the level of ``whole``.

    z = (z(whole) + a * mean of z(parts) by weight) / (1 + a), a = ``share`` * (1 - 1 / number of parts): a single clause
    says what the whole says, and the more clauses there are the less the one vector of the whole holds of each. A single
    part that a person weighted counts with ``share`` itself. Then - ``gamma`` * sum of strength * relu(z(against)).
    """
    mean, spread = float(whole.mean()), float(whole.std())
    fused = standardised(whole)
    if parts:
        count = len(parts)
        a = share * (1.0 - 1.0 / count if count > 1 else 1.0)
        total = sum(weights)
        parted = sum(weight * standardised(each) for weight, each in zip(weights, parts, strict=True)) / total
        fused = (fused + a * parted) / (1.0 + a)
    for strength, each in zip(strengths, against, strict=True):
        fused = fused - gamma * strength * np.maximum(standardised(each), 0.0)
    return np.asarray(mean + spread * fused, dtype=np.float64)


def standardised(scores: Scores) -> Scores:
    """Return scores (n,) with mean 0 and standard deviation 1; equal scores are all 0."""
    spread = scores.std()
    if not spread > _TINY:
        return np.zeros_like(scores)
    return np.asarray((scores - scores.mean()) / spread, dtype=np.float64)
