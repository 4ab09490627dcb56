"""Any picture PIL can hold -> 8-bit RGB, without silent damage. Pure functions, no model knowledge."""

from typing import Final

import numpy as np
from PIL import Image

_WIDE_MODES: Final = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N", "F"})
_WHITE: Final = (255, 255, 255, 255)


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of the same size.

    Greyscale is repeated in the three channels. 16-bit, 32-bit and float pictures are scaled so that their
    own smallest value becomes black and their largest white (PIL's own conversion would clip everything
    above 255 to white). Transparent pixels are laid on white. Values that are not finite become black.
    """
    if image.mode == "RGB":
        return image
    if image.mode in _WIDE_MODES:
        return Image.fromarray(_stretched(image)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, _WHITE), rgba).convert("RGB")
    return image.convert("RGB")


def _stretched(image: Image.Image) -> np.ndarray:
    values = np.asarray(image, dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, dtype=np.uint8)
    low, high = values[finite].min(), values[finite].max()
    if high <= low:
        # A flat picture has no contrast to stretch: keep 8-bit values, show wider ones as mid grey.
        flat = low if 0 <= low <= 255 else 127
        return np.full(values.shape, round(float(flat)), dtype=np.uint8)
    scaled = np.where(finite, (values - low) / (high - low), 0.0) * 255.0
    return np.asarray(np.rint(scaled), dtype=np.uint8)
