"""Which windows of a scene are encoded. Pure functions of its size; all windows are in full-resolution pixels.

Level 0 is the whole scene. Levels 1, 2, ... are square windows of 256 * 2^n pixels, coarse to fine, that overlap by a
quarter to a half, so that an object of up to that share of a window's side lies whole in at least one of them. A level
is made only where its windows are clearly smaller than the scene and, when the scene's sampling is known, not finer
or coarser than its collection wants; levels end where the scene would get too many windows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    from imagery.models import Collection

FINEST_SIDE_PIXELS: Final = 256
OVERLAPS: Final = (0.25, 0.5)
"""Least and most overlap of neighbouring windows, as a share of their side."""
MAX_WINDOWS: Final = 2000
"""Most windows of one scene unless its collection says otherwise; larger scenes end at a coarser level."""
WINDOWS_LIMIT: Final = 100_000
"""No collection may ask for more windows of one scene."""
MIN_VALID_SHARE: Final = 0.25
"""Windows with less data than this share of their area are not encoded."""
_SMALLER_BY: Final = 1.5
"""A level needs the scene's longest side to be this many windows long."""
_GSD_TOLERANCE: Final = 1.01
"""A sampling is measured, so one that is off by a hundredth still is what a limit names."""


@dataclass(frozen=True)
class TileRule:
    """How scenes of a collection are cut.

    ``overlap``: of neighbouring windows at least, as a share of their side. ``gsd_min``, ``gsd_max``: finest and
    coarsest sampling of windows in metres per pixel (None: no limit), where a window of ``side`` source pixels of ``g``
    metres is sampled at ``g * side / 256``; they never concern the whole scene, nor scenes of unknown sampling.
    ``most``: windows of one scene.
    """

    overlap: float = OVERLAPS[0]
    gsd_min: float | None = None
    gsd_max: float | None = None
    most: int = MAX_WINDOWS

    @classmethod
    def of(cls, collection: Collection) -> Self:
        """Return the rule of a collection's scenes."""
        return cls(
            overlap=collection.tile_overlap,
            gsd_min=collection.tile_gsd_min,
            gsd_max=collection.tile_gsd_max,
            most=collection.tile_most,
        )

    def require_sensible(self) -> None:
        """Raise InvalidInput naming the collection's field and what it may be."""
        if not OVERLAPS[0] <= self.overlap <= OVERLAPS[1]:  # Also refuses what is not a number.
            message = _("Windows overlap by %(least)s to %(most)s of their side; %(found)s is outside.") % {
                "least": f"{OVERLAPS[0]:g}", "most": f"{OVERLAPS[1]:g}", "found": f"{self.overlap:g}",
            }  # fmt: skip
            raise InvalidInput(message, field="tile_overlap")
        for name, value in (("tile_gsd_min", self.gsd_min), ("tile_gsd_max", self.gsd_max)):
            if value is not None and not (0 < value < math.inf):
                message = _("A sampling is a number of metres per pixel above 0; %s is none.") % f"{value:g}"
                raise InvalidInput(message, field=name)
        if self.gsd_min is not None and self.gsd_max is not None and self.gsd_max < self.gsd_min:
            message = _(
                "The coarsest sampling of windows (%(coarsest)s m) is finer than the finest (%(finest)s m); swap them."
            ) % {"coarsest": f"{self.gsd_max:g}", "finest": f"{self.gsd_min:g}"}
            raise InvalidInput(message, field="tile_gsd_max")
        if not 1 <= self.most <= WINDOWS_LIMIT:
            message = _("A scene has 1 to %(limit)s windows; %(found)s is outside.") % {
                "limit": f"{WINDOWS_LIMIT:,}", "found": f"{self.most:,}",
            }  # fmt: skip
            raise InvalidInput(message, field="tile_most")

    def wants(self, side: int, gsd_m: float | None) -> bool:
        """Whether windows of ``side`` source pixels are neither too fine nor too coarse."""
        if gsd_m is None:
            return True
        sampling = gsd_m * side / FINEST_SIDE_PIXELS
        fine_enough = self.gsd_max is None or sampling <= self.gsd_max * _GSD_TOLERANCE
        return fine_enough and (self.gsd_min is None or sampling * _GSD_TOLERANCE >= self.gsd_min)


DEFAULT_RULE: Final = TileRule()


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


def level_sides(width: int, height: int, *, rule: TileRule = DEFAULT_RULE, gsd_m: float | None = None) -> list[int]:
    """Return the window side (pixels) of levels 1, 2, ...; coarse to fine; empty for small scenes.

    ``gsd_m`` is the scene's ground sample distance in metres.
    """
    longest = max(width, height)
    if longest < _SMALLER_BY * FINEST_SIDE_PIXELS:
        return []
    steps = math.floor(math.log2(longest / (_SMALLER_BY * FINEST_SIDE_PIXELS))) + 1
    sides: list[int] = []
    windows = 1
    for side in (FINEST_SIDE_PIXELS << step for step in reversed(range(steps))):
        if not rule.wants(side, gsd_m):
            continue
        windows += len(_starts(width, side, rule.overlap)) * len(_starts(height, side, rule.overlap))
        if windows > rule.most:
            break
        sides.append(side)
    return sides


def tile_windows(
    width: int, height: int, *, rule: TileRule = DEFAULT_RULE, gsd_m: float | None = None
) -> list[TileWindow]:
    """Return all windows of a scene of ``width`` x ``height`` pixels: the whole, then level by level, row by row.

    Windows lie inside the scene; the last of a row or column is moved inwards rather than cut. Raises ValueError
    for an empty scene.
    """
    if width < 1 or height < 1:
        raise ValueError(f"a scene of {width} x {height} pixels has no windows")
    windows = [TileWindow(level=0, x=0, y=0, width=width, height=height)]
    for level, side in enumerate(level_sides(width, height, rule=rule, gsd_m=gsd_m), start=1):
        windows.extend(_level(level, side, width, height, rule.overlap))
    return windows


def all_windows_count(width: int, height: int, *, rule: TileRule = DEFAULT_RULE, gsd_m: float | None = None) -> int:
    """Return how many windows the scene would have if ``rule.most`` did not end its levels early."""
    sides = level_sides(width, height, rule=replace(rule, most=2**63), gsd_m=gsd_m)
    return 1 + sum(len(_starts(width, side, rule.overlap)) * len(_starts(height, side, rule.overlap)) for side in sides)


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


def _level(level: int, side: int, width: int, height: int, overlap: float) -> Iterator[TileWindow]:
    wide, high = min(side, width), min(side, height)
    for y in _starts(height, side, overlap):
        for x in _starts(width, side, overlap):
            yield TileWindow(level=level, x=x, y=y, width=wide, height=high)


def _starts(length: int, side: int, overlap: float) -> list[int]:
    """Return where windows of ``side`` begin along ``length`` pixels: evenly spread, overlapping enough."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / (side * (1 - overlap))) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
