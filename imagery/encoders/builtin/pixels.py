"""From pictures to the pixels the built-in image tower reads; the same in training and in use."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.transforms import to_rgb

IMAGE_SIZE: Final = 224
# The backbone was published with (value - 127) / 128 on 8-bit values.
_PIXEL_OFFSET: Final = 127.0
_PIXEL_SCALE: Final = 128.0


def pixel_block(images: Sequence[Image.Image]) -> NDArray[np.uint8]:
    """Pictures of any size and mode -> (n, 224, 224, 3) uint8; the whole picture is kept, its aspect is not."""
    block = np.empty((len(images), IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    for row, image in enumerate(images):
        rgb = to_rgb(image)
        if rgb.size != (IMAGE_SIZE, IMAGE_SIZE):
            rgb = rgb.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
        block[row] = np.asarray(rgb)
    return block


def normalised(values: Any) -> Any:
    """8-bit values (array or tensor, any float type) -> the range the backbone was trained on, about -1..1."""
    return (values - _PIXEL_OFFSET) / _PIXEL_SCALE


def eight_bit(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The nearest 8-bit values of what `normalised` gave."""
    return np.asarray(np.rint(values * _PIXEL_SCALE + _PIXEL_OFFSET).clip(0, 255), dtype=np.uint8)
