"""GeoTIFF and JPEG 2000 through rasterio (GDAL): pixels by windows, never the whole raster at full resolution."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from numpy.typing import NDArray

from imagery.geometry import Footprint
from imagery.readers.bands import band_infos, rgb_positions
from imagery.readers.base import ImageData, Reader, Size, Window
from imagery.readers.control import Control, control_of
from imagery.readers.errors import UnreadableImage
from imagery.readers.formats import Format
from imagery.readers.gdal import dataset_open, open_dataset, opened, read_window, translated
from imagery.readers.georeference import Placement, placement_beside
from imagery.readers.jp2 import jp2_refuse
from imagery.readers.location import Location
from imagery.readers.sidecars import MASK, OVERVIEWS, sidecars_of
from imagery.readers.warped import ControlUnusable, WarpedGrid

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

__all__ = ["DRIVERS", "GeoRasterReader", "open_dataset", "read_window", "translated"]

DRIVERS: Final = {Format.TIFF: "GTiff", Format.JPEG2000: "JP2OpenJPEG", Format.VRT: "VRT"}
"""GDAL is held to the driver of the sniffed format, so that no file can make it open another file or an address."""

_CONTROL_NOTES: Final = {
    "few": gettext_noop("It has too few ground control points, or all lie on one line."),
    "system": gettext_noop("Its ground control points name no coordinate reference system."),
    "disagree": gettext_noop("Its ground control points or RPCs do not make a usable grid."),
}
"""Why a raster has no place in spite of its control (English, to be stored)."""
_MAX_BANDS: Final = 2000
"""Imaging spectrometers have some hundreds."""
_MAX_BLOCK_BYTES: Final = 512 * 1024 * 1024


class GeoRasterReader(Reader):
    """A raster with or without georeference. Grids stored south-up or mirrored are presented north-up."""

    def __init__(
        self, path: Location, format: Format, *, name: str = "", sidecars: Mapping[str, Path] | None = None
    ) -> None:
        """Read the header only. Raises UnreadableImage.

        ``sidecars`` are files beside it by asset key; without, those that lie beside a local file are found.
        """
        self.path, self.format, self.name = path, format, name or path.name
        self._stack = ExitStack()
        self._warped: WarpedGrid | None = None
        try:
            beside = sidecars_of(path) if isinstance(path, Path) and format is not Format.VRT else {}
            self._refuse_strangers_beside(beside)
            if format is Format.JPEG2000 and isinstance(path, Path):
                jp2_refuse(path, name=self.name)
            with translated(self.name):
                alone = not beside and format is not Format.VRT
                self._dataset = self._stack.enter_context(opened(path, DRIVERS[format], name=self.name, alone=alone))
                self._read_header()
            if sidecars is None:
                sidecars = sidecars_of(path) if isinstance(path, Path) else {}
            self._flip_x, self._flip_y = self._place(sidecars)
        except BaseException:
            self._stack.close()
            raise

    def _refuse_strangers_beside(self, beside: Mapping[str, Path]) -> None:
        """Refuse a mask or overviews that GDAL would open by a driver that reads other files."""
        for key in (MASK, OVERVIEWS):
            if key not in beside:
                continue
            with translated(beside[key].name), dataset_open(beside[key], DRIVERS[Format.TIFF], alone=True) as dataset:
                self._refuse_other_files(dataset, beside[key].name)

    def _refuse_other_files(self, dataset: DatasetReader, name: str) -> None:
        """Refuse a file that names another one for its overviews: GDAL would open any, an address included."""
        if dataset.tags(ns="OVERVIEWS").get("OVERVIEW_FILE"):
            raise UnreadableImage(
                _("%(file)s names another file for its overviews; write them into the file, or remove that name.")
                % {"file": name}
            )

    def _read_header(self) -> None:
        self._refuse_other_files(self._dataset, self.name)
        self.width, self.height = self._dataset.width, self._dataset.height
        self.dtype = self._dataset.dtypes[0]
        self._refuse_what_cannot_be_shown()
        self.bands = band_infos(self._dataset)
        self._palette = _palette(self._dataset)
        self.rgb = (0, 0, 0) if self._palette is not None else rgb_positions(self.bands)
        self.display_ready = self._palette is not None or (self.dtype == "uint8" and not _few_bits(self._dataset))
        self.mixable = self._palette is None
        rows, columns = self._dataset.block_shapes[0]
        self.block = (columns, rows)

    def _refuse_what_cannot_be_shown(self) -> None:
        from rasterio.enums import Interleaving

        if not self._dataset.count:
            raise UnreadableImage(_("%(file)s contains no raster band.") % {"file": self.name})
        if self._dataset.count > _MAX_BANDS:
            raise UnreadableImage(
                _("%(file)s has %(count)d bands, the limit is %(limit)d.")
                % {"file": self.name, "count": self._dataset.count, "limit": _MAX_BANDS}
            )
        if np.issubdtype(np.dtype(self.dtype), np.complexfloating):
            raise UnreadableImage(
                _("%(file)s holds complex numbers (%(type)s); store their magnitude as a real band.")
                % {"file": self.name, "type": self.dtype}
            )
        rows, columns = self._dataset.block_shapes[0]
        # Not asked of a JPEG 2000: GDAL 3.10 looks for the answer in boxes of text, and never ends with damaged ones.
        mixed = self.format is Format.JPEG2000 or self._dataset.interleaving is Interleaving.pixel
        together = self._dataset.count if mixed else 1
        block = rows * columns * together * np.dtype(self.dtype).itemsize  # GDAL unpacks all bands of a block at once.
        if block > _MAX_BLOCK_BYTES:
            raise UnreadableImage(
                _(
                    "%(file)s is stored in blocks of %(found)d MB, the limit is %(limit)d MB; "
                    "rewrite it as a tiled GeoTIFF or COG."
                )
                % {"file": self.name, "found": block // 1024**2, "limit": _MAX_BLOCK_BYTES // 1024**2}
            )

    def _place(self, sidecars: Mapping[str, Path]) -> tuple[bool, bool]:
        """Find its place: its own grid, else that of the files beside it, else control points, else RPCs."""
        own = None if self._dataset.transform.is_identity else self._dataset.transform
        beside = Placement() if self._dataset.crs is not None and own is not None else placement_beside(sidecars)
        crs, transform = self._dataset.crs or beside.crs, own or beside.transform
        if crs is None or transform is None:
            control, grid, problem = self._control()
            if grid is not None:
                crs, transform = grid
            elif control is not None and self._warp(control):
                return False, False
            elif control is not None or problem:
                self.note = _CONTROL_NOTES[problem or "disagree"]
                return False, False
        return self.place(Placement(crs=crs, transform=transform, note=beside.note))

    def _control(self) -> tuple[Control | None, tuple[CRS, Affine] | None, str]:
        """Return what :func:`control_of` does; control that GDAL cannot use disagrees: it is no reason to refuse."""
        try:
            with translated(self.name):
                return control_of(self._dataset)
        except (UnreadableImage, ValueError, KeyError):  # The latter two from RPCs that are no numbers, or lack some.
            return None, None, "disagree"

    def _warp(self, control: Control) -> bool:
        """Present the raster on the grid that ``control`` makes; return whether that is possible."""
        self._stack.callback(control.close)
        try:
            with translated(self.name):
                warped = WarpedGrid(self._dataset, control)
                if warped.footprint is None:
                    return False
        except (ControlUnusable, UnreadableImage):
            return False
        self._warped = warped
        self.crs, self.transform = warped.crs, warped.transform
        self.width, self.height = warped.width, warped.height
        return True

    @property
    def warped(self) -> bool:
        """Whether pixels are brought to another grid while they are read (control points, RPCs)."""
        return self._warped is not None

    @property
    def footprint(self) -> Footprint | None:
        return super().footprint if self._warped is None else self._warped.footprint

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
        size, chosen = out_size or window[2:], bands or self.rgb
        with translated(self.name):
            if self._warped is not None:
                array, mask = self._warped.read(window, size, chosen)
            else:
                array, mask = read_window(self._dataset, self._stored_window(window), size, chosen)
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
        self._stack.close()


def _few_bits(dataset: DatasetReader) -> bool:
    """Return whether 8-bit samples use fewer bits (masks of 0 and 1): shown as they are, they would be black."""
    return 0 < int(dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 0)) < 8


def _palette(dataset: DatasetReader) -> NDArray[np.uint8] | None:
    """Return the colour table of a palette raster as (4, 256) or (4, 65536) RGBA, or None."""
    from rasterio.enums import ColorInterp

    if dataset.colorinterp[0] is not ColorInterp.palette or dataset.dtypes[0] not in {"uint8", "uint16"}:
        return None
    table = np.zeros((4, 256 if dataset.dtypes[0] == "uint8" else 65536), dtype=np.uint8)
    try:
        colours = dataset.colormap(1)
    except ValueError:  # It calls itself a palette and has none.
        return None
    for value, colour in colours.items():
        if 0 <= value < table.shape[1]:
            table[:, value] = colour
    return table
