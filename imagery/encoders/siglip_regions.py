"""A SigLIP image tower whose attention pool also reads the quarters of its patch tokens.

This module imports torch: import it inside functions only, never on the start of a web process.
"""

from typing import Any

import torch
from torch import Tensor, nn

from .regions import GRID


class SiglipRegionTower(nn.Module):
    """(n, 3, side, side) pixels -> (n, 5 * width): the pooled whole and each quarter, of any length."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.tower = tower
        self.side = tower.config.image_size // tower.config.patch_size

    def forward(self, pixel_values: Tensor) -> Tensor:
        seen = self.tower(pixel_values=pixel_values)
        tokens = seen.last_hidden_state
        plane = tokens.reshape(tokens.shape[0], self.side, self.side, tokens.shape[2])
        edges = [(self.side * cell // GRID, -(-self.side * (cell + 1) // GRID)) for cell in range(GRID)]
        pooled = [seen.pooler_output]
        for top, bottom in edges:
            for left, right in edges:
                pooled.append(self.tower.head(plane[:, top:bottom, left:right].flatten(1, 2)))
        return torch.cat(pooled, dim=1)
