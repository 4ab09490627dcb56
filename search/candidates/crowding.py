"""When one scene's tiles would crowd out other scenes."""

from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

TILES_OF_A_SCENE: Final = 4


def scenes_wanted(k: int) -> int:
    """Return how many scenes ``k`` candidates should come from: a page must not be short because of one big scene."""
    return ceil(k / TILES_OF_A_SCENE)


def crowded(scene_ids: NDArray[np.object_], *, k: int) -> bool:
    """Return whether ``k`` tiles were found, and they belong to fewer scenes than wanted."""
    return len(scene_ids) >= k and len(set(scene_ids.tolist())) < scenes_wanted(k)
