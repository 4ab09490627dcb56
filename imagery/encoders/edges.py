"""Edge maps: what a picture looks like as a line drawing, dark thin lines on white. Pure numpy and Pillow.

They stand in for hand drawings, of which no archive has any: ``services.sketches`` learns from them how to read a
sketch. The lines are those of Canny ("A computational approach to edge detection", 1986): smoothed gradients, thinned
to their ridges, strong ones followed along weak ones. As people draw fewer, longer and less exact lines than a
picture has, short ones are left out, parts are rubbed out, and the rest is bent a little.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

SIDE_PIXELS: Final = 224
"""Side of the square in which lines are found and drawn."""
_WEAK: Final = 0.4  # Canny's lower threshold as a share of the upper one.
_FAINTEST: Final = 4.0  # grey levels a pixel; a weaker gradient is noise, however flat the picture is
_STEPS: Final = 80  # pixels along which a line is followed
_NOISE_CELLS: Final = 9  # lengths of bends and gaps: about 25 px


@dataclass(frozen=True)
class Style:
    """How a picture is drawn. Lengths in pixels of a square of 224.

    ``smooth`` is the sigma before gradients are taken, ``ink`` the share of pixels whose gradient counts as strong,
    ``width`` the width of lines (odd), ``shortest`` the least number of pixels of a line, ``gaps`` the share of the
    drawing that is rubbed out, ``bend`` the standard deviation by which lines are off their place.
    """

    smooth: float = 1.5
    ink: float = 0.06
    width: int = 1
    shortest: int = 0
    gaps: float = 0.0
    bend: float = 0.0


def edge_map(picture: Image.Image, *, style: Style, seed: int = 0) -> Image.Image:
    """The picture as a line drawing: 224 x 224, mode "L", lines 0 on 255. ``seed`` draws the gaps and bends."""
    grey = picture.convert("L").resize((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.BICUBIC)
    lines = _lines(np.asarray(grey, dtype=np.float32), smooth=style.smooth, ink=style.ink)
    if style.shortest > 1:
        lines = _long(lines, style.shortest)
    chance = np.random.default_rng(seed)
    if style.bend > 0:
        lines = _bent(lines, style.bend, chance)
    if style.gaps > 0:
        noise = _noise(chance)
        lines &= noise > np.quantile(noise, style.gaps)
    drawn = Image.fromarray(np.where(lines, 0, 255).astype(np.uint8))
    return drawn.filter(ImageFilter.MinFilter(style.width)) if style.width > 1 else drawn


def _lines(grey: NDArray[np.float32], *, smooth: float, ink: float) -> NDArray[np.bool_]:
    """Canny's edges of a grey picture (s, s), the upper threshold being where ``ink`` of all pixels lie above it."""
    soft = _smoothed(grey, smooth)
    down, right = (np.asarray(slope, dtype=np.float32) for slope in np.gradient(soft))
    strength = np.hypot(down, right)
    ridge = _ridges(strength, down, right)
    upper = max(float(np.quantile(strength, 1 - ink)), _FAINTEST)
    weak = ridge & (strength >= _WEAK * upper)
    found = ridge & (strength >= upper)
    for _ in range(_STEPS):
        grown = _spread(found) & weak
        if np.array_equal(grown, found):
            break
        found = grown
    return found


def _smoothed(grey: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    reach = max(1, round(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    rows, columns = grey.shape
    wide = np.pad(grey, ((reach, reach), (0, 0)), mode="edge")
    tall = sum(share * wide[at : at + rows] for at, share in enumerate(kernel))
    wide = np.pad(np.asarray(tall, dtype=np.float32), ((0, 0), (reach, reach)), mode="edge")
    return np.asarray(sum(share * wide[:, at : at + columns] for at, share in enumerate(kernel)), dtype=np.float32)


def _ridges(strength: NDArray[np.float32], down: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels whose gradient is not weaker than that of both neighbours across the edge."""
    wide = np.pad(strength, 1)
    side = len(strength)

    def at(row: int, column: int) -> NDArray[np.float32]:
        return wide[1 + row : 1 + row + side, 1 + column : 1 + column + side]

    eighth = np.round(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4
    across = ((0, 1), (1, 1), (1, 0), (1, -1))
    kept = np.zeros(strength.shape, dtype=bool)
    for turn, (row, column) in enumerate(across):
        kept |= (eighth == turn) & (strength > at(row, column)) & (strength >= at(-row, -column))
    return kept


def _spread(lines: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Lines with the pixels beside them."""
    tall = lines.copy()
    tall[1:] |= lines[:-1]
    tall[:-1] |= lines[1:]
    wide = tall.copy()
    wide[:, 1:] |= tall[:, :-1]
    wide[:, :-1] |= tall[:, 1:]
    return wide


def _long(lines: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    """Lines of at least ``shortest`` connected pixels."""
    rows, columns = np.nonzero(lines)
    count = len(rows)
    place = np.full((lines.shape[0] + 2, lines.shape[1] + 2), count)
    place[rows + 1, columns + 1] = np.arange(count)
    beside = np.stack([place[rows + down, columns + right] for down in range(3) for right in range(3)])
    label = np.append(np.arange(1, count + 1), 0)
    for _ in range(_STEPS):  # Each pixel takes the largest number of those beside it.
        grown = label[beside].max(axis=0)
        if np.array_equal(grown, label[:count]):
            break
        label[:count] = grown
    kept = np.bincount(label[:count], minlength=1)[label[:count]] >= shortest
    long = np.zeros_like(lines)
    long[rows[kept], columns[kept]] = True
    return long


def _bent(lines: NDArray[np.bool_], bend: float, chance: np.random.Generator) -> NDArray[np.bool_]:
    side = len(lines)
    rows, columns = np.nonzero(lines)
    shift = [bend * _noise(chance)[rows, columns] for _ in (0, 1)]
    bent = np.zeros_like(lines)
    bent[
        np.clip(np.round(rows + shift[0]).astype(int), 0, side - 1),
        np.clip(np.round(columns + shift[1]).astype(int), 0, side - 1),
    ] = True
    return bent


def _noise(chance: np.random.Generator) -> NDArray[np.float32]:
    """A smooth random field (224, 224) of mean 0 and standard deviation 1."""
    cells = Image.fromarray(chance.standard_normal((_NOISE_CELLS, _NOISE_CELLS)).astype(np.float32))
    field = np.asarray(cells.resize((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.BICUBIC))
    return (field - field.mean()) / max(float(field.std()), 1e-6)
