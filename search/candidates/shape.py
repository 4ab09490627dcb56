"""What the retrieval hands to the ranking: tiles as parallel arrays."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from django.db import models
from numpy.typing import NDArray

MAX_CANDIDATES: Final = 1_000
MAX_CANDIDATE_SCENES: Final = MAX_CANDIDATES
"""A ranking has no more scenes than there are candidate tiles."""


class Route(models.TextChoices):
    """How the candidates were found."""

    EXACT = "exact"  # Every row that passes was compared.
    INDEX = "index"  # The encoder's index was asked.


@dataclass(frozen=True)
class Candidates:
    """Tiles as parallel arrays of length n <= 1,000, nearest first; equal distances are ordered by tile id.

    ``tile_ids`` int64 (n,); ``scene_ids`` object UUID (n,); ``windows`` int32 (n, 5): level, x, y, width, height in
    pixels of the scene's full resolution, level 0 is the whole scene; ``distances`` float64 (n,): cosine distance to
    the vector that was asked, 0 same direction to 2 opposite; ``vectors`` float32 (n, d): the stored unit rows.
    ``searched`` is the number of scenes that pass permission and filters and have vectors; ``estimated`` says that it
    is an estimate. ``route`` is a :class:`Route`.
    """

    tile_ids: NDArray[np.int64]
    scene_ids: NDArray[np.object_]
    windows: NDArray[np.int32]
    distances: NDArray[np.float64]
    vectors: NDArray[np.float32]
    searched: int
    estimated: bool
    route: str

    def __len__(self) -> int:
        return len(self.tile_ids)

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Whether each tile is its whole scene, (n,)."""
        return self.windows[:, 0] == 0
