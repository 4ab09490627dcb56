"""The captioned images the built-in encoder is trained on, read from a folder and a JSON Lines file.

This module imports torch inside functions only.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .chinese import chinese_caption
from .pixels import IMAGE_SIZE, pixel_block
from .sentences import FEATURE_DIMENSION, SentenceFeatures

_CHINESE_RENDERINGS: Final = 2
_NO_TEXT: Final = -1


@dataclass(frozen=True)
class CaptionedImage:
    """One line of the captions file."""

    path: Path
    captions: tuple[str, ...]
    scene_class: str | None = None


def captioned_images(images: Path, captions: Path, *, split: str) -> list[CaptionedImage]:
    """The images of one split in the order of the file.

    Each line of `captions` is an object with "filename", "split", "captions" (at least one) and perhaps "class"
    (needed for calibration only). Raises
    ValueError naming the line if one is not, and FileNotFoundError if an image is not in the folder.
    """
    found: list[CaptionedImage] = []
    for number, line in enumerate(captions.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row: dict[str, Any] = json.loads(line)
            if row["split"] != split:
                continue
            item = CaptionedImage(
                path=images / row["filename"], captions=tuple(row["captions"]), scene_class=row.get("class")
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{captions}, line {number}: {error!r}") from error
        if not item.captions:
            raise ValueError(f"{captions}, line {number}: no captions.")
        if not item.path.is_file():
            raise FileNotFoundError(f"{captions}, line {number}: {item.path} is not there.")
        found.append(item)
    return found


def load_pixels(items: Sequence[CaptionedImage], store: Path) -> NDArray[np.uint8]:
    """(n, 224, 224, 3) uint8, decoded once and kept in the file `store` (150 kB an image), memory-mapped."""
    if not store.exists():
        block = np.empty((len(items), IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
        for row, item in enumerate(items):
            with Image.open(item.path) as image:
                block[row] = pixel_block([image])[0]
        partial = store.with_suffix(".partial.npy")
        np.save(partial, block)
        partial.rename(store)
    return np.asarray(np.load(store, mmap_mode="c"))


@dataclass
class CaptionTable:
    """All distinct texts of a split with their sentence features, and which image has which.

    `english` and `chinese` are (n, most captions of an image) row numbers in `features`; an image with fewer
    captions repeats its own, a caption without a Chinese rendering has -1.
    """

    features: NDArray[np.float32]
    english: NDArray[np.int64]
    chinese: NDArray[np.int64]
    texts: list[str] = field(default_factory=list)


def caption_table(items: Sequence[CaptionedImage], *, sentences: SentenceFeatures, seed: int) -> CaptionTable:
    """Sentence features of every caption and of up to two rough Chinese renderings of each distinct one."""
    chooser = random.Random(seed)
    rows: dict[str, int] = {}
    renderings: dict[str, list[str | None]] = {}
    width = max(len(item.captions) for item in items)
    english = np.empty((len(items), width), dtype=np.int64)
    chinese = np.full((len(items), width), _NO_TEXT, dtype=np.int64)
    for index, item in enumerate(items):
        for column in range(width):
            caption = item.captions[column % len(item.captions)]
            english[index, column] = rows.setdefault(caption, len(rows))
            known = renderings.setdefault(caption, [])
            if len(known) < _CHINESE_RENDERINGS:
                known.append(chinese_caption(caption, chooser=chooser))
            rendering = chooser.choice(known)
            if rendering is not None:
                chinese[index, column] = rows.setdefault(rendering, len(rows))
    texts = list(rows)
    features = np.empty((len(texts), FEATURE_DIMENSION), dtype=np.float32)
    for block in _blocks(len(texts)):
        features[block] = sentences(texts[block])
    return CaptionTable(features=features, english=english, chinese=chinese, texts=texts)


def _blocks(count: int, size: int = 256) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, start + size)
