"""Swaps of neighbouring hits: small random experiments from which is learnt how much position matters. Pure.

Swap interventions: T. Joachims, A. Swaminathan, T. Schnabel, Unbiased Learning-to-Rank with Biased Feedback, WSDM 2017,
section 5. Neighbours are exchanged in place of rank 1 and rank k: a hit moves by one place at most, and ratios of
neighbours chain to any rank (A. Agarwal et al., Estimating Position Bias without Intrusive Interventions, WSDM 2019).

The first two hits take part like any others. All propensities are told relative to rank 1, and without exchanges of
rank 1 with rank 2 nothing would tie the others to it. What it costs is the second best hit on top in one of fifty
searches, at the default.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import numpy as np

Item = TypeVar("Item")

DEPTH: Final = 50
"""Pairs lie within so many first ranks."""
MOST_SHARE: Final = 0.2
"""Above, hardly a ranking would be shown as it was computed."""


def swaps_draw(*, hits: int, share: float, chance: np.random.Generator) -> list[int]:
    """Return the upper ranks k (from 1) of the pairs (k, k + 1) to exchange in a ranking of ``hits``, ascending.

    Each pair within the first 50 ranks comes up with the probability ``share`` (0 to 0.2), whatever is there, and no
    two of them share a rank: a coin says whether pairs begin at odd or at even ranks, and each of those is exchanged
    with twice the probability. Raises ValueError for another share.
    """
    if not 0 <= share <= MOST_SHARE:
        raise ValueError(f"The share of swaps is {share}; it must be 0 to {MOST_SHARE}.")
    first = int(chance.integers(1, 3))
    uppers = np.arange(first, min(hits, DEPTH), 2)
    return [int(rank) for rank in uppers[chance.random(len(uppers)) < 2 * share]]


def swap_chances(*, rank: int, hits: int, share: float) -> tuple[float, float]:
    """Return how likely the pair (rank, rank + 1) is exchanged, and how likely both are where the ranker put them."""
    here = share
    before = share if rank > 1 else 0.0
    after = share if rank + 1 < min(hits, DEPTH) else 0.0
    # Half of the draws have pairs that begin as this one does; in the other half its two neighbours are drawn.
    still = 0.5 * (1 - 2 * here) + 0.5 * (1 - 2 * before) * (1 - 2 * after)
    return here, still


def swapped(values: Sequence[Item], ranks: Iterable[int]) -> list[Item]:
    """Return ``values``, best first, with those at each of these ranks and the next exchanged; its own inverse."""
    found = list(values)
    for rank in ranks:
        found[rank - 1], found[rank] = found[rank], found[rank - 1]
    return found


def head_order(*, hits: int, was: Iterable[int], wanted: Iterable[int]) -> list[int]:
    """Return which ranks of a ranking stored with the swaps ``was`` stand first when it has ``wanted`` in their place.

    As many as any swap reaches; [] if they are the same.
    """
    was, wanted = list(was), list(wanted)
    if was == wanted:
        return []
    reach = min(hits, max([*was, *wanted]) + 1)
    return swapped(swapped(range(1, reach + 1), was), wanted)
