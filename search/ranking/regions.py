"""The finer stage: a tile is worth its whole, or one of its quarters if that matches much better."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TileRegions:
    """The quarters of some candidates: ``rows`` (m,) among the candidates, ``cells`` (m, 4, d) float32 unit rows."""

    rows: NDArray[np.intp]
    cells: NDArray[np.float32]


def regions_score(
    *, scores: NDArray[np.float64], cells: NDArray[np.float32], target: NDArray[np.float32], weight: float
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the scores (m,) of tiles with their quarters, and which quarter won, -1 where the whole did.

    score = max(whole, weight * best quarter); ``scores`` (m,) are cosines of the whole, ``cells`` (m, 4, d) and
    ``target`` (d,) unit rows of the same geometry. Of equal quarters the first wins, of equal quarter and whole the
    whole.
    """
    found = np.asarray(cells @ target, dtype=np.float64)
    best = found.argmax(axis=1)
    worth = weight * found[np.arange(len(found)), best]
    won = worth > scores
    return np.where(won, worth, scores), np.where(won, best, -1)
