"""From the samples of a scene to 8-bit RGB for the eye and for encoders.

8-bit pictures stay as they are. Anything else (16-bit, float) is stretched band by band between two percentiles,
measured once per scene on a decimated read, so that neither a preview nor a tile is black.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.readers import ImageData, Reader, Size, Window, fit_within

LOW_PERCENTILE: Final = 2.0
HIGH_PERCENTILE: Final = 98.0
_SAMPLE_SIDE_PIXELS: Final = 1024
_MIDDLE_GREY: Final = 128


@dataclass(frozen=True)
class Stretch:
    """Per displayed band (red, green, blue): the samples shown as 0 and as 255."""

    low: tuple[float, ...]
    high: tuple[float, ...]


def stretch_of(data: ImageData) -> Stretch:
    """Return the stretch between the 2nd and 98th percentile of the valid samples of (bands, h, w) data."""
    low, high = [], []
    for band in data.array:
        samples = band[data.mask]
        if samples.size == 0:
            low.append(0.0)
            high.append(0.0)
            continue
        bottom, top = np.percentile(samples.astype(np.float64, copy=False), [LOW_PERCENTILE, HIGH_PERCENTILE])
        if top <= bottom:  # Nearly constant: a few different samples must still be seen.
            bottom, top = float(samples.min()), float(samples.max())
        low.append(float(bottom))
        high.append(float(top))
    return Stretch(tuple(low), tuple(high))


def stretched(data: ImageData, stretch: Stretch) -> NDArray[np.uint8]:
    """Return (h, w, 3) uint8 of (3, h, w) data; constant bands become middle grey."""
    planes = []
    for band, low, high in zip(data.array, stretch.low, stretch.high, strict=True):
        if high <= low:
            planes.append(np.full(band.shape, _MIDDLE_GREY, dtype=np.uint8))
            continue
        values = (np.nan_to_num(band.astype(np.float32), nan=low, posinf=high, neginf=low) - low) / (high - low)
        planes.append((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8))
    return np.stack(planes, axis=-1)


class Renderer:
    """Draws windows of one open scene as 8-bit RGB; pixels without data are black and False in the mask."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._stretch: Stretch | None = None

    @property
    def stretch(self) -> Stretch | None:
        """The scene's stretch, measured on first use; None for 8-bit pictures."""
        if self.reader.display_ready:
            return None
        if self._stretch is None:
            size = fit_within((self.reader.width, self.reader.height), _SAMPLE_SIDE_PIXELS)
            self._stretch = stretch_of(self.reader.read(out_size=size))
        return self._stretch

    def render(self, window: Window | None = None, out_size: Size | None = None) -> ImageData:
        """Return ``window`` (None: the whole scene) as (h, w, 3) uint8 at ``out_size``. Raises UnreadableImage."""
        stretch = self.stretch
        data = self.reader.read(window, out_size)
        rgb: NDArray[Any] = np.moveaxis(data.array, 0, -1) if stretch is None else stretched(data, stretch)
        rgb = np.where(data.mask[..., None], rgb, 0).astype(np.uint8) if not data.mask.all() else rgb
        return ImageData(array=np.ascontiguousarray(rgb), mask=data.mask, bounds=data.bounds, crs=data.crs)
