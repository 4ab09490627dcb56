"""A raster on the grid that its control points or RPCs lay over the Earth, presented north-up, read by windows."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.geometry import Footprint, Point, apply, edge_points, footprint_of_ring, window_transform
from imagery.readers.base import Size, Window
from imagery.readers.control import Control, metric_system
from imagery.readers.gdal import read_window

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

_GROWTH_MOST: Final = 8
"""So many times the pixels of the file may its grid have; beyond, its control makes no sense."""
_LOOKS: Final = 9
"""Points to a side at which the control is tried, and a window's place in the file is found."""
_MARGIN_PIXELS: Final = 3
_TOLERANCE_PIXELS: Final = 0.1
_METRES_PER_DEGREE: Final = 111_320.0


class ControlUnusable(Exception):
    """The control folds the raster, or lays it over no place on Earth."""


class WarpedGrid:
    """The grid of an open raster under ``control``: ``crs``, ``transform``, ``width``, ``height`` as presented.

    Projected control keeps its system; longitudes and latitudes become UTM (polar stereographic near the poles), so
    that pixels stay square on the ground.
    """

    def __init__(self, dataset: DatasetReader, control: Control) -> None:
        """Lay the grid. Raises ControlUnusable, and rasterio's errors."""
        self._dataset, self._control = dataset, control
        self._scale = 1.0
        lons, lats = self._lonlat(*self._tried())
        if not (np.isfinite(lons).all() and np.isfinite(lats).all() and (np.abs(lats) <= 90).all()):
            raise ControlUnusable
        middle = len(lons) // 2
        self.crs: CRS = control.crs if control.crs.is_projected else metric_system(lons[middle], lats[middle])
        self._refuse_folds()
        self.transform, self.width, self.height = self._grid()

    @cached_property
    def footprint(self) -> Footprint | None:
        """The outline of the raster itself, which is smaller than its grid."""
        points = edge_points(self._dataset.width, self._dataset.height)
        lons, lats = self._lonlat([p[0] for p in points], [p[1] for p in points])
        side = math.sqrt(abs(self.transform.determinant)) * self.crs.linear_units_factor[1]
        ring = list(zip(lons.tolist(), lats.tolist(), strict=True))
        return footprint_of_ring(ring, tolerance=_TOLERANCE_PIXELS * side / _METRES_PER_DEGREE)

    def read(self, window: Window, out_size: Size, bands: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return (bands, h, w) and the (h, w) valid mask of a window of the grid, at ``out_size``."""
        from affine import Affine
        from rasterio.enums import Resampling
        from rasterio.warp import reproject

        grid = window_transform(self.transform, window) @ Affine.scale(window[2] / out_size[0], window[3] / out_size[1])
        array = np.zeros((len(bands), out_size[1], out_size[0]), dtype=self._dataset.dtypes[bands[0]])
        mask = np.zeros((out_size[1], out_size[0]), dtype=np.uint8)
        source = self._source_window(grid, out_size)
        if source is None:
            return array, mask > 0
        shrink = min(1.0, max(out_size[0] / window[2], out_size[1] / window[3]))
        size = (max(1, math.ceil(source[2] * shrink)), max(1, math.ceil(source[3] * shrink)))
        pixels, valid = read_window(self._dataset, source, size, bands)
        options = self._control.options(source[0], source[1], (size[0] / source[2], size[1] / source[3]))
        options |= {"src_crs": self._control.crs, "dst_crs": self.crs, "dst_transform": grid, "num_threads": 1}
        reproject(valid.astype(np.uint8), mask, resampling=Resampling.nearest, tolerance=0.05, **options)
        reproject(pixels, array, resampling=self._resampling(bands), tolerance=0.05, **options)
        return array, mask > 0

    def close(self) -> None:
        """Let the transformer go; the dataset stays open."""
        self._control.close()

    def _resampling(self, bands: tuple[int, ...]) -> Any:
        from rasterio.enums import ColorInterp, Resampling

        palette = self._dataset.colorinterp[bands[0]] is ColorInterp.palette
        return Resampling.nearest if palette else Resampling.bilinear

    def _tried(self) -> tuple[list[float], list[float]]:
        """Return (columns, rows) of places all over the raster, row by row, its edges among them."""
        columns = np.linspace(0, self._dataset.width, _LOOKS)
        rows = np.linspace(0, self._dataset.height, _LOOKS)
        return np.tile(columns, _LOOKS).tolist(), np.repeat(rows, _LOOKS).tolist()

    def _lonlat(self, columns: list[float], rows: list[float]) -> tuple[NDArray[Any], NDArray[Any]]:
        return self._warped(columns, rows, "EPSG:4326")

    def _warped(self, columns: list[float], rows: list[float], crs: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        from rasterio.warp import transform as warp

        xs, ys = self._control.coordinates(columns, rows)
        if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
            raise ControlUnusable
        there_xs, there_ys = warp(self._control.crs, crs, xs.tolist(), ys.tolist())
        return np.asarray(there_xs), np.asarray(there_ys)

    def _refuse_folds(self) -> None:
        """Refuse control that turns a part of the raster over: there a place would have two pixels."""
        xs, ys = (each.reshape(_LOOKS, _LOOKS) for each in self._warped(*self._tried(), self.crs))
        if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
            raise ControlUnusable
        right_x, right_y = np.diff(xs, axis=1)[:-1], np.diff(ys, axis=1)[:-1]
        down_x, down_y = np.diff(xs, axis=0)[:, :-1], np.diff(ys, axis=0)[:, :-1]
        turn = right_x * down_y - right_y * down_x
        if not ((turn > 0).all() or (turn < 0).all()):
            raise ControlUnusable
        cell = (self._dataset.width / (_LOOKS - 1)) * (self._dataset.height / (_LOOKS - 1))
        self._scale = math.sqrt(float(np.median(np.abs(turn))) / cell)

    def _grid(self) -> tuple[Affine, int, int]:
        """Return the north-up grid around the raster, with pixels as large as the raster's are on the ground."""
        from affine import Affine

        points = edge_points(self._dataset.width, self._dataset.height)
        xs, ys = self._warped([p[0] for p in points], [p[1] for p in points], self.crs)
        if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
            raise ControlUnusable
        west, north = float(xs.min()), float(ys.max())
        width = max(1, math.ceil((float(xs.max()) - west) / self._scale))
        height = max(1, math.ceil((north - float(ys.min())) / self._scale))
        if width * height > _GROWTH_MOST * self._dataset.width * self._dataset.height:
            raise ControlUnusable
        return Affine(self._scale, 0, west, 0, -self._scale, north), width, height

    def _source_window(self, grid: Affine, size: Size) -> Window | None:
        """Return the part of the file that a part of the grid (``grid``, ``size``) needs; None where it has none."""
        from rasterio.warp import transform as warp

        across, down = np.linspace(0, size[0], _LOOKS), np.linspace(0, size[1], _LOOKS)
        places: list[Point] = [apply(grid, x, y) for y in down.tolist() for x in across.tolist()]
        xs, ys = warp(self.crs, self._control.crs, [p[0] for p in places], [p[1] for p in places])
        if self._control.crs.is_geographic:
            centre = float(self._control.coordinates([self._dataset.width / 2], [self._dataset.height / 2])[0][0])
            xs = [x + 360 * round((centre - x) / 360) for x in xs]
        columns, rows = self._control.pixels(xs, ys)
        known = np.isfinite(columns) & np.isfinite(rows)
        if not known.any():
            return None
        # Between the places that were tried, the edge may bulge by a part of their distance.
        slack_x = _MARGIN_PIXELS + (columns[known].max() - columns[known].min()) / _LOOKS
        slack_y = _MARGIN_PIXELS + (rows[known].max() - rows[known].min()) / _LOOKS
        left = max(0, math.floor(columns[known].min() - slack_x))
        top = max(0, math.floor(rows[known].min() - slack_y))
        right = min(self._dataset.width, math.ceil(columns[known].max() + slack_x))
        bottom = min(self._dataset.height, math.ceil(rows[known].max() + slack_y))
        return (left, top, right - left, bottom - top) if right > left and bottom > top else None
