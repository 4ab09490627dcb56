"""The built-in image tower with the quarters of its maps pooled and projected like the whole.

This module imports torch: import it inside functions only, never on the start of a web process.
"""

import torch
from torch import Tensor, nn

from imagery.encoders.regions import GRID

from .model import ImageTower


class RegionTower(nn.Module):
    """(n, 3, 224, 224) normalised pixels -> (n, 5 * dimension): unit rows of the whole and of each quarter."""

    def __init__(self, tower: ImageTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        middle, last = self.tower.backbone(pixels)
        cells = [(row, column) for row in range(GRID) for column in range(GRID)]
        maps = [(middle, last), *((_cell(middle, *cell), _cell(last, *cell)) for cell in cells)]
        # Through the head together: one large product instead of five small ones.
        return self.tower.project(torch.stack([self.tower.pooled(each) for each in maps], dim=1)).flatten(1)


def _cell(plane: Tensor, row: int, column: int) -> Tensor:
    """A quarter of a map (n, c, h, w); where the side is odd, both quarters have the middle line."""
    height, width = plane.shape[2:]
    rows = slice(height * row // GRID, -(-height * (row + 1) // GRID))
    return plane[:, :, rows, width * column // GRID : -(-width * (column + 1) // GRID)]
