"""Drawings for tests."""

import io

import numpy as np
from PIL import Image, ImageDraw

Colour = int | tuple[int, ...] | str


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


def house(size: int = 300, *, ink: Colour = 0, paper: Colour = 255, mode: str = "L") -> Image.Image:
    image = Image.new(mode, (size, size), paper)
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, 100, 240, 250), outline=ink, width=6)
    draw.line((50, 100, 150, 30, 250, 100), fill=ink, width=6)
    return image


def shares(drawing: Image.Image) -> tuple[float, float]:
    """Shares of paper and of ink."""
    values = np.asarray(drawing)
    return float((values > 250).mean()), float((values < 60).mean())
