"""The towers that learn, and what their early layers say of the views, kept on disk.

This module imports torch: import it inside functions only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imagery.encoders.base import EncoderKind, EncoderSpec

from .distill_lessons import Lessons
from .distill_options import CACHED_BLOCKS, DistillOptions
from .distill_ridge import fitted
from .distill_store import kept_rows
from .distill_views import BLOCK_IMAGES, view_pixels
from .files import NAME, tensors, weights_file
from .model import Head, ImageTower, TextTower
from .pixels import normalised

_BATCH = 128


@dataclass(frozen=True)
class StudentView:
    """One view of n pictures: `maps` after CACHED_BLOCKS blocks, `pooled` at the end of the untrained backbone.

    Both are float16 and memory-mapped.
    """

    maps: NDArray[np.float16]
    pooled: NDArray[np.float16]


class Student:
    """The built-in architecture of a teacher's width. `image` is None where only texts are learnt."""

    def __init__(self, options: DistillOptions, *, dimension: int, device: torch.device) -> None:
        self.device = device
        self.text = TextTower(dropout=options.text_dropout, dimension=dimension).to(device)
        self.image: ImageTower | None = None
        if not options.text_only:
            self.image = ImageTower(dropout=options.image_dropout, dimension=dimension)
            # Folded from the beginning: the statistics stay as they are, so they may as well be part of the weights.
            self.image.backbone.fold()
            self.image.backbone.load_state_dict(_start_of_backbone(options.start))
            self.image.to(device, memory_format=torch.channels_last)

    @property
    def towers(self) -> list[nn.Module]:
        return [tower for tower in (self.image, self.text) if tower is not None]

    def head_parameters(self) -> list[nn.Parameter]:
        heads: list[nn.Module] = [self.text] if self.image is None else [self.image.head, self.text]
        return [parameter for head in heads for parameter in head.parameters()]

    def late_parameters(self, first: int) -> list[nn.Parameter]:
        """Those of the backbone from block `first` on."""
        assert self.image is not None
        backbone = self.image.backbone
        return [p for m in (*backbone.blocks[first:], backbone.head) for p in m.parameters()]

    # Rows ------------------------------------------------------------------------------------------------------

    def image_rows(self, block: NDArray[np.float16]) -> Tensor:
        """(n, dimension) of a block of a view's `maps` or `pooled`, with gradients where they are asked for."""
        assert self.image is not None
        pooled = self._joined_maps(block) if block.ndim == 4 else torch.from_numpy(block).to(self.device).float()
        return self.image.project(pooled)

    @torch.no_grad()
    def all_image_rows(self, part: NDArray[np.float16]) -> NDArray[np.float32]:
        """(n, dimension) float32 in evaluation mode."""
        assert self.image is not None
        self.image.eval()
        return np.concatenate([self.image_rows(block).cpu().numpy() for block in _blocks(part)])

    @torch.no_grad()
    def all_text_rows(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, dimension) float32 in evaluation mode."""
        self.text.eval()
        blocks = (torch.from_numpy(block).to(self.device) for block in _blocks(features))
        return np.concatenate([self.text(block).cpu().numpy() for block in blocks])

    # Views -----------------------------------------------------------------------------------------------------

    def kept_view(self, pixels: NDArray[np.uint8], view: int, folder: Path, name: str, *, seed: int) -> StudentView:
        """View `view` (0: the picture itself) as the untrained backbone sees it, computed once."""
        assert self.image is not None
        count = len(pixels)

        def early(start: int, _stop: int) -> NDArray[np.float32]:
            return self._maps(view_pixels(pixels, view, start, seed=seed))

        def late(start: int, stop: int) -> NDArray[np.float32]:
            return self._pooled(np.array(maps[start:stop]))

        shape = (count, *self._maps(np.array(pixels[:1])).shape[1:])
        store = folder / f"maps_{name}.npy"
        maps = kept_rows(store, shape=shape, dtype=np.float16, block=BLOCK_IMAGES, compute=early)
        shape = (count, self._pooled(np.array(maps[:1])).shape[1])
        store = folder / f"pooled_{name}.npy"
        pooled = kept_rows(store, shape=shape, dtype=np.float16, block=BLOCK_IMAGES, compute=late)
        return StudentView(maps=maps.astype(np.float16, copy=False), pooled=pooled.astype(np.float16, copy=False))

    @torch.no_grad()
    def _maps(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, S, S, 3) -> what leaves the first CACHED_BLOCKS blocks."""
        assert self.image is not None
        block = normalised(torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float())
        block = block.contiguous(memory_format=torch.channels_last)
        return np.asarray(self.image.backbone.stem_to(block, CACHED_BLOCKS).cpu().numpy())

    @torch.no_grad()
    def _pooled(self, maps: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray(self._joined_maps(maps).cpu().numpy())

    def _joined_maps(self, maps: NDArray[np.floating]) -> Tensor:
        """Maps after CACHED_BLOCKS blocks -> pooled channels at the end of the backbone."""
        assert self.image is not None
        block = torch.from_numpy(maps).to(self.device).float().contiguous(memory_format=torch.channels_last)
        return ImageTower.pooled(self.image.backbone.rest_from(block, CACHED_BLOCKS))

    # The start -------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def set_statistics(self, views: list[StudentView]) -> None:
        """Centre and spread of the pooled channels over all views."""
        assert self.image is not None
        self.image.set_statistics(torch.from_numpy(_joined([view.pooled for view in views])).to(self.device))

    @torch.no_grad()
    def fit_image_head(
        self, views: list[StudentView], targets: list[NDArray[np.float32]], val: StudentView, lessons: Lessons
    ) -> None:
        """The linear part of the image head by least squares; targets are the teacher's rows of each view."""
        assert self.image is not None
        centre, spread = self.image.centre.cpu().numpy(), self.image.spread.cpu().numpy()
        inputs = (_joined([view.pooled for view in views]) - centre) / spread
        held_out = (val.pooled.astype(np.float32) - centre) / spread
        self._set_linear(self.image.head, *fitted(inputs, _joined(targets), (held_out, lessons.images)))

    @torch.no_grad()
    def fit_text_head(self, train: Lessons, val: Lessons) -> None:
        """The linear part of the text head by least squares."""
        inputs, held_out = (
            self.text.norm(torch.from_numpy(each.captions.features).to(self.device)).cpu().numpy()
            for each in (train, val)
        )
        self._set_linear(self.text.head, *fitted(inputs, train.texts, (held_out, val.texts)))

    @staticmethod
    def _set_linear(head: Head, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        head.linear.weight.copy_(torch.from_numpy(weight))
        head.linear.bias.copy_(torch.from_numpy(bias))


def _start_of_backbone(start: str) -> dict[str, Tensor]:
    """The folded backbone as it is shipped, or as ImageNet left it (needs its package)."""
    if start == "imagenet":
        from .efficientnet import EfficientNetLite0
        from .views import imagenet_backbone

        backbone = EfficientNetLite0()
        backbone.load_state_dict(imagenet_backbone())
        backbone.fold()
        return backbone.state_dict()
    prefix = "backbone."
    stored = tensors(weights_file(EncoderSpec(EncoderKind.BUILTIN, NAME)), "image")
    return {
        name.removeprefix(prefix): torch.from_numpy(array) for name, array in stored.items() if name.startswith(prefix)
    }


def _joined(parts: list[NDArray]) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(part, dtype=np.float32) for part in parts])


def _blocks(rows: NDArray) -> Iterator[NDArray]:
    return (np.array(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH))
