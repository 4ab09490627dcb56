"""The two towers of the built-in encoder as torch modules, for training and for the image side in use.

This module imports torch: import it inside functions only, never on the start of a web process.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .efficientnet import HEAD_CHANNELS, MIDDLE_CHANNELS, EfficientNetLite0
from .sentences import FEATURE_DIMENSION

# The width of the shipped encoder; a student of another encoder has its teacher's.
DIMENSION: Final = 384
# Two numbers of each channel of both maps.
POOLED_CHANNELS: Final = 2 * (HEAD_CHANNELS + MIDDLE_CHANNELS)
_IMAGE_HIDDEN: Final = 1024
_TEXT_HIDDEN: Final = 768
_SMALLEST_SPREAD: Final = 1e-3


class Head(nn.Module):
    """A linear map plus a small two-layer network that starts at zero: (n, inputs) -> (n, dimension) unit rows."""

    def __init__(self, inputs: int, hidden: int, *, dropout: float, dimension: int = DIMENSION) -> None:
        super().__init__()
        self.dimension = dimension
        self.linear = nn.Linear(inputs, dimension)
        self.up = nn.Linear(inputs, hidden)
        self.down = nn.Linear(hidden, dimension, bias=False)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(x)
        hidden = self.dropout(functional.gelu(self.up(x), approximate="tanh"))
        return functional.normalize(self.linear(x) + self.down(hidden), dim=-1)


class ImageTower(nn.Module):
    """(n, 3, 224, 224) normalised pixels -> (n, dimension) unit rows.

    Mean and maximum of the map at 1/32 of the size, mean and standard deviation of the map at 1/16, are joined: the
    first map knows the scene and, by its maxima, the single thing in it; the second knows the texture.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, *, dropout: float = 0.0, dimension: int = DIMENSION) -> None:
        super().__init__()
        self.backbone = EfficientNetLite0()
        self.head = Head(POOLED_CHANNELS, _IMAGE_HIDDEN, dropout=dropout, dimension=dimension)
        self.register_buffer("centre", torch.zeros(POOLED_CHANNELS))
        self.register_buffer("spread", torch.ones(POOLED_CHANNELS))

    @staticmethod
    def pooled(maps: tuple[Tensor, Tensor]) -> Tensor:
        """The backbone's two maps -> (n, POOLED_CHANNELS)."""
        middle, last = (each.float() for each in maps)
        plane = (2, 3)
        return torch.cat([last.mean(plane), last.amax(plane), middle.mean(plane), middle.std(plane)], dim=1)

    def project(self, pooled: Tensor) -> Tensor:
        """(n, POOLED_CHANNELS) -> unit rows."""
        return self.head((pooled - self.centre) / self.spread)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.project(self.pooled(self.backbone(pixels)))

    def set_statistics(self, pooled: Tensor) -> None:
        """Centre and spread of the pooled channels over the training images."""
        self.centre.copy_(pooled.mean(dim=0))
        self.spread.copy_(pooled.std(dim=0) + _SMALLEST_SPREAD)


class TextTower(nn.Module):
    """(n, FEATURE_DIMENSION) sentence features -> (n, dimension) unit rows. In use this runs in numpy: `text_head`."""

    def __init__(self, *, dropout: float = 0.0, dimension: int = DIMENSION) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(FEATURE_DIMENSION)
        self.head = Head(FEATURE_DIMENSION, _TEXT_HIDDEN, dropout=dropout, dimension=dimension)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(self.norm(features))
