"""Random views of training images: what an aerial picture may undergo without its caption becoming wrong.

Aerial pictures have no up: all eight flips and quarter turns are equally likely. Crops keep at least
`_SMALLEST_AREA` of the picture, because captions speak of the whole. Colours vary as sensors, hazes and
seasons do; a few views lose their colour (panchromatic) or sharpness (a coarser ground sample distance).

This module imports torch: import it inside functions only.
"""

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from .pixels import normalised

_SMALLEST_AREA: Final = 0.55
_LARGEST_ASPECT: Final = 4 / 3
_COLOUR_STRENGTH: Final = 0.2
_CHANNEL_STRENGTH: Final = 0.08
_GREY_SHARE: Final = 0.05
_COARSE_SHARE: Final = 0.1
_COARSE_FACTOR: Final = 2


def random_views(pixels: Tensor, *, generator: torch.Generator) -> Tensor:
    """One random view of each picture: (n, S, S, 3) uint8 -> (n, 3, S, S) float32 normalised for the backbone."""
    x = pixels.permute(0, 3, 1, 2).float()
    x = _warp(x, generator=generator)
    x = _recolour(x / 255.0, generator=generator)
    x = _coarsen(x, generator=generator)
    return normalised(x.clamp(0.0, 1.0) * 255.0)


def _uniform(count: int, low: float, high: float, *, like: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(count, generator=generator) * (high - low) + low
    return drawn.to(like.device)


def _warp(x: Tensor, *, generator: torch.Generator) -> Tensor:
    """A random crop, flip and quarter turn in one bilinear resampling."""
    n = len(x)
    area = _uniform(n, _SMALLEST_AREA, 1.0, like=x, generator=generator)
    limit = math.log(_LARGEST_ASPECT)
    aspect = torch.exp(_uniform(n, -limit, limit, like=x, generator=generator))
    width = torch.sqrt(area * aspect).clamp(max=1.0)
    height = torch.sqrt(area / aspect).clamp(max=1.0)
    shift_x = _uniform(n, -1.0, 1.0, like=x, generator=generator) * (1.0 - width)
    shift_y = _uniform(n, -1.0, 1.0, like=x, generator=generator) * (1.0 - height)
    turns = torch.randint(4, (n,), generator=generator).to(x.device) * (math.pi / 2)
    mirror = torch.randint(2, (n,), generator=generator).to(x.device) * 2.0 - 1.0
    cos, sin = torch.cos(turns), torch.sin(turns)
    theta = torch.stack(
        [
            torch.stack([width * cos * mirror, -width * sin, shift_x], dim=1),
            torch.stack([height * sin * mirror, height * cos, shift_y], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _recolour(x: Tensor, *, generator: torch.Generator) -> Tensor:
    """Brightness, contrast, saturation and the balance of the channels, on values in 0..1."""
    n = len(x)
    factors = [
        _uniform(n, 1 - _COLOUR_STRENGTH, 1 + _COLOUR_STRENGTH, like=x, generator=generator)[:, None, None, None]
        for _ in range(3)
    ]
    brightness, contrast, saturation = factors
    x = x * brightness
    x = (x - x.mean(dim=(1, 2, 3), keepdim=True)) * contrast + x.mean(dim=(1, 2, 3), keepdim=True)
    grey = x.mean(dim=1, keepdim=True)
    colourless = (_uniform(n, 0.0, 1.0, like=x, generator=generator) < _GREY_SHARE)[:, None, None, None]
    x = grey + (x - grey) * torch.where(colourless, torch.zeros_like(saturation), saturation)
    balance = _uniform(3 * n, 1 - _CHANNEL_STRENGTH, 1 + _CHANNEL_STRENGTH, like=x, generator=generator)
    return x * torch.where(colourless, torch.ones_like(x[:, :, :1, :1]), balance.view(n, 3, 1, 1))


def _coarsen(x: Tensor, *, generator: torch.Generator) -> Tensor:
    """Some pictures as a sensor of half the resolution would have seen them."""
    chosen = (_uniform(len(x), 0.0, 1.0, like=x, generator=generator) < _COARSE_SHARE).nonzero()[:, 0]
    if len(chosen) == 0:
        return x
    small = functional.avg_pool2d(x[chosen], _COARSE_FACTOR)
    x = x.clone()
    x[chosen] = functional.interpolate(small, size=x.shape[-2:], mode="bilinear", align_corners=False)
    return x
