"""GeoTIFF and JPEG 2000 through rasterio (GDAL): pixels by windows, never the whole raster at full resolution."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from numpy.typing import NDArray

from imagery.geometry import apply
from imagery.readers.bands import band_infos, rgb_positions
from imagery.readers.base import ImageData, Reader, Size, Window
from imagery.readers.errors import UnreadableImage
from imagery.readers.formats import Format
from imagery.readers.gdal import dataset_open, open_dataset, read_window, translated

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.io import DatasetReader

__all__ = ["DRIVERS", "GeoRasterReader", "open_dataset", "read_window", "translated"]

DRIVERS: Final = {Format.TIFF: "GTiff", Format.JPEG2000: "JP2OpenJPEG"}
"""GDAL is held to the driver of the sniffed format, so that no file can make it open another file or an address."""

_MAX_BLOCK_BYTES: Final = 512 * 1024 * 1024


class GeoRasterReader(Reader):
    """A raster with or without georeference. Grids stored south-up or mirrored are presented north-up."""

    def __init__(self, path: Path, format: Format, *, name: str = "") -> None:
        """Read the header only. Raises UnreadableImage."""
        self.path, self.format, self.name = path, format, name or path.name
        with translated(self.name):
            self._dataset = dataset_open(path, DRIVERS[format])
        self.width, self.height = self._dataset.width, self._dataset.height
        self.dtype = self._dataset.dtypes[0]
        try:
            self._refuse_what_cannot_be_shown()
        except UnreadableImage:
            self._dataset.close()
            raise
        self.bands = band_infos(self._dataset)
        self._palette = _palette(self._dataset)
        self.rgb = (0, 0, 0) if self._palette is not None else rgb_positions(self.bands)
        self.display_ready = self.dtype == "uint8"
        self.mixable = self._palette is None
        rows, columns = self._dataset.block_shapes[0]
        self.block = (columns, rows)
        self._flip_x, self._flip_y = False, False
        self._place()

    def _refuse_what_cannot_be_shown(self) -> None:
        from rasterio.enums import Interleaving

        if not self._dataset.count:
            raise UnreadableImage(_("%(file)s contains no raster band.") % {"file": self.name})
        if np.issubdtype(np.dtype(self.dtype), np.complexfloating):
            raise UnreadableImage(
                _("%(file)s holds complex numbers (%(type)s); store their magnitude as a real band.")
                % {"file": self.name, "type": self.dtype}
            )
        rows, columns = self._dataset.block_shapes[0]
        together = self._dataset.count if self._dataset.interleaving is Interleaving.pixel else 1
        block = rows * columns * together * np.dtype(self.dtype).itemsize  # GDAL unpacks all bands of a block at once.
        if block > _MAX_BLOCK_BYTES:
            raise UnreadableImage(
                _(
                    "%(file)s is stored in blocks of %(found)d MB, the limit is %(limit)d MB; "
                    "rewrite it as a tiled GeoTIFF or COG."
                )
                % {"file": self.name, "found": block // 1024**2, "limit": _MAX_BLOCK_BYTES // 1024**2}
            )

    def _place(self) -> None:
        """Set crs, transform and note (English, to be stored); a position that is incomplete counts as none."""
        dataset = self._dataset
        stored: Affine = dataset.transform
        if dataset.crs is None and dataset.gcps[0]:
            self.note = gettext_noop("Its ground control points are not applied.")
        elif dataset.crs is None and not stored.is_identity:
            self.note = gettext_noop("It has a grid but no coordinate reference system.")
        elif dataset.crs is not None and (stored.is_identity or stored.determinant == 0):
            self.note = gettext_noop("It names a coordinate reference system but no grid.")
        elif dataset.crs is not None:
            self._flip_x = stored.is_rectilinear and stored.a < 0
            self._flip_y = stored.is_rectilinear and stored.e > 0
            self.crs, self.transform = dataset.crs, _flipped(stored, self)
            if self.footprint is None:
                self.crs, self.transform = None, None
                self._flip_x, self._flip_y = False, False
                self.note = gettext_noop("Its coordinates cannot be placed on Earth with certainty.")

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether the grid is stored (mirrored left to right, south-up)."""
        return self._flip_x, self._flip_y

    @property
    def dataset(self) -> DatasetReader:
        """The open rasterio dataset, in the stored orientation."""
        return self._dataset

    def read(
        self, window: Window | None = None, out_size: Size | None = None, bands: tuple[int, ...] | None = None
    ) -> ImageData:
        window = window or self.whole
        with translated(self.name):
            array, mask = read_window(
                self._dataset, self._stored_window(window), out_size or window[2:], bands or self.rgb
            )
        if self._palette is not None and bands is None:
            array, mask = self._palette[:3, array[0]], mask & (self._palette[3, array[0]] > 0)
        if self._flip_x or self._flip_y:
            step_y, step_x = (-1 if self._flip_y else 1), (-1 if self._flip_x else 1)
            array, mask = array[:, ::step_y, ::step_x], mask[::step_y, ::step_x]
        return ImageData(array=array, mask=mask, bounds=self.bounds_of(window), crs=self.proj_code or None)

    def _stored_window(self, window: Window) -> Window:
        x, y, width, height = window
        x = self.width - x - width if self._flip_x else x
        y = self.height - y - height if self._flip_y else y
        return (x, y, width, height)

    def close(self) -> None:
        self._dataset.close()


def _flipped(stored: Affine, reader: GeoRasterReader) -> Affine:
    """Return the transform of the grid as presented (north-up, east to the right)."""
    from affine import Affine

    flip_x, flip_y = reader.flips
    c, f = apply(stored, reader.width if flip_x else 0, reader.height if flip_y else 0)
    sign_x, sign_y = (-1 if flip_x else 1), (-1 if flip_y else 1)
    return Affine(stored.a * sign_x, stored.b * sign_y, c, stored.d * sign_x, stored.e * sign_y, f)


def _palette(dataset: DatasetReader) -> NDArray[np.uint8] | None:
    """Return the colour table of a palette raster as (4, 256) RGBA, or None."""
    from rasterio.enums import ColorInterp

    if dataset.colorinterp[0] is not ColorInterp.palette or dataset.dtypes[0] != "uint8":
        return None
    table = np.zeros((4, 256), dtype=np.uint8)
    for value, colour in dataset.colormap(1).items():
        table[:, value] = colour
    return table
