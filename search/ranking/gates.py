"""Which lessons are believed. Pooling over people is attacked, so what is pooled passes gates first.

A scene counts if at least two persons voted for it, nobody has more than one vote on a scene, and no scene weighs more
than five likes. Then it must match the query better than the average candidate, and agree with what others voted for;
of fewer than three scenes that are left nobody can say whether they do.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FEWEST_VOTERS: Final = 2
MOST_WEIGHT: Final = 5.0
LEAST_AGREEING: Final = 0.2
"""The part of everybody's scenes that is dropped, those least like the others."""
FEWEST_SCENES: Final = 3
"""Below as many, everybody says nothing."""


def votes_pooled(
    *, weights: NDArray[np.float64], scenes: NDArray[np.object_], voters: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return one row (into the n votes) and one weight for each scene that enough persons voted for.

    Of several votes of one person on a scene the one that weighs most counts.
    """
    votes: dict[object, dict[int, float]] = {}
    first: dict[object, int] = {}
    for row, (scene, voter, weight) in enumerate(zip(scenes.tolist(), voters.tolist(), weights.tolist(), strict=True)):
        first.setdefault(scene, row)
        known = votes.setdefault(scene, {})
        known[voter] = max(weight, known.get(voter, 0.0))
    kept = [scene for scene, each in votes.items() if len(each) >= FEWEST_VOTERS]
    rows = np.array([first[scene] for scene in kept], dtype=np.intp)
    return rows, np.array([min(sum(votes[scene].values()), MOST_WEIGHT) for scene in kept], dtype=np.float64)


def agreeing(vectors: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of n scenes (n, d) stay when a fifth of them, those least like the others, is dropped.

    Of fewer than three none stays: with nobody to disagree with, the scene of a few attackers would be all there is.
    """
    keep = np.full(len(weights), len(weights) >= FEWEST_SCENES)
    if not keep.any():
        return keep
    centre = weights.astype(np.float32) @ vectors
    others = vectors @ centre - weights * np.einsum("ij,ij->i", vectors, vectors)
    keep[np.argsort(others, kind="stable")[: int(np.ceil(LEAST_AGREEING * len(weights)))]] = False
    return keep


def matching(
    lessons: NDArray[np.float32], *, candidates: NDArray[np.float32], target: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Return which lessons (l,) match the query better than the average candidate does.

    ``lessons`` (l, d), ``candidates`` (n, d) and ``target`` (d,) are unit rows of one geometry.
    """
    return np.asarray(lessons @ target > float((candidates @ target).mean()))
