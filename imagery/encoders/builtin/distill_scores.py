"""How near a student is to its teacher, and how well each of them retrieves. Pure numpy."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagery.evaluation.recall import retrieval_recall

from .distill_lessons import Lessons

_FIRST: Final = 10
# A list of the first ten says nothing where there are not many more pictures.
_LEAST_TIMES: Final = 4
_SMALLEST_SPREAD: Final = 1e-6


def agreement(lessons: Lessons, images: NDArray[np.float32] | None, texts: NDArray[np.float32]) -> dict[str, float]:
    """The student's (n, d) `images` (None: it has none) and (t, d) `texts` against the lessons of the same split.

    Returns mean cosines to the teacher (`image_cosine`, `text_cosine`, `chinese_cosine`), the share of the teacher's
    variance they explain (`image_explained` and so on: 1 is all, 0 is what the teacher's mean vector alone explains),
    and shares of the teacher's first ten pictures that the student finds too: `overlap` among its own pictures,
    `cross_overlap` among the teacher's. `score`, by which a student is chosen, is the mean of the last two. What
    cannot be told is left out.
    """
    english, _ = lessons.owners()
    chinese, _ = lessons.owners(chinese=True)
    queries = np.unique(english)
    told = _nearness("text", texts[queries], lessons.texts[queries])
    if len(chinese):
        chinese = np.unique(chinese)
        told |= _nearness("chinese", texts[chinese], lessons.texts[chinese])
    first = _first(lessons.texts[queries], lessons.images)
    told["cross_overlap"] = _shared(first, _first(texts[queries], lessons.images))
    shares = [told["cross_overlap"]]
    if images is not None:
        told |= _nearness("image", images, lessons.images)
        told["overlap"] = _shared(first, _first(texts[queries], images))
        shares.append(told["overlap"])
    return {**told, "score": float(np.mean(shares))}


def retrieval(
    lessons: Lessons, images: NDArray[np.float32] | None, texts: NDArray[np.float32]
) -> dict[str, dict[str, float]]:
    """`retrieval_recall` of each pair of sides: who read the pictures and who the captions.

    "teacher", "student", "cross" (the student's texts find the teacher's pictures); "student_zh" and "cross_zh" with
    the Chinese renderings. The student's own are absent without `images`.
    """
    rows, owner = lessons.owners()
    told = {
        "teacher": retrieval_recall(lessons.images, lessons.texts[rows], owner),
        "cross": retrieval_recall(lessons.images, texts[rows], owner),
    }
    chinese, chinese_owner = lessons.owners(chinese=True)
    if len(chinese):
        told["cross_zh"] = retrieval_recall(lessons.images, texts[chinese], chinese_owner)
    if images is not None:
        told["student"] = retrieval_recall(images, texts[rows], owner)
        if len(chinese):
            told["student_zh"] = retrieval_recall(images, texts[chinese], chinese_owner)
    return told


def spread(rows: NDArray[np.float32]) -> float:
    """The mean of 1 - cosine of unit rows (n, d) to their mean, the one vector nearest to them all; never 0."""
    return max(_SMALLEST_SPREAD, float(1 - np.linalg.norm(rows.mean(axis=0))))


def _nearness(name: str, rows: NDArray[np.float32], targets: NDArray[np.float32]) -> dict[str, float]:
    cosine = float((rows * targets).sum(axis=1).mean())
    return {f"{name}_cosine": cosine, f"{name}_explained": 1 - (1 - cosine) / spread(targets)}


def _first(texts: NDArray[np.float32], images: NDArray[np.float32]) -> NDArray[np.int64]:
    """(t, k) numbers of the best pictures of each text, in no order."""
    count = max(1, min(_FIRST, len(images) // _LEAST_TIMES))
    return np.argpartition(-(texts @ images.T), count - 1, axis=1)[:, :count]


def _shared(expected: NDArray[np.int64], found: NDArray[np.int64]) -> float:
    """The mean share of each row's numbers that the other's row holds."""
    return float((expected[:, :, None] == found[:, None, :]).any(axis=2).mean())
