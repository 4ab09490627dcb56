"""Drawing a scene on another grid: any scene that knows its place, as a picture in Web Mercator.

The scene is read once, by a window, at about the resolution that is asked for (so overviews are used and memory stays
bounded); every pixel of the picture then looks up where in the scene it lies. Coordinates are transformed at every
16th pixel and interpolated between, exactly where that would be off by more than an eighth of a pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagery.readers import Size, Window

if TYPE_CHECKING:
    from imagery.maptiles import Bounds
    from imagery.readers import Reader
    from imagery.rendering import Renderer

Floats: TypeAlias = NDArray[np.float64]

_STEP_PIXELS: Final = 16
_ERROR_PIXELS: Final = 0.125
_LONGEST_READ_PIXELS: Final = 4096
"""Most pixels of a side that are held of the scene for one picture, however the two grids lie."""
_MARGIN_PIXELS: Final = 2
_CYLINDRICAL: Final = frozenset({"merc", "webmerc", "eqc", "cea", "mill", "gall"})
"""Projections on which the world repeats to the east."""


def mercator_picture(renderer: Renderer, bounds: Bounds, size: Size) -> NDArray[np.uint8]:
    """Return (h, w, 4) uint8 RGBA of the square ``bounds`` (EPSG:3857 metres), transparent where there is no data.

    Raises UnreadableImage. A scene without a place gives a transparent picture.
    """
    columns, rows = pixels_at(renderer.reader, bounds, size)
    reader = renderer.reader
    inside = (columns >= 0) & (columns < reader.width) & (rows >= 0) & (rows < reader.height)
    picture = np.zeros((size[1], size[0], 4), dtype=np.uint8)
    if not inside.any():
        return picture
    window, read_size = _read_of(reader, columns, rows, inside)
    data = renderer.render(window, read_size)
    x = (columns - window[0]) * (read_size[0] / window[2]) - 0.5
    y = (rows - window[1]) * (read_size[1] / window[3]) - 0.5
    _sampled(picture, data.array, data.mask, x, y, inside)
    return picture


def pixels_at(reader: Reader, bounds: Bounds, size: Size) -> tuple[Floats, Floats]:
    """Return (h, w) columns and rows of the scene's grid at the centres of a picture's pixels; NaN: nowhere on it."""
    width, height = size
    left, bottom, right, top = bounds
    step_x, step_y = (right - left) / width, (top - bottom) / height

    def exact(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        return _grid_of(reader, left + x * step_x, top - y * step_y)

    knots_x, knots_y = _knots(width), _knots(height)
    grid = exact(*np.meshgrid(knots_x, knots_y))
    centres_x: Floats = np.arange(width, dtype=np.float64) + 0.5
    centres_y: Floats = np.arange(height, dtype=np.float64) + 0.5
    middle_x: Floats = (knots_x[:-1] + knots_x[1:]) / 2
    middle_y: Floats = (knots_y[:-1] + knots_y[1:]) / 2
    found = exact(*np.meshgrid(middle_x, middle_y))
    allowed = _ERROR_PIXELS * max(1.0, _scale(grid[0], grid[1], _STEP_PIXELS))
    for plane, truth in zip(grid, found, strict=True):
        guess = _bilinear(plane, knots_x, knots_y, middle_x, middle_y)
        off = np.abs(guess - truth)
        if not np.isfinite(off).all() or off.max() > allowed:
            return exact(*np.meshgrid(centres_x, centres_y))
    columns, rows = (_bilinear(plane, knots_x, knots_y, centres_x, centres_y) for plane in grid)
    return columns, rows


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
    """Return columns and rows of the scene's grid at points in EPSG:3857 metres."""
    from rasterio.crs import CRS
    from rasterio.warp import transform as warp

    nowhere = np.full(x.shape, np.nan)
    if reader.crs is None or reader.transform is None:
        return nowhere, nowhere
    xs, ys = warp(CRS.from_epsg(3857), reader.crs, x.ravel(), y.ravel())
    there_x, there_y = np.asarray(xs).reshape(x.shape), np.asarray(ys).reshape(y.shape)
    there_x, there_y = (np.where(np.isfinite(plane), plane, np.nan) for plane in (there_x, there_y))
    if (period := _period(reader)) is not None:
        middle_x = reader.transform.c + reader.transform.a * reader.width / 2 + reader.transform.b * reader.height / 2
        there_x = there_x - period * np.round((there_x - middle_x) / period)
    back = ~reader.transform
    return back.a * there_x + back.b * there_y + back.c, back.d * there_x + back.e * there_y + back.f


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
    scale = _scale(columns, rows, 1.0)
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
    left, above = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    right, below = np.minimum(left + 1, width - 1), np.minimum(above + 1, height - 1)
    share_x, share_y = (x - left).astype(np.float32), (y - above).astype(np.float32)
    total = np.zeros(x.shape, dtype=np.float32)
    colour = np.zeros((*x.shape, 3), dtype=np.float32)
    for row, weight_y in ((above, 1 - share_y), (below, share_y)):
        for column, weight_x in ((left, 1 - share_x), (right, share_x)):
            weight = weight_x * weight_y * mask[row, column]
            total += weight
            colour += weight[:, None] * rgb[row, column]
    seen = mask[np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)]
    colour = np.where(seen[:, None], colour / np.maximum(total, 1e-6)[:, None] + 0.5, 0)
    picture[inside] = np.concatenate([colour, np.where(seen, 255, 0)[:, None]], axis=1).astype(np.uint8)
