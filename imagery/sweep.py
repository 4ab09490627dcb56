"""Windows of a large scene drawn in one walk from its top to its bottom, so that every pixel is read about once.

Read one by one, the windows of all levels would decode a scene without overviews once per level, and where they
overlap once more. The walk reads a strip of rows at the resolution of the finest windows, cuts from it what it
completes, halves it for the next coarser windows, and so on; it keeps only the rows that windows still need, so that
memory depends on neither the height of the scene nor the number of its windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.readers import Size
from imagery.rendering import Renderer
from imagery.tiling import TileWindow

LONGEST_TO_SHORTEST: Final = 4
"""Long strips are drawn for the encoder with at most this proportion."""
_WIDEST_PIXELS: Final = 24_000
"""A walk is no wider than this, at its own resolution; wider scenes are walked in several columns."""
_ONE_BY_ONE_PIXELS: Final = 4_000_000
"""Windows of scenes up to this size are read one by one: they lie in the cache of blocks."""
_FEWEST_ROWS: Final = 256
_STRIP_BYTES: Final = 48 * 1024**2
_READ_BYTES: Final = 8 * 1024**2
"""Samples that are read at once, in the file's own type."""
_LEVELS_A_WALK: Final = 3
"""Of scenes too wide for one walk, so many resolutions share one: coarser windows are so large that no column fits."""


def windows_drawn(
    renderer: Renderer, windows: Sequence[TileWindow], *, image_size: int, whole: Callable[[], NDArray[np.uint8]]
) -> Iterator[tuple[TileWindow, Image.Image]]:
    """Yield each of ``windows`` with its picture for an encoder that wants ``image_size`` pixels; never enlarged.

    Large scenes are walked through once, others window by window. ``whole`` gives the (h, w, 3) picture of the whole
    scene, asked for if that is a window. Pictures come as they are drawn, so that few are in memory at a time. Raises
    UnreadableImage.
    """
    reader = renderer.reader
    rest = []
    for window in windows:
        if window.level:
            rest.append(window)
        else:
            yield window, shrunk(Image.fromarray(whole()), drawn_size((window.width, window.height), image_size))
    if len(rest) > 1 and reader.block and reader.mixable and reader.width * reader.height > _ONE_BY_ONE_PIXELS:
        yield from windows_swept(renderer, rest, image_size=image_size)
        return
    for window in rest:
        yield window, window_drawn(renderer, window, image_size)


def window_drawn(renderer: Renderer, window: TileWindow, image_size: int) -> Image.Image:
    """Return the window with its shorter side at the encoder's size (never enlarged). Raises UnreadableImage."""
    size = drawn_size((window.width, window.height), image_size)
    return Image.fromarray(renderer.render(window.box, size).array)


def shrunk(image: Image.Image, size: Size) -> Image.Image:
    """Return the picture at ``size``, or as it is when that is no smaller."""
    return image if size == image.size or image.width < size[0] else image.resize(size, Image.Resampling.BOX)


def drawn_size(size: Size, image_size: int) -> Size:
    """Return the size at which a window of ``size`` is drawn: its shorter side at the encoder's, never enlarged."""
    shorter, longer = min(size), max(size)
    factor = min(1.0, image_size / shorter, 1.0 if longer <= image_size else LONGEST_TO_SHORTEST * image_size / longer)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def windows_swept(
    renderer: Renderer, windows: Sequence[TileWindow], *, image_size: int
) -> Iterator[tuple[TileWindow, Image.Image]]:
    """Yield each of ``windows`` (none of level 0) with its picture, in the order in which the walk completes them.

    Pictures are those of :meth:`Renderer.render` but for rounding and for where a sample is clipped by the stretch:
    here before it is averaged with its neighbours. Raises UnreadableImage.
    """
    for part in _walks(windows, image_size):
        yield from _Walk(renderer, part, image_size).run()


@dataclass(frozen=True)
class _Wanted:
    window: TileWindow
    halvings: int
    """How often the scene may be halved before the window has fewer pixels than the encoder wants."""
    size: Size


def _walks(windows: Sequence[TileWindow], image_size: int) -> Iterator[list[_Wanted]]:
    """Split windows into walks that fit into memory: by column, and coarse ones apart from fine ones."""
    rest = []
    for window in windows:
        size = drawn_size((window.width, window.height), image_size)
        times = min(window.width / size[0], window.height / size[1])
        rest.append(_Wanted(window, max(0, math.floor(math.log2(times) + 1e-9)), size))
    while rest:
        finest = min(wanted.halvings for wanted in rest)
        widest = _WIDEST_PIXELS << finest
        if _extent(rest) <= widest:
            yield rest
            return
        fine = [wanted for wanted in rest if wanted.halvings < finest + _LEVELS_A_WALK]
        rest = [wanted for wanted in rest if wanted.halvings >= finest + _LEVELS_A_WALK]
        room = max(widest - max(wanted.window.width for wanted in fine), widest // 2)
        columns: dict[int, list[_Wanted]] = {}
        for wanted in fine:
            columns.setdefault(wanted.window.x // room, []).append(wanted)
        yield from (columns[number] for number in sorted(columns))


def _extent(wanted: Sequence[_Wanted]) -> int:
    return max(w.window.x + w.window.width for w in wanted) - min(w.window.x for w in wanted)


@dataclass
class _Rows:
    """Rows of the scene at one resolution, from ``top`` on, and the windows that are cut from them."""

    pixels: NDArray[np.uint8]
    waiting: list[_Wanted]
    """In the order of their last row."""
    needed: list[float] = field(default_factory=list)
    """Of ``waiting`` from each place on: the first row any of them needs."""
    top: int = 0
    filled: int = 0

    def room(self, rows: int) -> NDArray[np.uint8]:
        """Let go of rows nobody needs and return where the next ``rows`` are to be written."""
        first = self.top + self.filled if not self.needed else max(self.top, math.floor(self.needed[0]))
        if (gone := min(first - self.top, self.filled)) > 0:
            kept = self.filled - gone
            self.pixels[:kept] = self.pixels[gone : self.filled]
            self.top, self.filled = self.top + gone, kept
        if self.filled + rows > len(self.pixels):
            grown = np.empty((self.filled + rows, *self.pixels.shape[1:]), dtype=np.uint8)
            grown[: self.filled] = self.pixels[: self.filled]
            self.pixels = grown
        self.filled += rows
        return self.pixels[self.filled - rows : self.filled]


class _Walk:
    """One walk over the rows that ``wanted`` lie in."""

    def __init__(self, renderer: Renderer, wanted: Sequence[_Wanted], image_size: int) -> None:
        self.renderer, self.reader, self.image_size = renderer, renderer.reader, image_size
        self.finest = min(w.halvings for w in wanted)
        self.coarsest = max(w.halvings for w in wanted)
        whole = 1 << self.coarsest
        self.left = min(w.window.x for w in wanted) // whole * whole
        self.top = min(w.window.y for w in wanted) // whole * whole
        self.right = min(self.reader.width, -(-max(w.window.x + w.window.width for w in wanted) // whole) * whole)
        self.bottom = min(self.reader.height, -(-max(w.window.y + w.window.height for w in wanted) // whole) * whole)
        self.step = 1 << self.finest
        self.width = max(1, -(-(self.right - self.left) // self.step))
        self.scale_x = self.width / (self.right - self.left)
        self.strip = self._strip_rows(whole)
        self.rows = {level: self._rows(level, wanted) for level in range(self.finest, self.coarsest + 1)}

    def run(self) -> Iterator[tuple[TileWindow, Image.Image]]:
        for top in range(self.top, self.bottom, self.strip):
            height = min(self.strip, self.bottom - top)
            rgb = self.rows[self.finest].room(-(-height // self.step))
            mask = self._read(top, height, rgb)
            last = top + height >= self.bottom
            for level, rows in self.rows.items():
                if level > self.finest:
                    rgb, mask = _halved(rgb, mask, rows)
                yield from self._cut(level, rows, last)

    def _rows(self, level: int, wanted: Sequence[_Wanted]) -> _Rows:
        mine = sorted((w for w in wanted if w.halvings == level), key=lambda w: w.window.y + w.window.height)
        needed, first = [], math.inf
        for each in reversed(mine):
            first = min(first, (each.window.y - self.top) / (1 << level))
            needed.append(first)
        tallest = max((w.window.height for w in mine), default=0)
        width = self.width
        for _halving in range(level - self.finest):
            width = -(-width // 2)
        room = -(-(tallest + self.strip) // (1 << level)) + 2
        return _Rows(np.empty((room, width, 3), dtype=np.uint8), mine, needed[::-1])

    def _strip_rows(self, whole: int) -> int:
        """Return how many source rows are read at a time: whole blocks of the file if memory allows."""
        block = self.reader.block[1] if self.reader.block and self.finest == 0 else 0
        rows = max(block, _FEWEST_ROWS * self.step)
        most = _STRIP_BYTES // (3 * self.width) * self.step
        return max(whole, min(-(-rows // whole) * whole, most // whole * whole))

    def _read(self, top: int, height: int, rgb: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
        """Fill ``rgb`` with the strip; return its mask, or None when every pixel has data."""
        mask: NDArray[np.bool_] | None = None
        for x, y, width, high in self._pieces(height):
            across = slice(x // self.step, -(-(x + width) // self.step))
            down = slice(y // self.step, -(-(y + high) // self.step))
            size = (across.stop - across.start, down.stop - down.start)
            data = self.renderer.render((self.left + x, top + y, width, high), size)
            rgb[down, across] = data.array
            if not data.mask.all():
                mask = np.ones(rgb.shape[:2], dtype=np.bool_) if mask is None else mask
                mask[down, across] = data.mask
        return mask

    def _pieces(self, height: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield the parts (x, y, width, height) in which a strip is read, small enough and along the file's blocks."""
        width = self.right - self.left
        sample = np.dtype(self.reader.dtype).itemsize * 3
        block = self.reader.block or (width, 1)
        pixels = _READ_BYTES // sample * self.step**2
        if block[0] >= width:
            high = max(self.step, pixels // width // self.step * self.step)
            for y in range(0, height, high):
                yield 0, y, width, min(high, height - y)
            return
        unit = block[0] if self.step == 1 else self.step
        wide = max(unit, pixels // height // unit * unit)
        first = -(self.left % unit) % unit or wide
        edges = [0, *range(min(first, wide), width, wide), width]
        for x, end in pairwise(edges):
            yield x, 0, end - x, height

    def _cut(self, level: int, rows: _Rows, last: bool) -> Iterator[tuple[TileWindow, Image.Image]]:
        done = 0
        scale_x, scale_y = self.scale_x * self.step / (1 << level), 1 / (1 << level)
        for wanted in rows.waiting:
            window = wanted.window
            top, bottom = (window.y - self.top) * scale_y, (window.y + window.height - self.top) * scale_y
            if bottom > rows.top + rows.filled and not last:
                break
            left, right = (window.x - self.left) * scale_x, (window.x + window.width - self.left) * scale_x
            yield window, _cropped(rows, (left, top - rows.top, right, bottom - rows.top), wanted.size)
            done += 1
        del rows.waiting[:done], rows.needed[:done]


def _cropped(rows: _Rows, box: tuple[float, float, float, float], size: Size) -> Image.Image:
    """Return the part of the rows inside ``box`` (left, top, right, bottom; fractions count) at ``size``."""
    right, bottom = min(box[2], rows.pixels.shape[1]), min(box[3], rows.filled)
    x, y = math.floor(box[0] + 1e-6), math.floor(box[1] + 1e-6)
    piece = rows.pixels[y : math.ceil(bottom - 1e-6), x : math.ceil(right - 1e-6)]
    image = Image.fromarray(np.ascontiguousarray(piece))
    inside = (max(0.0, box[0] - x), max(0.0, box[1] - y), min(right - x, image.width), min(bottom - y, image.height))
    if size == image.size and all(abs(edge - round(edge)) < 1e-6 for edge in inside):
        return image
    # Not BOX, which takes or leaves whole pixels: a triangle comes nearest to the average over each target pixel.
    return image.resize(size, Image.Resampling.BILINEAR, box=inside)


def _halved(
    rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None, into: _Rows
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Append to ``into`` the (h, w, 3) strip at half its size; averages count only pixels with data.

    Return what was appended, and its mask. Pixels without data are black; an odd last row or column stands alone.
    """
    half = into.room(-(-rgb.shape[0] // 2))
    for x in _chunks(half.shape[1]):
        half[:, x] = np.asarray(Image.fromarray(np.ascontiguousarray(rgb[:, 2 * x.start : 2 * x.stop])).reduce(2))
    if mask is None:
        return half, None
    counted = _counts(mask)
    ones = _counts(np.ones_like(mask))
    edges = (counted > 0) & (counted < ones)
    bright = half[edges].astype(np.float32) * (ones[edges] / counted[edges])[:, None]
    half[edges] = np.minimum(bright + 0.5, 255).astype(np.uint8)
    return half, counted > 0


def _chunks(width: int, wide: int = 1024) -> Iterable[slice]:
    return (slice(x, min(width, x + wide)) for x in range(0, width, wide))


def _counts(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return of each two by two pixels how many are True."""
    padded = np.pad(mask, ((0, mask.shape[0] % 2), (0, mask.shape[1] % 2))).astype(np.uint8)
    counts: NDArray[np.uint8] = padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]
    return counts
