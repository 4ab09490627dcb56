"""Learning a sketch bridge from pictures and their edge maps, and finding out what it is worth. Pure numpy.

Half of the scenes judges what the other half taught, both ways round: how often an edge map finds its own picture
among all of the judging half, as it is encoded and over the bridge.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.edges import Style
from imagery.encoders.sketch import STRENGTHS, Bridge, bridge_fit
from imagery.evaluation.metrics import Interval, paired_bootstrap
from imagery.evaluation.recall import CUTS, rank_both_ways
from rsportal.errors import InvalidInput

FEWEST_PICTURES: Final = 100
FEWEST_SCENES: Final = 4
STYLES: Final = (
    Style(smooth=1.0, ink=0.12),
    Style(smooth=1.5, ink=0.12, shortest=10),
    Style(smooth=2.0, ink=0.12, width=3, shortest=20, bend=1.5),
    Style(smooth=3.0, ink=0.12, width=3, shortest=25, gaps=0.2, bend=2.0),
)
"""From every fine line to a few, bent and broken ones: a bridge is taught with each in turn."""
_SEED: Final = 11


@dataclass(frozen=True)
class Drawn:
    """Pictures (n, d) and edge maps of them (m, d), unit rows; edge map i is of picture ``owner[i]``, and picture j
    shows (a part of) scene ``scene[j]``, any numbers.
    """

    images: NDArray[np.float32]
    edges: NDArray[np.float32]
    owner: NDArray[np.int64]
    scene: NDArray[np.int64]

    def part(self, scenes: NDArray[np.int64]) -> "Drawn":
        """The pictures of these scenes with their edge maps."""
        pictures = np.flatnonzero(np.isin(self.scene, scenes))
        place = np.full(len(self.images), -1)
        place[pictures] = np.arange(len(pictures))
        kept = place[self.owner] >= 0
        return Drawn(self.images[pictures], self.edges[kept], place[self.owner][kept], self.scene[pictures])

    def halves(self, *, seed: int) -> "tuple[tuple[Drawn, Drawn], tuple[Drawn, Drawn]]":
        """Two halves by scenes, drawn by chance: (learning, judging) both ways round."""
        scenes = np.random.default_rng(seed).permutation(np.unique(self.scene))
        one, other = self.part(scenes[: len(scenes) // 2]), self.part(scenes[len(scenes) // 2 :])
        return (one, other), (other, one)

    def fit(self, strength: float) -> Bridge:
        """The bridge that these teach."""
        return bridge_fit(self.edges, self.images[self.owner], strength=strength)

    def hits(self, bridge: Bridge | None) -> NDArray[np.float64]:
        """(m, 3): the chance that each edge map finds its picture among the first 1, 5 and 10."""
        queries = self.edges if bridge is None else bridge.apply(self.edges)
        places = rank_both_ways(self.images, queries, self.owner).text_to_image
        return np.stack([places.hits(cut, "expected") for cut in CUTS], axis=1)


@dataclass(frozen=True)
class Learned:
    """A bridge and its worth on pictures it was not learned from.

    ``before`` and ``after`` are the recalls at 1, 5 and 10 in percent among about ``among`` pictures, without it and
    with it; ``gain`` is that of the recall at 10 in points with its 95 % bootstrap interval.
    """

    bridge: Bridge
    strength: float
    before: tuple[float, ...]
    after: tuple[float, ...]
    gain: Interval
    pictures: int
    among: int

    @property
    def helps(self) -> bool:
        """Whether the whole interval of the gain lies above 0."""
        return self.gain.above_zero


def bridge_learn(drawn: Drawn, *, present: Bridge | None = None) -> Learned:
    """Learn a bridge and measure what it gains over ``present``, which was learned elsewhere (None: no bridge).

    The bridge returned is learned from all pictures. Raises InvalidInput (field ``images``) for fewer than 100, or for
    pictures of one scene.
    """
    count, scenes = len(drawn.images), len(np.unique(drawn.scene))
    if count < FEWEST_PICTURES or scenes < FEWEST_SCENES:
        raise InvalidInput(
            f"Only {count} pictures of {scenes} scenes could be used, but a sketch bridge needs {FEWEST_PICTURES} of "
            f"{FEWEST_SCENES}: half of the scenes judge what the other half taught. Add scenes first, or name a folder "
            "of pictures with --images.",
            field="images",
        )
    before, after, whose = [], [], []
    for turn, (learning, judging) in enumerate(drawn.halves(seed=_SEED)):
        before.append(judging.hits(present))
        after.append(judging.hits(learning.fit(strength_chosen(learning))))
        whose.append(judging.owner + turn * count)
    without, with_it = np.concatenate(before), np.concatenate(after)
    strength = strength_chosen(drawn)
    return Learned(
        bridge=drawn.fit(strength),
        strength=strength,
        before=tuple(float(value) for value in 100 * without.mean(axis=0)),
        after=tuple(float(value) for value in 100 * with_it.mean(axis=0)),
        gain=paired_bootstrap(100 * without[:, -1], 100 * with_it[:, -1], groups=np.concatenate(whose)),
        pictures=count,
        among=count // 2,
    )


def strength_chosen(drawn: Drawn) -> float:
    """The strength of the ridge with the largest recall at 10 when one half teaches and the other judges, both ways.

    Of equal ones the largest, which trusts the pictures least.
    """
    scores = dict.fromkeys(reversed(STRENGTHS), 0.0)
    for learning, judging in drawn.halves(seed=_SEED + 1):
        for strength in scores:
            scores[strength] += float(judging.hits(learning.fit(strength))[:, -1].mean())
    return max(scores, key=lambda strength: scores[strength])
