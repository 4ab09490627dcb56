"""Grids laid by ground control points or RPCs: what maps a raster's pixels to coordinates, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.control import GroundControlPoint
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader
    from rasterio.rpc import RPC

_AFFINE_PIXELS: Final = 0.05
"""Points that a plain affine grid meets so well need nothing else."""
_POLYNOMIAL_PIXELS: Final = 1.0
"""A polynomial must meet its points so well (GDAL chooses its order by their number); otherwise a thin plate spline."""
_LEAST_POINTS: Final = 3
_UTM_LATITUDES: Final = (-80.0, 84.0)
_MOST_POINTS: Final = 2000
"""A spline's cost grows with the cube of its points."""


@dataclass(frozen=True)
class Control:
    """What maps pixels (column, row; corners) to coordinates of ``crs`` and back.

    One of ``points`` and ``rpc``; ``spline``: a thin plate spline through all points, else a polynomial. RPCs are
    taken at their own mean height: relief is not corrected. To be closed after use.
    """

    crs: CRS
    points: tuple[GroundControlPoint, ...] = ()
    rpc: RPC | None = None
    spline: bool = False
    _kept: list[Any] = field(default_factory=list, compare=False, repr=False)

    def coordinates(self, columns: Sequence[float], rows: Sequence[float]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return (xs, ys) in units of ``crs`` of pixel positions."""
        xs, ys = self._transformer().xy(list(rows), list(columns), offset="ul")
        return np.atleast_1d(np.asarray(xs, dtype=np.float64)), np.atleast_1d(np.asarray(ys, dtype=np.float64))

    def pixels(self, xs: Sequence[float], ys: Sequence[float]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return (columns, rows) of coordinates; far from the points these mean nothing."""
        rows, columns = self._transformer().rowcol(list(xs), list(ys), op=_same)
        return np.atleast_1d(np.asarray(columns, dtype=np.float64)), np.atleast_1d(np.asarray(rows, dtype=np.float64))

    def options(self, x: float, y: float, scale: tuple[float, float]) -> dict[str, Any]:
        """Return what ``rasterio.warp.reproject`` needs for an array cut at (x, y) and then scaled."""
        if self.rpc is not None:
            return {"rpcs": _rpc_moved(self.rpc, x, y, scale), "RPC_HEIGHT": self.rpc.height_off}
        from rasterio.control import GroundControlPoint

        moved = [
            GroundControlPoint(row=(p.row - y) * scale[1], col=(p.col - x) * scale[0], x=p.x, y=p.y)
            for p in self.points
        ]
        return {"gcps": moved} | ({"METHOD": "GCP_TPS"} if self.spline else {})

    def close(self) -> None:
        """Let GDAL's transformer go."""
        for transformer in self._kept:
            transformer.close()
        self._kept.clear()

    def _transformer(self) -> Any:
        from rasterio.transform import GCPTransformer, RPCTransformer

        if not self._kept:
            self._kept.append(
                RPCTransformer(self.rpc, RPC_HEIGHT=self.rpc.height_off)
                if self.rpc is not None
                else GCPTransformer(list(self.points), tps=self.spline)
            )
        return self._kept[0]


def control_of(dataset: DatasetReader) -> tuple[Control | None, tuple[CRS, Affine] | None, str]:
    """Return the control of a raster without a grid of its own, or the grid that its points make, or why neither.

    The last is one of ``""`` (it has none), ``"few"``, ``"system"`` (no reference system) and ``"disagree"``.
    """
    points, crs = dataset.gcps
    if points:
        if crs is None:
            return None, None, "system"
        return _of_points(*_unturned(points, crs))
    if dataset.rpcs is not None:
        from rasterio.crs import CRS

        return Control(crs=CRS.from_epsg(4326), rpc=dataset.rpcs), None, ""
    return None, None, ""


def _of_points(points: Sequence[GroundControlPoint], crs: CRS) -> tuple[Control | None, tuple[CRS, Affine] | None, str]:
    from affine import Affine

    pixels = np.asarray([(p.col, p.row) for p in points], dtype=np.float64)
    places = np.asarray([(p.x, p.y) for p in points], dtype=np.float64)
    if not (np.isfinite(pixels).all() and np.isfinite(places).all()) or len(points) > _MOST_POINTS:
        return None, None, "disagree"
    matrix = np.column_stack([pixels, np.ones(len(points))])
    if len(points) < _LEAST_POINTS or np.linalg.matrix_rank(matrix - [*pixels[0], 0]) < 3:
        return None, None, "few"
    (a, d), (b, e), (c, f) = np.linalg.lstsq(matrix, places, rcond=None)[0]
    if a * e - b * d == 0:
        return None, None, "disagree"
    grid = Affine(a, b, c, d, e, f)
    pixel = math.sqrt(abs(grid.determinant))
    if np.hypot(*(matrix @ [[a, d], [b, e], [c, f]] - places).T).max() <= _AFFINE_PIXELS * pixel:
        return None, (crs, grid), ""
    control = Control(crs=crs, points=tuple(points))
    xs, ys = control.coordinates(pixels[:, 0].tolist(), pixels[:, 1].tolist())
    off = np.hypot(xs - places[:, 0], ys - places[:, 1]).max()
    if not off <= _POLYNOMIAL_PIXELS * pixel:
        control.close()
        control = Control(crs=crs, points=tuple(points), spline=True)
    return control, None, ""


def _unturned(points: Sequence[GroundControlPoint], crs: CRS) -> tuple[list[GroundControlPoint], CRS]:
    """Return the points and their system: where longitudes jump at the antimeridian, UTM instead."""
    from rasterio.control import GroundControlPoint
    from rasterio.warp import transform as warp

    if not crs.is_geographic or max(p.x for p in points) - min(p.x for p in points) <= 180:
        return list(points), crs
    lons = [p.x + 360 if p.x < 0 else p.x for p in points]
    metric = metric_system(sum(lons) / len(lons), points[0].y)
    xs, ys = warp(crs, metric, lons, [p.y for p in points])
    moved = zip(points, xs, ys, strict=True)
    return [GroundControlPoint(row=p.row, col=p.col, x=x, y=y) for p, x, y in moved], metric


def metric_system(lon: float, lat: float) -> CRS:
    """Return the UTM zone of a place, or universal polar stereographic beyond UTM's latitudes."""
    from rasterio.crs import CRS

    if not _UTM_LATITUDES[0] <= lat <= _UTM_LATITUDES[1]:
        return CRS.from_epsg(32661 if lat > 0 else 32761)
    zone = int(((lon + 180) % 360) // 6) + 1
    return CRS.from_epsg((32600 if lat >= 0 else 32700) + zone)


def _rpc_moved(rpc: RPC, x: float, y: float, scale: tuple[float, float]) -> RPC:
    """Return the RPC of an array cut at (x, y) and scaled; its samples and lines are told at pixel centres."""
    from attr import evolve

    return evolve(
        rpc,
        samp_off=(rpc.samp_off + 0.5 - x) * scale[0] - 0.5,
        line_off=(rpc.line_off + 0.5 - y) * scale[1] - 0.5,
        samp_scale=rpc.samp_scale * scale[0],
        line_scale=rpc.line_scale * scale[1],
    )


def _same(value: Any) -> Any:
    return value
