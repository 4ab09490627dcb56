"""Which windows of a scene are encoded. Pure functions of its size; all windows are in full-resolution pixels.

Level 0 is the whole scene. Levels 1, 2, ... are square windows of 256 * 2^n pixels, coarse to fine, that overlap by a
quarter, so that an object of up to 64 * 2^n pixels lies whole in at least one of them. A level is made only where its
windows are clearly smaller than the scene, and levels end where the scene would get too many windows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FINEST_SIDE_PIXELS: Final = 256
OVERLAP: Final = 0.25
MAX_WINDOWS: Final = 2000
"""Most windows of one scene; larger scenes end at a coarser level."""
MIN_VALID_SHARE: Final = 0.25
"""Windows with less data than this share of their area are not encoded."""
_SMALLER_BY: Final = 1.5
"""A level needs the scene's longest side to be this many windows long."""


@dataclass(frozen=True, order=True)
class TileWindow:
    """A window (x, y, width, height) of a level."""

    level: int
    y: int
    x: int
    width: int
    height: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x, y, width, height)."""
        return (self.x, self.y, self.width, self.height)


def level_sides(width: int, height: int, *, max_windows: int = MAX_WINDOWS) -> list[int]:
    """Return the window side (pixels) of levels 1, 2, ...; coarse to fine; empty for small scenes."""
    longest = max(width, height)
    steps = max(0, math.floor(math.log2(max(1.0, longest / (_SMALLER_BY * FINEST_SIDE_PIXELS)))) + 1)
    if longest < _SMALLER_BY * FINEST_SIDE_PIXELS:
        return []
    sides: list[int] = []
    windows = 1
    for side in (FINEST_SIDE_PIXELS << step for step in reversed(range(steps))):
        windows += len(_starts(width, side)) * len(_starts(height, side))
        if windows > max_windows:
            break
        sides.append(side)
    return sides


def tile_windows(width: int, height: int, *, max_windows: int = MAX_WINDOWS) -> list[TileWindow]:
    """Return all windows of a scene of ``width`` x ``height`` pixels: the whole, then level by level, row by row.

    Windows lie inside the scene; the last of a row or column is moved inwards rather than cut. Raises ValueError
    for an empty scene.
    """
    if width < 1 or height < 1:
        raise ValueError(f"a scene of {width} x {height} pixels has no windows")
    windows = [TileWindow(level=0, x=0, y=0, width=width, height=height)]
    for level, side in enumerate(level_sides(width, height, max_windows=max_windows), start=1):
        windows.extend(_level(level, side, width, height))
    return windows


def with_data(
    windows: Sequence[TileWindow], mask: NDArray[np.bool_], *, width: int, height: int, least: float = MIN_VALID_SHARE
) -> list[TileWindow]:
    """Return the windows with at least the share ``least`` of valid pixels; level 0 always stays.

    ``mask`` is (h, w) bool of the whole scene at any smaller size; ``width``, ``height`` are the scene's.
    """
    if mask.all():
        return list(windows)
    rows, columns = mask.shape
    sums = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    sums[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)

    def share(window: TileWindow) -> float:
        left, right = _span(window.x, window.width, columns / width, columns)
        top, bottom = _span(window.y, window.height, rows / height, rows)
        valid = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return float(valid / ((right - left) * (bottom - top)))

    return [window for window in windows if window.level == 0 or share(window) >= least]


def _span(start: int, length: int, scale: float, end: int) -> tuple[int, int]:
    first = min(int(start * scale), end - 1)
    return first, max(first + 1, min(end, math.ceil((start + length) * scale)))


def _level(level: int, side: int, width: int, height: int) -> Iterator[TileWindow]:
    wide, high = min(side, width), min(side, height)
    for y in _starts(height, side):
        for x in _starts(width, side):
            yield TileWindow(level=level, x=x, y=y, width=wide, height=high)


def _starts(length: int, side: int) -> list[int]:
    """Return where windows of ``side`` begin along ``length`` pixels: evenly spread, overlapping enough."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / (side * (1 - OVERLAP))) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
