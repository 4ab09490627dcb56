"""One scene from several single-band files (Sentinel-2 B04/B03/B02, Landsat B4/B3/B2), shown in true colour."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.utils.translation import gettext as _

from imagery.readers.base import BandInfo, ImageData, Reader, Size, Window
from imagery.readers.errors import MismatchedBands
from imagery.readers.formats import Format
from imagery.readers.geotiff import GeoRasterReader, read_window, translated

if TYPE_CHECKING:
    from rasterio.crs import CRS

COLOURS: Final = ("red", "green", "blue")
"""Asset keys of the bands that make the picture."""


class BandSetReader(Reader):
    """Red, green and blue from three files, on the grid of the finest; others are warped to it while reading.

    Level-1 and level-2 products of Sentinel-2 and Landsat mark pixels without data by 0 and do not say so in the
    file; where no nodata value is declared, pixels that are 0 in all three bands count as no data.
    """

    def __init__(self, files: Mapping[str, tuple[Path, Format]], *, names: Mapping[str, str] | None = None) -> None:
        """Open the files under the keys ``red``, ``green`` and ``blue``; other keys are left alone.

        Raises UnreadableImage, or MismatchedBands when the files are not bands of one scene.
        """
        names = names or {}
        self._stack = ExitStack()
        try:
            self._members = {
                key: self._stack.enter_context(
                    GeoRasterReader(files[key][0], files[key][1], name=names.get(key, files[key][0].name))
                )
                for key in COLOURS
            }
            finest = min(self._members.values(), key=lambda member: -member.width * member.height)
            self._refuse_strangers(finest)
            self._adopt(finest)
            self._sources = {key: self._on_grid(member, finest) for key, member in self._members.items()}
        except BaseException:
            self._stack.close()
            raise
        self._declared = any(member.dataset.nodata is not None for member in self._members.values())

    def _adopt(self, finest: GeoRasterReader) -> None:
        self.format, self.width, self.height = finest.format, finest.width, finest.height
        self.crs, self.transform, self.note = finest.crs, finest.transform, finest.note
        self.dtype = str(np.result_type(*(np.dtype(member.dtype) for member in self._members.values())))
        self.bands = tuple(BandInfo(name=key, role=key) for key in COLOURS)
        self.rgb = (0, 1, 2)
        self.display_ready = self.dtype == "uint8"

    def _refuse_strangers(self, finest: GeoRasterReader) -> None:
        for member in self._members.values():
            if member.band_count != 1:
                raise MismatchedBands(
                    _("%(file)s has %(count)d bands; a scene made of band files needs one band per file.")
                    % {"file": member.name, "count": member.band_count}
                )
            if not _same_crs(member.crs, finest.crs):
                raise MismatchedBands(
                    _("%(file)s is in %(crs)s, %(other)s in %(other_crs)s; bands of one scene share one system.")
                    % {
                        "file": member.name,
                        "crs": member.proj_code or _("no known system"),
                        "other": finest.name,
                        "other_crs": finest.proj_code or _("no known system"),
                    }
                )
            same_size = (member.width, member.height) == (finest.width, finest.height)
            if (finest.crs is None and not same_size) or (finest.crs is not None and not _meets(member, finest)):
                raise MismatchedBands(
                    _("%(file)s does not cover the same place as %(other)s.")
                    % {"file": member.name, "other": finest.name}
                )

    def _on_grid(self, member: GeoRasterReader, finest: GeoRasterReader) -> Any:
        """Return the member's dataset when it lies on the scene's grid, else a view of it warped to that grid."""
        same = (member.width, member.height, member.transform) == (finest.width, finest.height, finest.transform)
        if (same and not any(member.flips)) or finest.crs is None:
            return member.dataset
        from rasterio.enums import Resampling
        from rasterio.vrt import WarpedVRT

        with translated(member.name):
            return self._stack.enter_context(
                WarpedVRT(
                    member.dataset,
                    crs=finest.crs,
                    transform=finest.transform,
                    width=finest.width,
                    height=finest.height,
                    resampling=Resampling.bilinear,
                    src_nodata=member.dataset.nodata,
                    nodata=0 if member.dataset.nodata is None else member.dataset.nodata,
                )
            )

    def read(
        self, window: Window | None = None, out_size: Size | None = None, bands: tuple[int, ...] | None = None
    ) -> ImageData:
        window = window or self.whole
        planes, mask = [], None
        for position in bands or self.rgb:
            member = self._members[COLOURS[position]]
            with translated(member.name):
                array, valid = read_window(self._sources[COLOURS[position]], window, out_size or window[2:], (0,))
            planes.append(array[0])
            mask = valid if mask is None else mask & valid
        stacked = np.stack(planes).astype(self.dtype, copy=False)
        assert mask is not None
        if not self._declared:
            mask = mask & (stacked != 0).any(axis=0)
        return ImageData(array=stacked, mask=mask, bounds=self.bounds_of(window), crs=self.proj_code or None)

    def close(self) -> None:
        self._stack.close()


def _same_crs(a: CRS | None, b: CRS | None) -> bool:
    return (a is None) == (b is None) and (a is None or a == b)


def _meets(a: GeoRasterReader, b: GeoRasterReader) -> bool:
    """Return whether two grids share most of their place (band grids differ by at most a few coarse pixels)."""
    one, two = a.bounds_of(a.whole), b.bounds_of(b.whole)
    if one is None or two is None:
        return (a.width, a.height, a.transform) == (b.width, b.height, b.transform)
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    area = (two[2] - two[0]) * (two[3] - two[1])
    return width > 0 and height > 0 and width * height >= 0.9 * area
