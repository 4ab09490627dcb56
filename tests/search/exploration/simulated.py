"""Simulated people of whom everything is known: how likely they look at a rank, and what they open."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from search.exploration.pairs import PairCounts
from search.exploration.swaps import DEPTH, swapped, swaps_draw

RANKS = np.arange(1, DEPTH + 1, dtype=np.float64)


def people_counts(
    propensity: NDArray[np.float64], *, people: int, searches: int, share: float, seed: int, noise: float = 0.05
) -> Iterator[PairCounts]:
    """Yield what each person did with pairs: position-based clicks, relevant hits opened by 7 in 10 who look.

    The ranker is good: half of the first hits are relevant, and a tenth of the last ones.
    """
    chance = np.random.default_rng(seed)
    for _person in range(people):
        counts = PairCounts.none()
        for _search in range(searches):
            opened = np.where(chance.random(DEPTH) < np.linspace(0.5, 0.1, DEPTH), 0.7, noise)
            swaps = swaps_draw(hits=DEPTH, share=share, chance=chance)
            deeds = chance.random(DEPTH) < propensity * np.array(swapped(opened.tolist(), swaps))
            for rank in set(range(1, DEPTH)) - {each + step for each in swaps for step in (-1, 1)}:
                counts.add(
                    rank=rank,
                    swapped=rank in swaps,
                    share=share,
                    hits=DEPTH,
                    shows=1,
                    deeds=(int(deeds[rank - 1]), int(deeds[rank])),
                )
        yield counts
