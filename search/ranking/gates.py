"""Which of everybody's votes count. Pooling over people is attacked, so what is pooled passes gates first.

A vote counts if at least two persons gave it to that scene, the scene matches the query better than the average
candidate, and it agrees with what others voted for. Nobody has more than one vote on a scene, and no scene weighs more
than five likes (DESIGN 9.4 has what happens without each of these).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FEWEST_VOTERS: Final = 2
MOST_WEIGHT: Final = 5.0
LEAST_AGREEING: Final = 0.2
"""The part of the scenes that is dropped, those least like the others."""


def votes_pooled(
    *,
    vectors: NDArray[np.float32],
    weights: NDArray[np.float64],
    scenes: NDArray[np.object_],
    voters: NDArray[np.int64],
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return one row (into the n votes) and a weight for each scene that enough persons voted for.

    Of several votes of one person on a scene the one that weighs most counts.
    """
    best: dict[object, dict[int, tuple[float, int]]] = {}
    for row, (scene, voter, weight) in enumerate(zip(scenes.tolist(), voters.tolist(), weights.tolist(), strict=True)):
        known = best.setdefault(scene, {})
        if voter not in known or known[voter][0] < weight:
            known[voter] = (weight, row)
    kept = [votes for votes in best.values() if len(votes) >= FEWEST_VOTERS]
    rows = np.array([min(row for _weight, row in votes.values()) for votes in kept], dtype=np.intp)
    sums = np.array([min(sum(weight for weight, _row in votes.values()), MOST_WEIGHT) for votes in kept])
    return rows, sums


def agreeing(vectors: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of n scenes (n, d) stay when a fifth of them, those least like the others, is dropped."""
    count = len(weights)
    if count < 3:
        return np.ones(count, dtype=bool)
    centre = weights.astype(np.float32) @ vectors
    others = vectors @ centre - weights * np.einsum("ij,ij->i", vectors, vectors)
    dropped = int(np.ceil(LEAST_AGREEING * count))
    keep = np.ones(count, dtype=bool)
    keep[np.argsort(others, kind="stable")[:dropped]] = False
    return keep
