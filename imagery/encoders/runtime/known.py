"""The pictures and texts on which runtimes are compared: the same on every machine, drawn here."""

from typing import Final

import numpy as np
from PIL import Image, ImageDraw

TEXTS: Final = (
    "a satellite photo of an airport with planes beside the terminal",
    "a harbour with boats and a long pier",
    "dense residential area",
    "many green trees are around a lake",
    "circular irrigated fields in a desert",
    "white storage tanks near a railway station",
)
_SIDE_PIXELS: Final = 320


def pictures(count: int = len(TEXTS)) -> list[Image.Image]:
    """``count`` distinct aerial-looking RGB pictures: land in smooth patches, fields, roads, roofs, grain."""
    return [_picture(number) for number in range(count)]


def _picture(number: int) -> Image.Image:
    random = np.random.default_rng(20_240_607 + number)
    coarse = random.integers(40, 200, (5, 5, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((_SIDE_PIXELS, _SIDE_PIXELS), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(4 + 5 * number):
        x, y, w, h = (int(value) for value in random.integers(0, _SIDE_PIXELS, 4))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        shape = random.integers(3)
        if shape == 0:
            draw.rectangle((x, y, x + 8 + w // 6, y + 8 + h // 6), fill=colour)
        elif shape == 1:
            draw.ellipse((x, y, x + 8 + w // 8, y + 8 + w // 8), fill=colour)
        else:
            draw.line((x, y, w, h), fill=colour, width=2 + number % 5)
    grain = random.normal(0, 6, (_SIDE_PIXELS, _SIDE_PIXELS, 1))
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.float64) + grain, 0, 255).astype(np.uint8))
