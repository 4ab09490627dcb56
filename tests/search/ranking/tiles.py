"""Candidates made by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WHOLE = (0, 0, 0, 64, 64)


@dataclass(frozen=True)
class Tiles:
    """What the pipeline reads of ``search.candidates.Candidates``."""

    tile_ids: NDArray[np.int64]
    scene_ids: NDArray[np.object_]
    windows: NDArray[np.int32]
    vectors: NDArray[np.float32]


def tiles(
    vectors: Any, *, scenes: Sequence[Any] | None = None, windows: Sequence[Any] | None = None, first_id: int = 1
) -> Tiles:
    """Return one whole-scene tile a row of ``vectors`` unless told otherwise; rows become unit vectors."""
    rows = np.asarray(vectors, dtype=np.float32)
    count = len(rows)
    return Tiles(
        tile_ids=np.arange(first_id, first_id + count, dtype=np.int64),
        scene_ids=np.array(scenes if scenes is not None else [f"s{n}" for n in range(count)], dtype=object),
        windows=np.array(windows if windows is not None else [WHOLE] * count, dtype=np.int32).reshape(count, 5),
        vectors=rows / np.maximum(1e-12, np.linalg.norm(rows, axis=1, keepdims=True)),
    )
