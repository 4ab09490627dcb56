"""From the samples of a scene to 8-bit RGB for the eye and for encoders.

8-bit pictures stay as they are unless the collection's recipe says otherwise. Anything else (16-bit, float) is
stretched between samples that are measured once per scene, on a decimated read, and kept with the scene, so that
whatever is drawn of it later shows what the encoder saw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.readers import BandInfo, ImageData, Reader, Size, Window, fit_within, open_scene
from imagery.readers.bands import band_position, band_positions
from imagery.readers.location import Location
from imagery.rendering_recipe import BandRecipe, Stretching

_SAMPLE_SIDE_PIXELS: Final = 1024
_FOUND_PERCENTILES: Final = (1.0, 99.0)
"""Of each band by itself: their distance is mostly the blue light that the air scatters."""
_FOUND_MEDIAN: Final = 1 / 3
"""The brightness to which the found gamma brings the middle sample (0 to 1), as in the photographs encoders know."""
_FOUND_GAMMAS: Final = (1.0, 2.0)
_MIDDLE_GREY: Final = 128
_LEGACY: Final = BandRecipe(stretch=Stretching.PERCENTILE)
"""How scenes were stretched before the stretch was kept with them."""


@dataclass(frozen=True)
class Stretch:
    """Per displayed band (red, green, blue): the samples shown as 0 and as 255; gamma above 1 brightens."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    gamma: float = 1.0


def stretch_of(data: ImageData, recipe: BandRecipe) -> Stretch:
    """Return the stretch that ``recipe`` asks for, measured on the valid samples of (bands, h, w) data."""
    gamma = recipe.gamma or 1.0
    if recipe.stretch == Stretching.RANGE:
        ranges = recipe.range * (len(data.array) if len(recipe.range) == 1 else 1)
        return Stretch(tuple(low for low, _high in ranges), tuple(high for _low, high in ranges), gamma)
    if recipe.stretch == Stretching.NONE:
        low, high = _type_range(data.array.dtype)
        return Stretch((low,) * len(data.array), (high,) * len(data.array), gamma)
    if recipe.stretch == Stretching.AUTO:
        pairs = [_between(band[data.mask], *_FOUND_PERCENTILES) for band in data.array]
        gamma = recipe.gamma or _found_gamma(data, pairs)
        return Stretch(tuple(low for low, _high in pairs), tuple(high for _low, high in pairs), gamma)
    pairs = [_between(band[data.mask], recipe.low, recipe.high) for band in data.array]
    if recipe.joint:
        pairs = [_between(data.array[:, data.mask], recipe.low, recipe.high)] * len(pairs)
    return Stretch(tuple(low for low, _high in pairs), tuple(high for _low, high in pairs), gamma)


def _between(samples: NDArray[Any], low: float, high: float) -> tuple[float, float]:
    if samples.size == 0:
        return 0.0, 0.0
    bottom, top = np.percentile(samples.astype(np.float64, copy=False), [low, high])
    if top <= bottom:  # Nearly constant: a few different samples must still be seen.
        bottom, top = samples.min(), samples.max()
    return float(bottom), float(top)


def _found_gamma(data: ImageData, pairs: Sequence[tuple[float, float]]) -> float:
    """Return the gamma (1 to 2) that brings the median of what is above black to a third of the brightness."""
    shares = [
        (band[data.mask].astype(np.float32) - low) / (high - low)
        for band, (low, high) in zip(data.array, pairs, strict=True)
        if high > low
    ]
    bright = np.concatenate(shares) if shares else np.empty(0, dtype=np.float32)
    bright = bright[bright > 0]
    median = min(float(np.median(bright)), 1.0) if bright.size else _FOUND_MEDIAN
    least, most = _FOUND_GAMMAS
    return round(min(max(math.log(median) / math.log(_FOUND_MEDIAN), least), most), 3)


def _type_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the samples of a type that are black and white: of whole numbers from 0, of others 0 to 1."""
    return (0.0, float(np.iinfo(dtype).max)) if np.issubdtype(dtype, np.integer) else (0.0, 1.0)


def stretched(data: ImageData, stretch: Stretch) -> NDArray[np.uint8]:
    """Return (h, w, 3) uint8 of (3, h, w) data; constant bands become middle grey."""
    rgb = np.empty((*data.array.shape[1:], len(data.array)), dtype=np.uint8)
    for position, (band, low, high) in enumerate(zip(data.array, stretch.low, stretch.high, strict=True)):
        if np.issubdtype(band.dtype, np.integer) and band.dtype.itemsize <= 2:
            # Every sample there can be is looked up: several times as fast as computing each pixel.
            table = _table(band.dtype.name, low, high, stretch.gamma)
            rgb[..., position] = table[band.view(f"u{band.dtype.itemsize}")]
        else:
            rgb[..., position] = _colours(band, low, high, stretch.gamma)
    return rgb


@lru_cache(maxsize=16)
def _table(dtype: str, low: float, high: float, gamma: float) -> NDArray[np.uint8]:
    """Return the colours of all samples of a type of 8 or 16 bits, in the order of their bits."""
    bits = np.dtype(dtype).itemsize * 8
    samples = np.arange(1 << bits, dtype=f"u{bits // 8}").view(dtype)
    return _colours(samples, low, high, gamma)


def _colours(samples: NDArray[Any], low: float, high: float, gamma: float) -> NDArray[np.uint8]:
    if high <= low:
        return np.full(samples.shape, _MIDDLE_GREY, dtype=np.uint8)
    values = (np.nan_to_num(samples.astype(np.float32), nan=low, posinf=high, neginf=low) - low) / (high - low)
    values = np.clip(values, 0, 1)
    if gamma != 1.0:
        values **= 1 / gamma
    colours: NDArray[np.uint8] = (values * 255 + 0.5).astype(np.uint8)
    return colours


class Renderer:
    """Draws windows of one open scene as 8-bit RGB; pixels without data are black and False in the mask."""

    def __init__(
        self, reader: Reader, *, recipe: BandRecipe | None = None, stretch: Mapping[str, Any] | None = None
    ) -> None:
        """Draw by ``stretch``, what ``Scene.stretch`` kept of the ingest; None: by ``recipe``, measured now.

        Raises MismatchedBands when the scene has no such bands.
        """
        self.reader = reader
        self.recipe = recipe or BandRecipe()
        names = self.recipe.bands
        self._measured = False
        self._stretch: Stretch | None = None
        if stretch is not None:
            names = tuple(stretch.get("bands", ()))
            self.recipe = _LEGACY if not stretch and not reader.display_ready else BandRecipe(bands=names)
            if "low" in stretch:
                self._stretch = Stretch(tuple(stretch["low"]), tuple(stretch["high"]), float(stretch.get("gamma", 1)))
                self._measured = True
        self._named = bool(names)
        self.rgb = band_positions(reader.bands, names, file=reader.name) if names else None

    @property
    def kept(self) -> dict[str, Any]:
        """What a scene keeps (``Scene.stretch``), so that it is drawn like this ever after; {}: 8 bits as they are."""
        bands = self.reader.bands
        names = [_name(bands, position) for position in self.rgb or self.reader.rgb]
        stretch = self.stretch
        if stretch is None:
            return {"bands": names} if self._named else {}
        return {"bands": names, "low": list(stretch.low), "high": list(stretch.high), "gamma": stretch.gamma}

    @property
    def stretch(self) -> Stretch | None:
        """The scene's stretch, measured on first use; None for 8-bit pictures that are shown as they are."""
        if not self._measured:
            self._measure(None if self._as_it_is else self.reader.read(out_size=self._sample_size, bands=self.rgb))
        return self._stretch

    @property
    def _sample_size(self) -> Size:
        return fit_within((self.reader.width, self.reader.height), _SAMPLE_SIDE_PIXELS)

    @property
    def _as_it_is(self) -> bool:
        """Whether the samples are colours already: 8 bits that no recipe changes, or those of a palette."""
        plain = self.recipe.stretch in {Stretching.AUTO, Stretching.NONE} and self.recipe.gamma is None
        return self.reader.display_ready and (plain or not self.reader.mixable)

    def _measure(self, data: ImageData | None) -> None:
        if data is not None:
            step = math.ceil(max(data.mask.shape) / _SAMPLE_SIDE_PIXELS)
            thin = ImageData(array=data.array[:, ::step, ::step], mask=data.mask[::step, ::step])
            self._stretch = stretch_of(thin, self.recipe)
        self._measured = True

    def render(self, window: Window | None = None, out_size: Size | None = None) -> ImageData:
        """Return ``window`` (None: the whole scene) as (h, w, 3) uint8 at ``out_size``. Raises UnreadableImage."""
        data = self.reader.read(window, out_size, self.rgb)
        if window is None and not self._measured and max(data.mask.shape) >= max(self._sample_size):
            self._measure(None if self._as_it_is else data)  # The whole scene is read once, not twice.
        stretch = self.stretch
        rgb: NDArray[Any] = np.moveaxis(data.array, 0, -1) if stretch is None else stretched(data, stretch)
        rgb = np.where(data.mask[..., None], rgb, 0).astype(np.uint8) if not data.mask.all() else rgb
        return ImageData(array=np.ascontiguousarray(rgb), mask=data.mask, bounds=data.bounds, crs=data.crs)


def _name(bands: Sequence[BandInfo], position: int) -> str:
    """Return a name that finds this band again: its own, or its number where another band is found by that."""
    name = bands[position].name
    return name if band_position(bands, name) == position else str(position + 1)


@contextmanager
def scene_drawn(
    files: Mapping[str, Location],
    *,
    names: Mapping[str, str] | None = None,
    recipe: BandRecipe | None = None,
    stretch: Mapping[str, Any] | None = None,
) -> Iterator[Renderer]:
    """Open the files of a scene (:func:`open_scene`) with the bands that are to be shown, and draw them.

    ``stretch`` is ``Scene.stretch`` (as the encoder saw it); None: ``recipe``. Raises what open_scene and Renderer do.
    """
    bands = tuple(stretch.get("bands", ())) if stretch is not None else (recipe or BandRecipe()).bands
    with open_scene(files, names=names, bands=bands) as reader:
        yield Renderer(reader, recipe=recipe, stretch=stretch)
