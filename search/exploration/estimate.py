"""Estimates position propensities from swaps of neighbours, with intervals. Pure.

Of a pair of hits that stood in either order equally often, lower / upper deeds are p(k + 1) / p(k), whatever the hits
are worth (swap interventions: Joachims, Swaminathan, Schnabel, WSDM 2017, section 5; harvested from pairs of ranks:
Agarwal, Zaitsev, Wang, Li, Najork, Joachims, WSDM 2019). The ratios are noisy where few hits are opened, so each is
shrunk towards one curve ``rank ** -eta`` fitted to all of them, chained, and made to fall (pool adjacent violators).
Intervals: people are drawn anew, each with a Poisson(1) number of times, in one pass (N. Chamandy et al., Estimating
Uncertainty for Massive Data Streams, 2012), and everything is estimated again, the curve too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.exploration.pairs import PAIRS, PairCounts
from search.exploration.propensity import ASSUMED_ETA

Numbers = NDArray[np.float64]

ROUNDS: Final = 1_000
_SEED: Final = 20170206
MIN_PEOPLE: Final = 10
"""Fewer people drawn anew say little about other people."""
MIN_DEEDS: Final = 50
"""Deeds at exchanged pairs, all ranks together; with fewer the curve itself is a guess."""
MOST_OF_ONE: Final = 30.0
"""Deeds at exchanged pairs that one person counts for at most, whatever they do in how little time."""
_RATIO_DOUBT: Final = 5.0
"""Deeds that the curve counts for at each ratio."""
_ETA_DOUBT: Final = 4.0
"""Deeds that the assumed curve counts for in the fitted one."""
_MOST_ETA: Final = 4.0
_STEPS: Final = 40  # of the bisection: 4 / 2 ** 40


@dataclass(frozen=True)
class Estimate:
    """What the swaps say. ``ranks`` (m,) from 1, ``propensity``, ``low`` and ``high`` (m,), 95 %, the first one 1.

    ``shows`` (m,) are the showings of exchanged pairs that the step to a rank rests on (rank 1: those with rank 2).
    ``eta`` is that of the fitted curve. ``people`` and ``deeds`` are how many it rests on; with too few, or no pair
    shown often enough, there are no ranks and ``enough`` is False.
    """

    ranks: NDArray[np.int64]
    propensity: Numbers
    low: Numbers
    high: Numbers
    shows: NDArray[np.int64]
    eta: float
    people: int
    deeds: int

    @property
    def enough(self) -> bool:
        """Whether there was enough to estimate from."""
        return bool(len(self.ranks))


def propensities_fit(people: Iterable[PairCounts], *, min_shows: int, rounds: int = ROUNDS) -> Estimate:
    """Estimate from each person's counts, as far as pairs were shown exchanged ``min_shows`` times.

    The same counts in the same order give the same intervals.
    """
    chance = np.random.default_rng(_SEED)
    upper, lower = np.zeros((rounds + 1, PAIRS)), np.zeros((rounds + 1, PAIRS))
    shows = np.zeros(PAIRS)
    number = 0
    for counts in people:
        times = chance.poisson(1.0, rounds + 1).astype(np.float64)
        times[0] = 1.0  # The first row is the estimate itself.
        done = float(counts.upper.sum() + counts.lower.sum())
        times *= min(1.0, MOST_OF_ONE / done) if done else 1.0
        upper += times[:, None] * counts.upper
        lower += times[:, None] * counts.lower
        shows += counts.shows
        number += 1
    deeds = round(float(upper[0].sum() + lower[0].sum()))
    short = np.flatnonzero(shows < min_shows)
    pairs = int(short[0]) if len(short) else PAIRS
    if number < MIN_PEOPLE or deeds < MIN_DEEDS or not pairs:
        none = np.zeros(0)
        return Estimate(none.astype(np.int64), none, none, none, none.astype(np.int64), np.nan, number, deeds)
    etas = _etas(upper, lower)
    table = _chained(upper[:, :pairs], lower[:, :pairs], etas)
    low, high = np.quantile(table[1:], [0.025, 0.975], axis=0)
    # A percentile that rounding, or shrinking, put past the estimate itself would deny it.
    return Estimate(
        ranks=np.arange(1, pairs + 2),
        propensity=table[0],
        low=np.minimum(low, table[0]),
        high=np.maximum(high, table[0]),
        shows=np.concatenate([shows[:1], shows[:pairs]]).astype(np.int64),
        eta=float(etas[0]),
        people=number,
        deeds=deeds,
    )


def _etas(upper: Numbers, lower: Numbers) -> Numbers:
    """Fit ``rank ** -eta`` to each row by maximum likelihood, by bisection.

    Of the deeds at a pair, as many are the lower one's as a coin gives that shows it with ratio / (1 + ratio).
    """
    steps = _log_steps(PAIRS)
    upper, lower = upper.copy(), lower.copy()
    upper[:, 0] += _ETA_DOUBT
    lower[:, 0] += _ETA_DOUBT * np.exp(ASSUMED_ETA * steps[0])
    least, most = np.zeros(len(upper)), np.full(len(upper), _MOST_ETA)
    both, told = upper + lower, lower @ steps
    for _step in range(_STEPS):
        middle = (least + most) / 2
        ratios = np.exp(middle[:, None] * steps)
        shallow = (both * ratios / (1 + ratios)) @ steps < told  # Steps are negative: too many of the lower ones.
        least, most = np.where(shallow, middle, least), np.where(shallow, most, middle)
    return np.asarray((least + most) / 2)


def _chained(upper: Numbers, lower: Numbers, etas: Numbers) -> Numbers:
    """(rounds, pairs + 1) propensities of each row."""
    curve = np.exp(etas[:, None] * _log_steps(upper.shape[1]))
    ratios = (lower + _RATIO_DOUBT * curve) / (upper + _RATIO_DOUBT)
    logs = np.concatenate([np.zeros((len(ratios), 1)), np.cumsum(np.log(ratios), axis=1)], axis=1)
    doubts = np.cumsum(1 / (upper[0] + _RATIO_DOUBT) + 1 / (lower[0] + _RATIO_DOUBT * curve[0]))
    weights = np.concatenate([[1e12], 1 / doubts])  # Rank 1 stays where it is.
    return np.minimum(np.exp([falling(row, weights) for row in logs]), 1.0)  # But for rounding, rank 1 has the most.


def falling(values: Numbers, weights: Numbers) -> Numbers:
    """Return the nearest (m,) to ``values`` in weighted squares that never rises (pool adjacent violators).

    R. Barlow et al., Statistical Inference under Order Restrictions, 1972.
    """
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] < block[0]:
            mean, heavy, length = blocks.pop()
            total = heavy + block[1]
            block = ((mean * heavy + block[0] * block[1]) / total, total, length + block[2])
        blocks.append(block)
    return np.repeat([mean for mean, _w, _n in blocks], [length for _m, _w, length in blocks])


def _log_steps(pairs: int) -> Numbers:
    """(pairs,) log of k / (k + 1)."""
    ranks = np.arange(1, pairs + 1, dtype=np.float64)
    return np.log(ranks / (ranks + 1))
