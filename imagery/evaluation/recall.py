"""Retrieval recall of captions and pictures, both ways, as the papers on RSICD count it. Pure numpy.

RSICD gives some captions to several pictures, so candidates tie. Under the rule ``expected`` a query with tied
candidates counts as found with the chance it has when the tied ones are shuffled: that is what a script that sorts
scores gets on average, and does not depend on the order of the file. Under ``against`` a tie is lost. An encoder that
gives one vector to everything scores what guessing scores, or 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagery.evaluation.metrics import LEVEL, Interval, draws

TieRule: TypeAlias = Literal["expected", "against"]
CUTS: Final = (1, 5, 10)
MEASURES: Final = tuple(f"{way}_r{cut}" for way in ("image_to_text", "text_to_image") for cut in CUTS)
# Scores held at once: 64 MB as float32, and about as much again for what is derived from them.
_BLOCK_SCORES: Final = 1 << 24


@dataclass(frozen=True)
class Places:
    """How each query's best wanted candidate stands; arrays (queries,) of int64.

    ``better`` unwanted candidates score more, ``tied`` unwanted ones score the same, and ``wanted`` wanted ones
    (at least one) share that score.
    """

    better: NDArray[np.int64]
    tied: NDArray[np.int64]
    wanted: NDArray[np.int64]

    def hits(self, cut: int, ties: TieRule) -> NDArray[np.float64]:
        """(queries,) chance, 0..1, that a wanted candidate is among the first ``cut``; 0 or 1 where nothing ties.

        With ``expected`` the places left below the better candidates are filled by drawing from the tied ones
        without return: 1 minus the hypergeometric chance to draw no wanted one.
        """
        if ties == "against":
            return (self.better + self.tied < cut).astype(np.float64)
        missed = np.ones(len(self.better))
        for drawn in range(cut):
            left = np.maximum(self.tied - drawn, 0) / np.maximum(self.tied + self.wanted - drawn, 1)
            missed *= np.where(drawn < cut - self.better, left, 1.0)
        return 1.0 - missed


@dataclass(frozen=True)
class Ranked:
    """Both ways of a set of pictures and captions.

    ``text_to_image`` has one query a caption, ``image_to_text`` one a picture that has a caption; ``owner`` and
    ``pictures`` name the picture (row) of each, so that what hangs together is drawn together.
    """

    text_to_image: Places
    image_to_text: Places
    owner: NDArray[np.int64]
    pictures: NDArray[np.int64]

    def recall(self, ties: TieRule) -> dict[str, float]:
        """``image_to_text_r1``, ``_r5``, ``_r10``, ``text_to_image_r1`` ... in percent, and ``mr``, their mean."""
        found = {
            f"{way}_r{cut}": float(100.0 * np.mean(places.hits(cut, ties)))
            for way, places in (("image_to_text", self.image_to_text), ("text_to_image", self.text_to_image))
            for cut in CUTS
        }
        return {**found, "mr": float(np.mean(list(found.values())))}

    def resampled(self, ties: TieRule) -> NDArray[np.float64]:
        """(rounds, 7): MEASURES and mR in percent of bootstrap resamples.

        Pictures are drawn, with return, each with its captions, as queries; what is searched stays the same. Two
        encoders on the same pictures and captions get the same resamples, so that their differences can be taken.
        """
        row = np.searchsorted(self.pictures, self.owner)
        count = len(self.pictures)
        captions = np.bincount(row, minlength=count).astype(np.float64)
        columns: list[NDArray] = [self.image_to_text.hits(cut, ties) for cut in CUTS]
        columns += [np.bincount(row, weights=self.text_to_image.hits(cut, ties), minlength=count) for cut in CUTS]
        sums = np.stack([*columns, captions], axis=1)
        blocks = []
        for drawn in draws(count):
            totals = drawn @ sums
            rates = 100.0 * np.concatenate([totals[:, :3] / count, totals[:, 3:6] / totals[:, 6:]], axis=1)
            blocks.append(np.concatenate([rates, rates.mean(axis=1, keepdims=True)], axis=1))
        return np.concatenate(blocks)

    def intervals(self, ties: TieRule) -> dict[str, Interval]:
        """The figures of ``recall`` with their 95 % bootstrap intervals."""
        low, high = np.quantile(self.resampled(ties), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        return {
            name: Interval(mean=value, low=float(low[column]), high=float(high[column]))
            for column, (name, value) in enumerate(self.recall(ties).items())
        }


def retrieval_recall(
    images: NDArray[np.floating],
    texts: NDArray[np.floating],
    owner: NDArray[np.integer] | Sequence[int],
    *,
    ties: TieRule = "against",
    same_text: NDArray[np.integer] | Sequence[int] | None = None,
) -> dict[str, float]:
    """``rank_both_ways`` and ``Ranked.recall`` in one: the six recalls in percent, and ``mr``."""
    return rank_both_ways(images, texts, owner, same_text=same_text).recall(ties)


def rank_both_ways(
    images: NDArray[np.floating],
    texts: NDArray[np.floating],
    owner: NDArray[np.integer] | Sequence[int],
    *,
    same_text: NDArray[np.integer] | Sequence[int] | None = None,
) -> Ranked:
    """Where each caption finds its picture, and each picture the best of its captions.

    ``images`` (n, d) and ``texts`` (m, d) are unit rows; ``owner`` (m,) is the row in ``images`` that each text
    describes. Pictures without a text are no queries but are candidates. ``same_text`` (m,) gives equal numbers to
    captions of the same words: every picture that has such a caption then counts as wanted, and every such caption
    of a picture. Raises ValueError on shapes that do not belong together, numbers that are not finite, or no text.
    """
    owners = np.asarray(owner, dtype=np.int64)
    _check(images, texts, owners)
    groups = np.arange(len(texts)) if same_text is None else np.unique(np.asarray(same_text), return_inverse=True)[1]
    if groups.shape != owners.shape:
        raise ValueError(f"same_text must hold one number for each of the {len(texts)} texts, not {groups.shape}.")
    pictures = np.unique(owners)
    pictures_of_group = _members(groups, owners)
    captions_of_group = _members(groups, np.arange(len(groups)))
    groups_of_picture = _members(np.searchsorted(pictures, owners), groups)
    return Ranked(
        text_to_image=_places(texts, images, [pictures_of_group[group] for group in groups]),
        image_to_text=_places(
            images[pictures],
            texts,
            [np.concatenate([captions_of_group[group] for group in np.unique(mine)]) for mine in groups_of_picture],
        ),
        owner=owners,
        pictures=pictures,
    )


def _check(images: NDArray[np.floating], texts: NDArray[np.floating], owners: NDArray[np.int64]) -> None:
    if images.ndim != 2 or texts.ndim != 2 or images.shape[1] != texts.shape[1]:
        raise ValueError(f"images {images.shape} and texts {texts.shape} must be (n, d) and (m, d) of one d.")
    if owners.shape != (len(texts),):
        raise ValueError(f"owner must name one image for each of the {len(texts)} texts, not {owners.shape}.")
    if len(texts) == 0:
        raise ValueError("There is no text to rank.")
    if owners.min() < 0 or owners.max() >= len(images):
        raise ValueError(f"owner must lie in 0..{len(images) - 1}.")
    if not (np.isfinite(images).all() and np.isfinite(texts).all()):
        raise ValueError("A vector holds a number that is not finite, so it cannot be ranked.")


def _members(groups: NDArray[np.int64], values: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The ``values`` of each group, by the group's number (0, 1, 2, ...)."""
    order = np.argsort(groups, kind="stable")
    return np.split(values[order], np.flatnonzero(np.diff(groups[order])) + 1)


def _places(
    queries: NDArray[np.floating], candidates: NDArray[np.floating], wanted: Sequence[NDArray[np.int64]]
) -> Places:
    """``wanted`` are each query's candidates (rows), at least one."""
    distinct, copies = _distinct(candidates)
    result = np.empty((3, len(queries)), dtype=np.int64)
    step = max(1, _BLOCK_SCORES // len(candidates))
    for start in range(0, len(queries), step):
        # Equal candidates share one product: a matrix product may round the same sum differently in two columns.
        scores = (queries[start : start + step] @ distinct.T)[:, copies]
        mine = np.zeros(scores.shape, dtype=bool)
        for row, columns in enumerate(wanted[start : start + step]):
            mine[row, columns] = True
        best = np.where(mine, scores, -np.inf).max(axis=1, keepdims=True)
        same = scores == best
        result[0, start : start + step] = ((scores > best) & ~mine).sum(axis=1)
        result[1, start : start + step] = (same & ~mine).sum(axis=1)
        result[2, start : start + step] = (same & mine).sum(axis=1)
    return Places(better=result[0], tied=result[1], wanted=result[2])


def _distinct(rows: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """The different rows, and for each row which of them it is. Rows are compared bit by bit."""
    packed = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).reshape(-1)
    _values, first, copies = np.unique(packed, return_index=True, return_inverse=True)
    return rows[first], copies
