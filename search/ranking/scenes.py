"""From tiles to scenes: a scene is worth its whole picture or its best window; further places that match are kept."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_PLACES: Final = 8
"""Further windows of a scene that are told."""
SAME_PLACE: Final = 0.5
"""Two windows show the same place if they share this much of the smaller one's area. Not of the union: a window inside
a larger one has little of the union, and is the same place all the same."""


@dataclass(frozen=True)
class RankedScenes:
    """Scenes, best first, as parallel arrays of length n.

    ``scene_ids`` (UUID), ``tile_ids`` the tile that won, ``scores`` float64 what ordered them, ``similarities`` float64
    the plain cosine of that tile with the query, ``reasons`` one JSON object a scene (``search.ranking.explain``).
    """

    scene_ids: NDArray[np.object_]
    tile_ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    similarities: NDArray[np.float64]
    reasons: list[dict[str, object]]


@dataclass(frozen=True)
class FusedScenes:
    """m scenes, in no order: ``rows`` (m,) of their best tiles, ``scores`` (m,) float64, ``counts`` (m,) of their
    windows among the tiles, and ``places``: for each scene the rows of further windows that match, best first."""

    rows: NDArray[np.intp]
    scores: NDArray[np.float64]
    counts: NDArray[np.int64]
    places: list[NDArray[np.intp]]


def scenes_fuse(
    *, scenes: NDArray[np.integer], windows: NDArray[np.integer], scores: NDArray[np.float64], weight: float
) -> FusedScenes:
    """Group n tiles by scene: score = max(whole, discounted best window); suppress windows of the same place.

    ``scenes`` (n,) are numbers of scenes, ``windows`` (n, 5) level, x, y, width, height. A window loses the part
    ``1 - weight`` of its score (of its size, so that a negative score gets lower too): of two equal matches the whole
    scene is the better answer, and many windows have more chances to match by accident. Of a scene's other windows
    those are kept that score above the middle between its best and the lowest of all tiles, share little area with a
    better one (non-maximum suppression), and are among the 8 best. Equal scores are ordered by row.
    """
    if not len(scores):
        return FusedScenes(np.zeros(0, np.intp), np.zeros(0), np.zeros(0, np.int64), [])
    lowest = scores.min()
    part = windows[:, 0] > 0
    worth = np.where(part, scores - (1.0 - weight) * np.abs(scores), scores)
    order = np.lexsort((np.arange(len(scores)), -worth, scenes))
    starts = np.flatnonzero(np.r_[True, np.diff(scenes[order]) != 0])
    ends = np.append(starts[1:], len(order))
    best = order[starts]
    counts = np.add.reduceat(part[order].astype(np.int64), starts)
    places = [np.zeros(0, np.intp)] * len(best)
    for number in np.flatnonzero(ends - starts > 1):
        group, row = order[starts[number] : ends[number]], best[number]
        above = (scores[row] + lowest) / 2
        places[number] = _other_places(group, best=row, windows=windows, scores=scores, above=above)
    return FusedScenes(rows=best, scores=worth[best], counts=counts, places=places)


def _other_places(
    group: NDArray[np.intp], *, best: int, windows: NDArray[np.integer], scores: NDArray[np.float64], above: float
) -> NDArray[np.intp]:
    kept = [best] if windows[best, 0] > 0 else []
    found: list[int] = []
    for row in group[(windows[group, 0] > 0) & (scores[group] > above) & (group != best)]:
        if len(found) == MOST_PLACES:
            break
        if all(shared_area(windows[row, 1:], windows[other, 1:]) < SAME_PLACE for other in kept):
            kept.append(row)
            found.append(row)
    return np.array(found, dtype=np.intp)


def shared_area(one: NDArray[np.integer], two: NDArray[np.integer]) -> float:
    """Return the area that two windows (x, y, width, height) share, as a part (0 to 1) of the smaller one's."""
    x, y, width, height = one.tolist()
    left, top, wide, high = two.tolist()
    across = min(x + width, left + wide) - max(x, left)
    down = min(y + height, top + high) - max(y, top)
    return max(0, across) * max(0, down) / max(1, min(width * height, wide * high))
