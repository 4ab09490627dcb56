"""Drawing a scene on another grid: any scene that knows its place, as a picture in Web Mercator.

The scene is read once, by a window, at about the resolution that is asked for (so overviews are used and memory stays
bounded); every pixel of the picture then looks up where in the scene it lies. Coordinates are transformed at every
16th pixel and interpolated between, exactly where that would be off by more than an eighth of a pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagery.maptiles import WORLD_METRES, BBox, lonlat_to_mercator
from imagery.readers import Size, Window

if TYPE_CHECKING:
    from rasterio.crs import CRS

    from imagery.maptiles import Bounds
    from imagery.readers import Reader
    from imagery.rendering import Renderer

Floats: TypeAlias = NDArray[np.float64]

_STEP_PIXELS: Final = 16
_ERROR_PIXELS: Final = 0.125
_LONGEST_READ_PIXELS: Final = 4096
"""Most pixels of a side that are held of the scene for one picture, however the two grids lie."""
_MARGIN_PIXELS: Final = 2
_SPARSE: Final = 8
"""Every so many pixels are looked at to tell the scale."""
_CYLINDRICAL: Final = frozenset({"merc", "webmerc", "eqc", "cea", "mill", "gall"})
"""Projections on which the world repeats to the east."""


def mercator_picture(renderer: Renderer, bounds: Bounds, size: Size, *, bbox: BBox) -> NDArray[np.uint8]:
    """Return (h, w, 4) uint8 RGBA of the square ``bounds`` (EPSG:3857 metres), transparent where there is no data.

    ``bbox`` is the scene's (degrees): nothing is drawn beside it. Raises UnreadableImage. A scene without a place gives
    a transparent picture.
    """
    columns, rows = pixels_at(renderer.reader, bounds, size, bbox=bbox)
    reader = renderer.reader
    inside = (columns >= 0) & (columns < reader.width) & (rows >= 0) & (rows < reader.height)
    picture = np.zeros((size[1], size[0], 4), dtype=np.uint8)
    if not inside.any():
        return picture
    window, read_size = _read_of(reader, columns, rows, inside)
    data = renderer.render(window, read_size)
    x = (columns - window[0]) * (read_size[0] / window[2]) - 0.5
    y = (rows - window[1]) * (read_size[1] / window[3]) - 0.5
    if not reader.mixable:  # Categories: the nearest sample, never a mixture.
        x, y = np.rint(x), np.rint(y)
    _sampled(picture, data.array, data.mask, x, y, inside)
    return picture


def pixels_at(reader: Reader, bounds: Bounds, size: Size, *, bbox: BBox) -> tuple[Floats, Floats]:
    """Return (h, w) columns and rows of the scene's grid at the centres of a picture's pixels; NaN: nowhere near it.

    Only near ``bbox`` are places asked for: far from it a projection may mean nothing, or something else.
    """
    width, height = size
    left, bottom, right, top = bounds
    step_x, step_y = (right - left) / width, (top - bottom) / height
    near = _Near(bbox, around=2 * _STEP_PIXELS * max(step_x, step_y))

    def exact(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        there_x, there_y = left + x * step_x, top - y * step_y
        asked = near(there_x, there_y)
        columns, rows = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
        if asked.any():
            columns[asked], rows[asked] = _grid_of(reader, there_x[asked], there_y[asked])
        return columns, rows

    knots_x, knots_y = _knots(width), _knots(height)
    grid = exact(*np.meshgrid(knots_x, knots_y))
    centres_x: Floats = np.arange(width, dtype=np.float64) + 0.5
    centres_y: Floats = np.arange(height, dtype=np.float64) + 0.5
    middle_x: Floats = (knots_x[:-1] + knots_x[1:]) / 2
    middle_y: Floats = (knots_y[:-1] + knots_y[1:]) / 2
    middles = np.meshgrid(middle_x, middle_y)
    found = exact(*middles)
    # Within a step of the scene, all four knots around a middle were asked for; beyond, nothing is drawn.
    counts = _Near(bbox, around=0.5 * _STEP_PIXELS * max(step_x, step_y))(
        left + middles[0] * step_x, top - middles[1] * step_y
    )
    allowed = _ERROR_PIXELS * max(1.0, _scale(grid[0], grid[1], _STEP_PIXELS))
    for plane, truth in zip(grid, found, strict=True):
        off = np.abs(_bilinear(plane, knots_x, knots_y, middle_x, middle_y) - truth)[counts]
        if off.size and not (np.isfinite(off).all() and off.max() <= allowed):
            return exact(*np.meshgrid(centres_x, centres_y))
    columns, rows = (_bilinear(plane, knots_x, knots_y, centres_x, centres_y) for plane in grid)
    return columns, rows


class _Near:
    """Whether points in EPSG:3857 metres lie within ``around`` metres of a box in degrees, all around the world."""

    def __init__(self, bbox: BBox, *, around: float) -> None:
        west, south, east, north = bbox
        self._left, self._bottom = lonlat_to_mercator(west, south)
        self._right, self._top = lonlat_to_mercator(east if west <= east else east + 360, north)
        self._around = around

    def __call__(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        width = self._right - self._left + 2 * self._around
        across = np.mod(x - self._left + self._around, WORLD_METRES) <= width
        near: NDArray[np.bool_] = across & (y >= self._bottom - self._around) & (y <= self._top + self._around)
        return near


def _knots(length: int) -> Floats:
    return np.unique(np.append(np.arange(0, length, _STEP_PIXELS), length)).astype(np.float64)


def _bilinear(plane: Floats, knots_x: Floats, knots_y: Floats, x: Floats, y: Floats) -> Floats:
    """Return ``plane`` (known at the knots) at all pairs of ``x`` and ``y``."""
    across = np.stack([np.interp(x, knots_x, row) for row in plane])
    below = np.clip(np.searchsorted(knots_y, y, side="right") - 1, 0, len(knots_y) - 2)
    share = ((y - knots_y[below]) / (knots_y[below + 1] - knots_y[below]))[:, None]
    mixed: Floats = across[below] * (1 - share) + across[below + 1] * share
    return mixed


def _grid_of(reader: Reader, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return columns and rows (n,) of the scene's grid at n points in EPSG:3857 metres; NaN: its CRS has no such."""
    if reader.crs is None or reader.transform is None:
        return np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    there_x, there_y = _warped(reader.crs, x, y)
    if (period := _period(reader)) is not None:
        middle_x = reader.transform.c + reader.transform.a * reader.width / 2 + reader.transform.b * reader.height / 2
        there_x = there_x - period * np.round((there_x - middle_x) / period)
    back = ~reader.transform
    return back.a * there_x + back.b * there_y + back.c, back.d * there_x + back.e * there_y + back.f


def _warped(crs: CRS, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return points (n,) in EPSG:3857 in another CRS, NaN where it has none.

    PROJ refuses all points of a call for one that it cannot do; then each half is asked alone.
    """
    from rasterio.errors import RasterioError
    from rasterio.warp import transform as warp

    try:
        xs, ys = warp("EPSG:3857", crs, x, y)
    except Exception as error:
        if not isinstance(error, RasterioError) and not type(error).__module__.startswith("rasterio"):
            raise
        if len(x) == 1:
            return np.full(1, np.nan), np.full(1, np.nan)
        halves = [
            _warped(crs, part_x, part_y)
            for part_x, part_y in zip(np.array_split(x, 2), np.array_split(y, 2), strict=True)
        ]
        return np.concatenate([half[0] for half in halves]), np.concatenate([half[1] for half in halves])
    there_x, there_y = (np.asarray(plane, dtype=np.float64) for plane in (xs, ys))
    return np.where(np.isfinite(there_x), there_x, np.nan), np.where(np.isfinite(there_y), there_y, np.nan)


def _period(reader: Reader) -> float | None:
    """Return after how many units of its CRS the world repeats to the east; None where it does not."""
    from rasterio.warp import transform as warp

    assert reader.crs is not None
    if reader.crs.is_geographic:
        degree = reader.crs.units_factor[1] * 180 / np.pi  # radians per unit, in degrees
        return float(360 / degree)
    if reader.crs.to_dict().get("proj") not in _CYLINDRICAL:
        return None
    xs, _ys = warp("EPSG:4326", reader.crs, [0.0, 1.0], [0.0, 0.0])
    return float(360 * abs(xs[1] - xs[0]))


def _scale(columns: Floats, rows: Floats, step: float) -> float:
    """Return how many pixels of the scene one pixel of the picture covers (the median over the picture)."""
    steps = []
    for axis in (0, 1):
        length = np.hypot(np.diff(columns, axis=axis), np.diff(rows, axis=axis))
        length = length[np.isfinite(length)]
        if length.size:
            steps.append(float(np.median(length)) / step)
    return max(min(steps), 1e-9) if steps else 1.0


def _read_of(reader: Reader, columns: Floats, rows: Floats, inside: NDArray[np.bool_]) -> tuple[Window, Size]:
    """Return the window that the picture needs and the size to read it at.

    Shrunk by a power of two, as overviews are, and begun at a multiple of it, so that neighbouring pictures are made of
    the same averages.
    """
    scale = _scale(columns[::_SPARSE, ::_SPARSE], rows[::_SPARSE, ::_SPARSE], _SPARSE)
    factor = 1 << max(0, round(np.log2(max(1.0, scale))))
    left, right = float(columns[inside].min()), float(columns[inside].max())
    above, below = float(rows[inside].min()), float(rows[inside].max())
    while max(right - left, below - above) / factor > _LONGEST_READ_PIXELS:
        factor *= 2
    start_x, width, out_width = _span(left, right, factor, reader.width)
    start_y, height, out_height = _span(above, below, factor, reader.height)
    return (start_x, start_y, width, height), (out_width, out_height)


def _span(first: float, last: float, factor: int, length: int) -> tuple[int, int, int]:
    margin = _MARGIN_PIXELS * factor
    start = max(0, int((first - margin) // factor) * factor)
    end = min(length, (int((last + margin) // factor) + 1) * factor)
    return start, end - start, max(1, -(-(end - start) // factor))


def _sampled(
    picture: NDArray[np.uint8], rgb: NDArray[np.uint8], mask: NDArray[np.bool_], x: Floats, y: Floats,
    inside: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Write the colours at (x, y) of (h, w, 3) ``rgb`` into the pixels ``inside``: bilinear among those with data."""
    height, width = mask.shape
    x, y = np.clip(x[inside], 0, width - 1), np.clip(y[inside], 0, height - 1)
    left, above = x.astype(np.intp), y.astype(np.intp)
    right, below = np.minimum(left + 1, width - 1), np.minimum(above + 1, height - 1)
    share_x, share_y = (x - left).astype(np.float32), (y - above).astype(np.float32)
    colours, valid = rgb.reshape(-1, 3), mask.ravel()
    gaps = not valid.all()
    mixed, total = np.zeros((x.size, 3), dtype=np.float32), np.zeros(x.size, dtype=np.float32)
    for row, weight_y in ((above * width, 1 - share_y), (below * width, share_y)):
        for column, weight_x in ((left, 1 - share_x), (right, share_x)):
            at, weight = row + column, weight_x * weight_y
            if gaps:
                weight *= valid.take(at)
            total += weight
            mixed += weight[:, None] * colours.take(at, axis=0)
    mixed /= np.maximum(total, 1e-6)[:, None]
    mixed += 0.5
    drawn = np.full((x.size, 4), 255, dtype=np.uint8)
    drawn[:, :3] = mixed
    if gaps:
        drawn[~valid.take(np.rint(y).astype(np.intp) * width + np.rint(x).astype(np.intp))] = 0
    picture[inside] = drawn
