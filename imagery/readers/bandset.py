"""One scene from several single-band files (Sentinel-2 B04/B03/B02, Landsat B4/B3/B2), shown by a recipe of bands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from imagery.readers import sniff_file
from imagery.readers.bands import COLOURS, band_code, band_described, band_position, band_positions, sensor_bands
from imagery.readers.base import BandInfo, ImageData, Reader, Size, Window
from imagery.readers.errors import MismatchedBands
from imagery.readers.formats import FACTS
from imagery.readers.gdal import read_window, translated
from imagery.readers.geotiff import GeoRasterReader
from imagery.readers.location import Location

if TYPE_CHECKING:
    from rasterio.crs import CRS

_CODE_IN_NAME: Final = re.compile(r"(?:^|[_.\- ])(?P<code>B(?:\d{1,2}A?))(?:_\d\dm)?(?=$|[.])", re.IGNORECASE)


class BandSetReader(Reader):
    """Bands from one file each, on the grid of the finest that is shown; others are warped to it while reading.

    Only files that are shown are opened, others when they are read. Level-1 and level-2 products of Sentinel-2 and
    Landsat mark pixels without data by 0 and do not say so in the file; where no nodata value is declared, pixels that
    are 0 in all shown bands count as no data.
    """

    def __init__(
        self, files: Mapping[str, Location], *, names: Mapping[str, str] | None = None, bands: Sequence[str] = ()
    ) -> None:
        """Open the files of the bands that are shown: ``bands`` by name, common name or number, or the true colours.

        Keys of ``files`` are the bands' names or common names; a number in the file's name is known, too. Raises
        UnreadableImage, or MismatchedBands when the files are not bands of one scene or a band is lacking.
        """
        order = sorted(files, key=lambda key: (COLOURS.index(key) if key in COLOURS else len(COLOURS), key))
        self._names = {key: (names or {}).get(key, files[key].name) for key in order}
        self._files = dict(files)
        self.bands = set_bands(self._names)
        self._keys = tuple(self._names)
        self.name = next(iter(self._names.values()))
        self.rgb = band_positions(self.bands, bands, file=self.name) if bands else self._true_colour()
        self._stack = ExitStack()
        self._members: dict[int, GeoRasterReader] = {}
        self._sources: dict[int, Any] = {}
        try:
            shown = [self._member(position) for position in dict.fromkeys(self.rgb)]
            self._finest = max(shown, key=lambda member: member.width * member.height)
            self._adopt(self._finest)
            for position in dict.fromkeys(self.rgb):
                self._source(position)
        except BaseException:
            self._stack.close()
            raise
        self._declared = any(member.dataset.nodata is not None for member in shown)
        self.dtype = str(np.result_type(*(np.dtype(member.dtype) for member in shown)))
        self.display_ready = self.dtype == "uint8"

    def _true_colour(self) -> tuple[int, int, int]:
        found = [band_position(self.bands, colour) for colour in COLOURS]
        red, green, blue = found
        if red is None or green is None or blue is None:
            raise MismatchedBands(
                _(
                    "A scene of several files needs red, green and blue bands, or a band recipe of its collection that "
                    "says which to show; found %(keys)s."
                )
                % {"keys": ", ".join(band.name for band in self.bands)}
            )
        return (red, green, blue)

    def _adopt(self, finest: GeoRasterReader) -> None:
        self.format, self.width, self.height, self.block = finest.format, finest.width, finest.height, finest.block
        self.crs, self.transform, self.note = finest.crs, finest.transform, finest.note

    def _member(self, position: int) -> GeoRasterReader:
        """Return the open file of a band; it is closed with the scene."""
        if position not in self._members:
            key = self._keys[position]
            format = sniff_file(self._files[key], name=self._names[key])
            if FACTS[format].whole_image:
                raise MismatchedBands(
                    _("%(file)s is %(format)s; band files must be GeoTIFF or JPEG 2000.")
                    % {"file": self._names[key], "format": FACTS[format].label}
                )
            reader = GeoRasterReader(self._files[key], format, name=self._names[key])
            self._members[position] = self._stack.enter_context(reader)
            if reader.warped:
                raise MismatchedBands(
                    _("%(file)s is placed by control points only; rewrite the bands of this scene on one grid.")
                    % {"file": self._names[key]}
                )
        return self._members[position]

    def _source(self, position: int) -> Any:
        """Return what a band is read from, on the scene's grid."""
        if position not in self._sources:
            member = self._member(position)
            self._refuse_stranger(member, self._finest)
            self._sources[position] = self._on_grid(member, self._finest)
        return self._sources[position]

    def _refuse_stranger(self, member: GeoRasterReader, finest: GeoRasterReader) -> None:
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
                _("%(file)s does not cover the same place as %(other)s.") % {"file": member.name, "other": finest.name}
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
        chosen = bands or self.rgb
        planes: dict[int, NDArray[Any]] = {}
        mask: NDArray[np.bool_] | None = None
        for position in dict.fromkeys(chosen):
            source = self._source(position)
            with translated(self._members[position].name):
                array, valid = read_window(source, window, out_size or window[2:], (0,))
            planes[position] = array[0]
            mask = valid if mask is None else mask & valid
        stacked = np.stack([planes[position] for position in chosen])
        if bands is None:
            stacked = stacked.astype(self.dtype, copy=False)
        assert mask is not None
        if not self._declared:
            mask = mask & (stacked != 0).any(axis=0)
        return ImageData(array=stacked, mask=mask, bounds=self.bounds_of(window), crs=self.proj_code or None)

    def close(self) -> None:
        self._stack.close()


def set_bands(names: Mapping[str, str]) -> tuple[BandInfo, ...]:
    """Return the bands of a scene's files (their names by key), in their order.

    A band is called by its key; ``code`` is the number in the key or the file's name (``S2_B04.jp2``: 4).
    """
    codes = {key: key if band_code(key) else _code_in(name) for key, name in names.items()}
    sensor = sensor_bands(codes.values(), file=next(iter(names.values()), ""))
    return tuple(
        band_described(key, sensor=sensor, code=band_code(codes[key]), role=key if key in COLOURS else "")
        for key in names
    )


def _code_in(filename: str) -> str:
    found = _CODE_IN_NAME.search(filename)
    return found["code"] if found else ""


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
