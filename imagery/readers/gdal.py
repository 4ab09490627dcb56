"""GDAL through rasterio: opening one file by one driver, reading windows in bounded memory, errors in our words."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from imagery.readers.base import Size, Window
from imagery.readers.errors import TruncatedImage, UnreadableImage, reason_of, unavailable
from imagery.readers.location import Location, RemoteFile
from imagery.readers.remote import remote_opened, trouble_forget, trouble_raise
from imagery.readers.vrt import vrt_text

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from imagery.readers.location import Location

_CACHE_MB: Final = 96
_STRIPE_BYTES: Final = 32 * 1024 * 1024
"""So much of the source is read at once where it is shrunk; with its mask it fits into GDAL's cache of blocks."""
_LONGEST_READ_SECONDS: Final = 900.0
"""A file can be packed so that a picture of it takes days to unpack; the largest honest ones take minutes."""
_SENTINEL: Final = 1e30
"""Samples this far from zero are no measurements: floats are often filled with the largest number there is."""
_TRUNCATION_SIGNS: Final = ("read error", "truncat", "unexpected end", "got 0 bytes", "not enough", "cannot read")

# GDAL would keep blocks in a twentieth of the machine's memory. Read when it opens its first file; what an operator
# has set stays.
os.environ.setdefault("GDAL_CACHEMAX", str(_CACHE_MB))


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn every error of rasterio and GDAL inside the block into UnreadableImage; ``name`` is the file's.

    An error of the system becomes FileUnavailable, and a failed request what ``imagery.stac`` says of it. A lack of
    memory is left alone: another try may have more.
    """
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    trouble_forget()
    try:
        yield
    except (RasterioError, CPLE_BaseError, OSError, UnicodeDecodeError) as error:  # the last from messages of GDAL's
        trouble_raise()
        if system := unavailable(name, error):
            raise system from error
        cause = error.__cause__ or error
        text = reason_of(cause).rstrip(".") or type(error).__name__
        if any(sign in text.lower() for sign in _TRUNCATION_SIGNS):
            raise TruncatedImage(
                _("%(file)s is damaged: the file ends too early or a block of pixels is missing (%(reason)s).")
                % {"file": name, "reason": text}
            ) from error
        raise UnreadableImage(_("%(file)s cannot be read: %(reason)s.") % {"file": name, "reason": text}) from error


@contextmanager
def open_dataset(path: Path, driver: str) -> Iterator[DatasetReader]:
    """Open a file, and nothing beside it, read-only with one GDAL driver. Raises rasterio's errors."""
    dataset = dataset_open(path, driver, alone=True)
    try:
        yield dataset
    finally:
        dataset.close()


@contextmanager
def opened(location: Location, driver: str, *, name: str, alone: bool = False) -> Iterator[DatasetReader]:
    """Open a file, here or at an address, read-only with one GDAL driver; ``alone``: GDAL sees nothing beside it.

    Raises rasterio's errors, those of ``imagery.stac``, and UnreadableImage for a VRT that is not allowed.
    """
    if isinstance(location, RemoteFile):
        with remote_opened(location, driver) as dataset:
            yield dataset
    else:
        source = vrt_text(location, name=name) if driver == "VRT" else location
        with dataset_open(source, driver, alone=alone) as dataset:
            yield dataset


def dataset_open(source: Any, driver: str, *, alone: bool = False) -> DatasetReader:
    """Return a path or the text of a VRT as a dataset, opened with one GDAL driver.

    ``alone``: GDAL looks for no files beside it (masks, overviews, .aux.xml).
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings(), rasterio.Env(**({"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"} if alone else {})):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(source, driver=driver, sharing=False)


def read_window(
    dataset: Any, window: Window, out_size: Size, bands: tuple[int, ...]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return (bands, h, w) and (h, w) valid mask of a window of a dataset or warped dataset, at ``out_size``.

    Shrinking averages (from overviews where the file has them), growing is bilinear; palettes and categories are
    never mixed. Not a number, infinite samples and fill values beyond 1e30 are masked. Memory is bounded whatever the
    window: it is read in stripes of rows. Raises rasterio's errors, and UnreadableImage after a quarter of an hour.
    """
    width, height = out_size
    unique = sorted({position + 1 for position in bands})
    array = np.empty((len(unique), height, width), dtype=np.result_type(*(dataset.dtypes[i - 1] for i in unique)))
    mask = np.empty((height, width), dtype=np.bool_)
    rows = _stripe_rows(dataset, window, out_size, unique)
    begun = time.monotonic()
    for top in range(0, height, rows):
        if time.monotonic() - begun > _LONGEST_READ_SECONDS:
            raise UnreadableImage(
                _("%(file)s takes more than %(limit)d minutes to read; rewrite it as a COG, tiled and with overviews.")
                % {"file": PurePath(dataset.name).name, "limit": _LONGEST_READ_SECONDS // 60},
                code="too_slow",
            )
        bottom = min(height, top + rows)
        part = (window[0], window[1] + window[3] * top / height, window[2], window[3] * (bottom - top) / height)
        array[:, top:bottom], mask[top:bottom] = _read_part(dataset, part, (width, bottom - top), unique)
    array = array[[unique.index(position + 1) for position in bands]]
    if np.issubdtype(array.dtype, np.floating):
        mask &= (np.abs(array) < _SENTINEL).all(axis=0)  # Not a number is not smaller either.
    return array, mask


def _read_part(
    dataset: Any, part: tuple[float, float, float, float], size: Size, indexes: list[int]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    from rasterio.enums import ColorInterp, Resampling
    from rasterio.windows import Window as RasterWindow

    shrinking = size[0] < part[2] or size[1] < part[3]
    method = Resampling.average if shrinking else Resampling.bilinear
    if dataset.colorinterp[indexes[0] - 1] is ColorInterp.palette:
        method = Resampling.nearest
    shape = (len(indexes), size[1], size[0])
    where = RasterWindow(*part)
    array = dataset.read(indexes, window=where, out_shape=shape, resampling=method)
    # The masks of the bands that are read, not dataset_mask(): that reads every band where nodata is declared, and
    # calls a pixel valid that has data only in bands nobody sees.
    return array, (dataset.read_masks(indexes, window=where, out_shape=shape) > 0).any(axis=0)


def _stripe_rows(dataset: Any, window: Window, out_size: Size, indexes: list[int]) -> int:
    """Return how many rows of the result to read at once: their source fits into :data:`_STRIPE_BYTES`.

    GDAL reads one band after the other: where each would need the whole window, all its blocks would be unpacked
    again for every band.
    """
    width, height = out_size
    shrunk_by = min(window[2] / width, window[3] / height)
    overview = max((each for each in dataset.overviews(indexes[0]) if each <= 1.01 * shrunk_by), default=1)
    itemsize = np.dtype(dataset.dtypes[indexes[0] - 1]).itemsize
    source = window[2] * window[3] * len(indexes) * itemsize / overview**2
    return height if shrunk_by <= 1 else max(1, min(height, int(height * _STRIPE_BYTES / max(1.0, source))))
