"""Retrieval recall as the papers on RSICD count it. Pure numpy."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_CUTS: Final = (1, 5, 10)
# Rows of the score matrix held at once: 1,024 x 50,000 float32 is 200 MB.
_BLOCK_ROWS: Final = 1024


def retrieval_recall(
    images: NDArray[np.floating], texts: NDArray[np.floating], owner: NDArray[np.integer] | Sequence[int]
) -> dict[str, float]:
    """Recall in percent of image -> text and text -> image retrieval, and their mean.

    `images` (n, d) and `texts` (m, d) are unit rows; `owner` (m,) is the row in `images` that each text
    describes. A text finds its picture at rank r if r other pictures score at least as much; a picture finds
    its text at rank r if r texts of other pictures score at least as much as the best of its own. So a tie
    counts against us, and an encoder that gives one vector to everything scores 0, not 100.

    Returns `image_to_text_r1`, `_r5`, `_r10`, `text_to_image_r1`, `_r5`, `_r10`, and `mr`, the mean of the six.
    Pictures without a text do not count as queries but do count as candidates. Raises ValueError on shapes that
    do not belong together or if there is no text.
    """
    owners = np.asarray(owner, dtype=np.int64)
    _check(images, texts, owners)
    result: dict[str, float] = {}
    for name, ranks in (
        ("image_to_text", _image_ranks(images, texts, owners)),
        ("text_to_image", _text_ranks(images, texts, owners)),
    ):
        for cut in _CUTS:
            result[f"{name}_r{cut}"] = float(100.0 * np.mean(ranks < cut))
    result["mr"] = float(np.mean(list(result.values())))
    return result


def _check(images: NDArray[np.floating], texts: NDArray[np.floating], owners: NDArray[np.int64]) -> None:
    if images.ndim != 2 or texts.ndim != 2 or images.shape[1] != texts.shape[1]:
        raise ValueError(f"images {images.shape} and texts {texts.shape} must be (n, d) and (m, d) of one d.")
    if owners.shape != (len(texts),):
        raise ValueError(f"owner must name one image for each of the {len(texts)} texts, not {owners.shape}.")
    if len(texts) == 0:
        raise ValueError("There is no text to rank.")
    if owners.min() < 0 or owners.max() >= len(images):
        raise ValueError(f"owner must lie in 0..{len(images) - 1}.")


def _text_ranks(
    images: NDArray[np.floating], texts: NDArray[np.floating], owners: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each text: how many other images score at least as much as its own."""
    ranks = np.empty(len(texts), dtype=np.int64)
    for start in range(0, len(texts), _BLOCK_ROWS):
        mine = owners[start : start + _BLOCK_ROWS]
        scores = texts[start : start + _BLOCK_ROWS] @ images.T
        own = scores[np.arange(len(mine)), mine]
        ranks[start : start + len(mine)] = (scores >= own[:, None]).sum(axis=1) - 1
    return ranks


def _image_ranks(
    images: NDArray[np.floating], texts: NDArray[np.floating], owners: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each image that has a text: how many texts of others score at least as much as the best of its own."""
    queries = np.unique(owners)
    ranks = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), _BLOCK_ROWS):
        rows = queries[start : start + _BLOCK_ROWS]
        scores = images[rows] @ texts.T
        mine = owners[None, :] == rows[:, None]
        best = np.where(mine, scores, -np.inf).max(axis=1)
        ranks[start : start + len(rows)] = ((scores >= best[:, None]) & ~mine).sum(axis=1)
    return ranks
