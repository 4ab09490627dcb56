"""What the teacher says of one split: its vectors of the pictures and of the captions, Chinese ones included."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.base import unit_rows

from .corpus import CaptionedImage, CaptionTable, kept_captions, kept_pixels
from .teacher import Teacher


@dataclass(frozen=True)
class Lessons:
    """`images` (n, d) are the teacher's rows of the pictures, `texts` (t, d) of the texts of `captions`.

    A Chinese rendering is taught the vector of its English original (the mean of them, if there are several), so that a
    student reads Chinese even if its teacher does not.
    """

    items: Sequence[CaptionedImage]
    captions: CaptionTable
    images: NDArray[np.float32]
    texts: NDArray[np.float32]

    def owners(self, *, chinese: bool = False) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(m,) text numbers of all captions, and the picture each belongs to."""
        columns = self.captions.chinese if chinese else self.captions.english
        picture, _column = np.nonzero(columns >= 0)
        return columns[columns >= 0], picture


def kept_lessons(
    items: Sequence[CaptionedImage], *, split: str, teacher: Teacher, folder: Path, seed: int
) -> tuple[Lessons, NDArray[np.uint8]]:
    """The lessons of a split and its pictures' (n, S, S, 3) pixels, made once and kept in `folder`."""
    captions = kept_captions(items, folder / f"{split}_captions.npz", seed=seed)
    lessons = Lessons(
        items=items,
        captions=captions,
        images=teacher.picture_rows(items, folder / f"teacher_{split}.npy"),
        texts=_text_targets(items, captions, teacher, folder / f"teacher_{split}_texts.npy"),
    )
    return lessons, kept_pixels(items, folder / f"{split}_pixels.npy")


def _text_targets(
    items: Sequence[CaptionedImage], captions: CaptionTable, teacher: Teacher, store: Path
) -> NDArray[np.float32]:
    written = {
        int(row): item.captions[column % len(item.captions)]
        for item, rows in zip(items, captions.english, strict=True)
        for column, row in enumerate(rows)
    }
    numbers = sorted(written)
    targets = np.zeros((len(captions.features), teacher.dimension), dtype=np.float32)
    targets[numbers] = teacher.text_rows([written[number] for number in numbers], store)
    rendered = captions.chinese >= 0
    pairs = np.unique(np.stack([captions.chinese[rendered], captions.english[rendered]], axis=1), axis=0)
    np.add.at(targets, pairs[:, 0], targets[pairs[:, 1]])
    return unit_rows(targets)
