"""Learning a linear adapter from an archive's captions, and finding out whether it helps. Pure numpy.

With the captions' vectors T (m, d) and those of their pictures X (m, d), the rotation that brings them closest is
the polar factor of T'X (orthogonal Procrustes, Schoenemann 1966). Few captions do not fix all of its d (d - 1) / 2
angles: T'X + ``pull`` |T'X| I keeps the directions they say nothing about where they were. The adapter is
(1 - share) I + share * rotation. On RSICD this closed form found more than contrastive training of the same matrix
(docs/evaluation.md) and takes seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.base import unit_rows
from imagery.evaluation.metrics import LEVEL, Interval
from imagery.evaluation.recall import Ranked, rank_both_ways
from rsportal.errors import InvalidInput

FEWEST_PICTURES: Final = 40
SHARES: Final = (0.25, 0.5, 0.75, 1.0)
PULLS: Final = (0.001, 0.01)
_MOST_PICTURES: Final = 4_000
"""Pictures used for measuring; beyond it a drawn part stands for the rest, and all are learned from."""
_SEED: Final = 7
_FLATTEST: Final = 0.2


@dataclass(frozen=True)
class Captioned:
    """Pictures and their captions as unit rows: caption ``text`` (m,), a row of ``texts`` (t, d), describes picture
    ``owner`` (m,), a row of ``images`` (n, d).
    """

    images: NDArray[np.float32]
    texts: NDArray[np.float32]
    text: NDArray[np.int64]
    owner: NDArray[np.int64]

    def part(self, pictures: NDArray[np.int64]) -> "Captioned":
        """These pictures (rows of ``images``) with their captions."""
        place = np.full(len(self.images), -1)
        place[pictures] = np.arange(len(pictures))
        kept = place[self.owner] >= 0
        return Captioned(self.images[pictures], self.texts, self.text[kept], place[self.owner][kept])

    def ranked(self, matrix: NDArray[np.float32] | None = None) -> Ranked:
        """How captions and pictures find each other, with or without an adapter."""
        texts = self.texts if matrix is None else unit_rows(self.texts @ matrix)
        return rank_both_ways(self.images, texts[self.text], self.owner)


@dataclass(frozen=True)
class Recipe:
    """What decides the adapter beside the captions; see the module's words."""

    share: float
    pull: float


@dataclass(frozen=True)
class Learned:
    """An adapter and its worth on pictures it was not learned from.

    ``before`` and ``after`` are mR in percent (ties by their expectation); ``gain`` is the difference with the 95 %
    bootstrap interval over pictures. ``pictures`` and ``captions`` were learned from.
    """

    matrix: NDArray[np.float32]
    recipe: Recipe
    before: float
    after: float
    gain: Interval
    pictures: int
    captions: int
    cosines: "Cosines"

    @property
    def helps(self) -> bool:
        """Whether the whole interval of the gain lies above 0."""
        return self.gain.above_zero

    def calibration(self, plain: Mapping[str, float]) -> dict[str, float]:
        """``plain``, the {"scale", "offset"} of cosines without the adapter, for cosines with it; empty if unknown.

        The cosine is mapped so that the mean of pictures and their own captions, and the mean of any pair, keep their
        chances. Where the plain cosine hardly told the two apart, its calibration says nothing about the new one.
        """
        if "scale" not in plain or "offset" not in plain:
            return {}
        slope = (self.cosines.own_before - self.cosines.any_before) / (self.cosines.own_after - self.cosines.any_after)
        if not _FLATTEST < slope < 1 / _FLATTEST:
            return {}
        shift = self.cosines.any_before - slope * self.cosines.any_after
        return {
            "scale": round(plain["scale"] * slope, 4),
            "offset": round(plain["offset"] + plain["scale"] * shift, 4),
        }


@dataclass(frozen=True)
class Cosines:
    """Mean cosines of pictures with their own captions and of any picture with any caption, without and with."""

    own_before: float
    any_before: float
    own_after: float
    any_after: float


def adapter_learn(pairs: Captioned) -> Learned:
    """Learn an adapter and measure what it gains.

    The pictures are parted into two halves by chance. Each half is learned from and the other one judges, so every
    picture judges once and never what was learned from it; share and pull are chosen inside the learning half, by
    parting it again. The adapter returned is then learned from all pictures by the same procedure. Raises
    InvalidInput (field ``captions``) for fewer than 40 pictures with captions.
    """
    captioned = np.unique(pairs.owner)
    if len(captioned) < FEWEST_PICTURES:
        raise InvalidInput(
            f"Only {len(captioned)} pictures with captions could be used, but an adapter needs {FEWEST_PICTURES}: half "
            "of them judge what the other half taught.",
            field="captions",
        )
    halves = _halves(captioned, seed=_SEED)
    before: list[float] = []
    after: list[float] = []
    gains: list[NDArray[np.float64]] = []
    for learning, judging in (halves, halves[::-1]):
        taught, judge = pairs.part(learning), pairs.part(judging[: _MOST_PICTURES // 2])
        matrix = adapter_matrix(taught, recipe_chosen(taught))
        plain, adapted = judge.ranked(), judge.ranked(matrix)
        before.append(plain.recall("expected")["mr"])
        after.append(adapted.recall("expected")["mr"])
        gains.append(adapted.resampled("expected")[:, -1] - plain.resampled("expected")[:, -1])
    low, high = np.quantile(_paired_apart(gains), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    recipe = recipe_chosen(pairs.part(captioned))
    matrix = adapter_matrix(pairs, recipe)
    return Learned(
        matrix=matrix,
        recipe=recipe,
        before=float(np.mean(before)),
        after=float(np.mean(after)),
        gain=Interval(mean=float(np.mean(after) - np.mean(before)), low=float(low), high=float(high)),
        pictures=len(captioned),
        captions=len(pairs.owner),
        cosines=_cosines(pairs, matrix),
    )


def adapter_matrix(pairs: Captioned, recipe: Recipe) -> NDArray[np.float32]:
    """The adapter (d, d) that these pairs teach; d**3 steps."""
    return _mixed(_rotation(pairs, recipe.pull), recipe.share)


def recipe_chosen(pairs: Captioned) -> Recipe:
    """The recipe with the largest mR when one half of these pictures teaches and the other judges, both ways.

    Of equal ones the first, which changes least.
    """
    pictures = np.unique(pairs.owner)
    halves = _halves(pictures, seed=_SEED + 1)
    scores: dict[Recipe, float] = {}
    for learning, judging in (halves, halves[::-1]):
        taught, judge = pairs.part(learning), pairs.part(judging[: _MOST_PICTURES // 2])
        rotations = {pull: _rotation(taught, pull) for pull in PULLS}
        for recipe in (Recipe(share, pull) for share in SHARES for pull in PULLS):
            matrix = _mixed(rotations[recipe.pull], recipe.share)
            scores[recipe] = scores.get(recipe, 0.0) + judge.ranked(matrix).recall("expected")["mr"]
    return max(scores, key=lambda recipe: scores[recipe])


def _rotation(pairs: Captioned, pull: float) -> NDArray[np.float64]:
    together = (pairs.texts[pairs.text].T @ pairs.images[pairs.owner]).astype(np.float64)
    together += pull * np.linalg.norm(together, 2) * np.eye(len(together))
    left, _values, right = np.linalg.svd(together)
    return np.asarray(left @ right)


def _mixed(rotation: NDArray[np.float64], share: float) -> NDArray[np.float32]:
    return np.asarray((1 - share) * np.eye(len(rotation)) + share * rotation, dtype=np.float32)


def _halves(pictures: NDArray[np.int64], *, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    mixed = np.random.default_rng(seed).permutation(pictures)
    middle = len(mixed) // 2
    return mixed[:middle], mixed[middle:]


def _cosines(pairs: Captioned, matrix: NDArray[np.float32]) -> Cosines:
    before, images = pairs.texts[pairs.text], pairs.images[pairs.owner]
    after = unit_rows(before @ matrix)
    middle = images.mean(axis=0)  # The mean of all products is the product of the means.
    return Cosines(
        own_before=float((before * images).sum(axis=1).mean()),
        any_before=float(before.mean(axis=0) @ middle),
        own_after=float((after * images).sum(axis=1).mean()),
        any_after=float(after.mean(axis=0) @ middle),
    )


def _paired_apart(gains: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The mean of the halves' resamples, drawn independently: the second half's in another order."""
    first, second = gains
    return (first + np.random.default_rng(_SEED + 2).permutation(second)) / 2
