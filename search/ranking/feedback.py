"""Feedback: what people did with scenes under queries like this one moves scenes that look like those.

Positives only: a hit that nobody opened is not a bad hit. Fusion as in DESIGN 9.3, a Rocchio query of the liked
scenes (Rocchio 1971) beside the scores, both standardised over the candidates.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from search.ranking.evidence import Evidence, Lessons, Votes
from search.ranking.gates import agreeing, votes_pooled
from search.ranking.normalise import rows_corrected
from search.ranking.pool import Pool
from search.ranking.query import Vector, unit

__all__ = ["Evidence", "Lessons", "Votes", "feedback_step"]

Scores = NDArray[np.float64]

NOTE: Final = "feedback"
MOST_SHARE: Final = 0.6
"""Of the lessons beside the scores, when there are many."""
DOUBT: Final = 2.0
"""Likes that it takes for half of that share."""
PARENT: Final = 5.0
"""Likes that a level counts for in the level below it."""
DISLIKED: Final = 0.25
_MOST_TOLD: Final = 3
_DIGITS: Final = 3
_TINY: Final = 1e-9


@dataclass(frozen=True)
class _Level:
    name: str
    rows: Vector
    weights: NDArray[np.float64]
    lessons: Lessons


def feedback_step(pool: Pool) -> Pool:
    """Move rows towards what was liked, and away from what was disliked (``feedback``); the note says why."""
    evidence = pool.asked.evidence
    if evidence is None or evidence.empty or not pool.scores.std() > _TINY:
        return pool
    levels = _levels(pool, evidence)
    z = _standardised(pool.scores)
    fused, told = z, np.zeros_like(z)
    share = 0.0
    if levels:
        centre, amount = _centre(levels)
        share = pool.asked.settings.feedback.weight * MOST_SHARE * amount / (amount + DOUBT)
        share = min(share, 1.0)
        told = share * _standardised(np.asarray(pool.vectors @ centre, dtype=np.float64))
        fused = (1.0 - share) * z + told
    if len(evidence.disliked):
        against = _rows(pool, evidence.disliked)
        away = evidence.disliked.weights.astype(np.float32) @ against
        taken = DISLIKED * _standardised(np.asarray(pool.vectors @ unit(away), dtype=np.float64))
        fused, told = fused - taken, told - taken
    scores = pool.scores.mean() + pool.scores.std() * fused
    after = replace(pool, scores=np.asarray(scores, dtype=np.float64))
    return after.noted(NOTE, _notes(pool, levels, told=told, plain=(1.0 - share) * z, own=len(evidence.own)))


def _levels(pool: Pool, evidence: Evidence) -> list[_Level]:
    """The levels that have something to say, the nearest first."""
    found = []
    for name, lessons in (("session", evidence.session), ("own", evidence.own)):
        if len(lessons):
            found.append(_Level(name, _rows(pool, lessons), lessons.weights, lessons))
    votes = evidence.everybody
    if len(votes):
        rows = _rows(pool, votes)
        chosen, weights = votes_pooled(vectors=rows, weights=votes.weights, scenes=votes.scene_ids, voters=votes.voters)
        plain = pool.vectors @ pool.target
        matching = rows[chosen] @ pool.target > plain.mean()
        chosen, weights = chosen[matching], weights[matching]
        keep = agreeing(rows[chosen], weights)
        if keep.any():
            found.append(_Level("everybody", rows[chosen[keep]], weights[keep], votes))
    return found


def _rows(pool: Pool, lessons: Lessons) -> Vector:
    """The lessons' vectors in the geometry that is compared."""
    normalise = pool.asked.settings.normalise
    if normalise.active:
        return rows_corrected(lessons.vectors, pool.asked.geometry, share=normalise.weight)
    return lessons.vectors


def _centre(levels: list[_Level]) -> tuple[Vector, float]:
    """The direction of all levels together, each shrunk towards the one behind it, and the likes they stand for."""
    centre, amount = np.zeros(levels[0].rows.shape[1], dtype=np.float32), 0.0
    for level in reversed(levels):
        total = float(level.weights.sum())
        mean = unit(level.weights.astype(np.float32) @ level.rows)
        behind = PARENT if amount else 0.0
        centre = unit(total * mean + behind * centre)
        amount = total + min(amount, PARENT)
    return centre, amount


def _notes(pool: Pool, levels: list[_Level], *, told: Scores, plain: Scores, own: int) -> NDArray[np.object_]:
    notes = np.empty(len(pool.rows), dtype=object)
    level = levels[0].name if levels else "session"
    size = np.abs(told) + np.abs(plain) + _TINY
    shares = np.round(told / size, _DIGITS).tolist()
    likes: list[list[list[Any]]] = [[] for _ in shares]
    nearest = next((each for each in levels if each.name != "everybody"), None)
    if nearest is not None:
        cosines = pool.vectors @ nearest.rows.T
        most = min(_MOST_TOLD, cosines.shape[1])
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :most].tolist()
        told_of = [
            [str(scene), source, deed]
            for scene, source, deed in zip(
                nearest.lessons.scene_ids.tolist(), nearest.lessons.sources, nearest.lessons.deeds, strict=True
            )
        ]
        likes = [[told_of[row] for row in rows] for rows in best]
    for row, (share, like) in enumerate(zip(shares, likes, strict=True)):
        notes[row] = {"share": share, "like": like, "level": level, "own": own}
    return notes


def _standardised(values: Scores) -> Scores:
    spread = values.std()
    return (values - values.mean()) / spread if spread > _TINY else np.zeros_like(values)
