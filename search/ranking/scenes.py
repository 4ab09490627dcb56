"""From tiles to scenes: a scene is worth its whole picture or its best window, whichever matches better."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RANKER_VERSION: Final = "cosine-1"
# A window wins only when it matches clearly better: of two equal matches the whole scene is the better answer,
# and many windows have more chances to match by accident.
WINDOW_WEIGHT: Final = 0.95


@dataclass(frozen=True)
class RankedScenes:
    """Scenes, best first, as parallel arrays of length n: ids (UUID), the tile that won, its score (float64)."""

    scene_ids: NDArray[np.object_]
    tile_ids: NDArray[np.int64]
    scores: NDArray[np.float64]


def scenes_rank(
    *,
    tile_ids: NDArray[np.int64],
    scene_ids: NDArray[np.object_],
    whole: NDArray[np.bool_],
    similarities: NDArray[np.float64],
    limit: int,
) -> RankedScenes:
    """Group tiles by scene: score = max(whole, 0.95 * best window). All inputs have shape (n,).

    The tile that gave the score is kept (it is the window that is shown). Equal scores are ordered by tile id,
    so that the same input always gives the same order.
    """
    scores = np.where(whole, similarities, WINDOW_WEIGHT * similarities)
    order = np.lexsort((tile_ids, -scores))
    seen: set[object] = set()
    kept = [row for row in order if not (scene_ids[row] in seen or seen.add(scene_ids[row]))][:limit]  # type: ignore[func-returns-value]
    rows = np.array(kept, dtype=np.intp)
    return RankedScenes(scene_ids=scene_ids[rows], tile_ids=tile_ids[rows], scores=scores[rows])
