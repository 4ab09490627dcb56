"""When one scene's tiles would crowd out other scenes.

Four tiles a scene say where in it the match is; hundreds would leave pages with a handful of scenes. So ``k``
candidates come from at least k/4 scenes, if that many match.
"""

from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

TILES_OF_A_SCENE: Final = 4


def scenes_wanted(k: int) -> int:
    """Return how many scenes ``k`` candidates should come from."""
    return ceil(k / TILES_OF_A_SCENE)


def scenes_of(scene_ids: NDArray[np.object_]) -> int:
    """Return how many scenes the tiles (n,) belong to."""
    return len(set(scene_ids.tolist()))


def crowded(scene_ids: NDArray[np.object_], *, k: int) -> bool:
    """Return whether ``k`` tiles were found (more may match), and they belong to fewer scenes than wanted."""
    return len(scene_ids) >= k and scenes_of(scene_ids) < scenes_wanted(k)


def spread(scene_ids: NDArray[np.object_], *, k: int) -> NDArray[np.intp]:
    """Return which ``k`` of the tiles (n,), nearest first, to take: four of each scene, then what is next.

    The indices come in rising order, so that what is taken is nearest first, too.
    """
    seen: dict[object, int] = {}
    places = np.empty(len(scene_ids), dtype=np.intp)
    for index, scene in enumerate(scene_ids.tolist()):
        places[index] = seen[scene] = seen.get(scene, -1) + 1
    order = np.argsort(places >= TILES_OF_A_SCENE, kind="stable")
    return np.sort(order[:k])
