"""The captioned images the built-in encoder is trained on, read from a folder and a JSON Lines file.

This module imports torch inside functions only.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rsportal.errors import InvalidInput

from .chinese import chinese_caption
from .pixels import IMAGE_SIZE, pixel_block
from .run_folder import replacing
from .sentences import FEATURE_DIMENSION, SentenceFeatures

_CHINESE_RENDERINGS: Final = 2
_NO_TEXT: Final = -1
# One picture has nothing to be told apart from.
_FEWEST_IMAGES: Final = 2


@dataclass(frozen=True)
class CaptionedImage:
    """One line of the captions file."""

    path: Path
    captions: tuple[str, ...]
    scene_class: str | None = None


def captioned_images(images: Path, captions: Path, *, split: str) -> list[CaptionedImage]:
    """The images of one split, at least two, in the order of the file.

    Each line of `captions` is an object with "filename", "split", "captions" (at least one) and perhaps "class"
    (needed for calibration only). Raises InvalidInput naming the file, and the line if one is not such an object or
    its image is not in the folder.
    """
    try:
        lines = captions.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{captions} cannot be read ({error}).", field="captions") from error
    found: list[CaptionedImage] = []
    for number, line in enumerate(lines, start=1):
        try:
            row: dict[str, Any] = json.loads(line)
            if row["split"] != split:
                continue
            item = CaptionedImage(
                path=images / row["filename"], captions=tuple(row["captions"]), scene_class=row.get("class")
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(f"{captions}, line {number}: {error!r}.", field="captions") from error
        if not item.captions:
            raise InvalidInput(f"{captions}, line {number}: no captions.", field="captions")
        if not item.path.is_file():
            raise InvalidInput(f"{captions}, line {number}: {item.path} is not there.", field="images")
        found.append(item)
    if len(found) < _FEWEST_IMAGES:
        raise InvalidInput(
            f"{captions}: the split “{split}” has {len(found)} images, but it needs {_FEWEST_IMAGES}.", field="captions"
        )
    return found


def kept_pixels(items: Sequence[CaptionedImage], store: Path) -> NDArray[np.uint8]:
    """(n, 224, 224, 3) uint8, decoded once and kept in the file `store` (150 kB an image), memory-mapped.

    Raises InvalidInput naming an image that cannot be decoded.
    """
    if not store.exists():
        block = np.empty((len(items), IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
        for row, item in enumerate(items):
            try:
                with Image.open(item.path) as image:
                    block[row] = pixel_block([image])[0]
            except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for some broken files.
                raise InvalidInput(f"{item.path} cannot be read as a picture ({error}).", field="images") from error
        with replacing(store) as partial:
            np.save(partial, block)
    return np.asarray(np.load(store, mmap_mode="c"))


@dataclass(frozen=True)
class CaptionTable:
    """Sentence features of all distinct texts of a split, and which image has which.

    `features` is (texts, FEATURE_DIMENSION). `english` and `chinese` are (n, most captions of an image) row numbers
    in it; an image with fewer captions repeats its own, a caption without a Chinese rendering has -1.
    """

    features: NDArray[np.float32]
    english: NDArray[np.int64]
    chinese: NDArray[np.int64]


def kept_captions(items: Sequence[CaptionedImage], store: Path, *, seed: int) -> CaptionTable:
    """The table of the captions of these images, made once and kept in the file `store` (.npz)."""
    if not store.exists():
        table = caption_table(items, sentences=SentenceFeatures(), seed=seed)
        with replacing(store) as partial:
            np.savez(partial, features=table.features, english=table.english, chinese=table.chinese)
    with np.load(store, allow_pickle=False) as kept:
        return CaptionTable(features=kept["features"], english=kept["english"], chinese=kept["chinese"])


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
    return CaptionTable(features=features, english=english, chinese=chinese)


def _blocks(count: int, size: int = 256) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, start + size)
