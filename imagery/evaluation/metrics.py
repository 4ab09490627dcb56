"""Measures of ranked lists, and how sure one can be of them. Pure numpy.

Every measure of a list takes what each item is worth and, if two items may score alike, the ``scores``: it is then
the expectation over all orders of the tied items (McSherry and Najork, "Computing information retrieval performance
measures efficiently in the presence of tied scores", ECIR 2008), so no order of the input can help or harm. Without
``scores`` the items stand in ranked order, best first. ``None`` is returned where nothing could be found at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROUNDS: Final = 2_000
"""Resamples of a bootstrap: the ends of its interval are then repeatable to about a twentieth of its width."""
LEVEL: Final = 0.95
_SEED: Final = 20260214
_DRAWS_AT_ONCE: Final = 1_000_000


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its bootstrap interval, in the unit of the values."""

    mean: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether even the lower end is above 0."""
        return self.low > 0


def average_precision(
    relevant: ArrayLike, *, scores: ArrayLike | None = None, total: int | None = None
) -> float | None:
    """Average precision, 0..1: the mean, over the relevant items, of the precision at their rank.

    ``relevant`` (n,) is true or false; ``total`` is how many relevant items there are if the list is cut off (those
    not in it count as never found).
    """
    flags = np.asarray(relevant, dtype=np.float64) > 0
    count = int(flags.sum()) if total is None else total
    if count < flags.sum():
        raise ValueError(f"total is {total}, but the list holds {int(flags.sum())} relevant items.")
    if count == 0:
        return None
    group = _ties(flags.astype(np.float64), scores)
    # Where one item of a group is relevant, each one before it in the group is with (sum - 1) / (size - 1).
    others = (group.sum - 1) / np.maximum(1, group.size - 1)
    found = group.sum_before + 1 + group.place * others
    return float((group.sum / group.size * found / np.arange(1, len(flags) + 1)).sum() / count)


def ndcg(
    gains: ArrayLike, *, cut: int = 10, scores: ArrayLike | None = None, ideal: ArrayLike | None = None
) -> float | None:
    """Normalised discounted cumulative gain of the first ``cut`` items, 0..1 (Jarvelin and Kekalainen 2002).

    ``gains`` (n,) are >= 0 (true and false: 1 and 0); rank r is discounted by 1 / log2(r + 1). ``ideal`` are the
    gains of every item there is, if the list is cut off; default ``gains``.
    """
    worth = np.asarray(gains, dtype=np.float64)
    if worth.size and worth.min() < 0:
        raise ValueError("Gains must not be negative.")
    discounts = 1.0 / np.log2(np.arange(2, cut + 2))
    best = np.sort(worth if ideal is None else np.asarray(ideal, dtype=np.float64))[::-1][:cut]
    highest = float((best * discounts[: len(best)]).sum())
    if highest == 0:
        return None
    group = _ties(worth, scores)
    expected = (group.sum / group.size)[:cut]
    return float((expected * discounts[: len(expected)]).sum() / highest)


def recall_at(
    relevant: ArrayLike, cut: int, *, scores: ArrayLike | None = None, total: int | None = None
) -> float | None:
    """The share, 0..1, of all relevant items (``total``, see average_precision) among the first ``cut``."""
    found, count = _found(relevant, cut, scores)
    count = count if total is None else total
    return found / count if count else None


def precision_at(relevant: ArrayLike, cut: int, *, scores: ArrayLike | None = None) -> float:
    """The share, 0..1, of relevant items among the first ``cut`` (places that are not filled count as wrong)."""
    return _found(relevant, cut, scores)[0] / cut


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float | None:
    """Spearman's rank correlation, -1..1, of two scores (n,) of the same items; tied items share their mean rank.

    None with fewer than two items or if one of the two scores everything alike.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise ValueError(f"Scores of shapes {one.shape} and {two.shape} are not of the same items.")
    if len(one) < 2:
        return None
    ranks = [_mean_ranks(values) for values in (one, two)]
    spread = [float(rank.std()) for rank in ranks]
    if min(spread) == 0:
        return None
    centred = [rank - rank.mean() for rank in ranks]
    return float((centred[0] * centred[1]).mean() / (spread[0] * spread[1]))


def bootstrap(
    values: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = LEVEL,
    rounds: int = ROUNDS,
    seed: int = _SEED,
) -> Interval:
    """The mean of ``values`` (n,) with its percentile bootstrap interval (Efron and Tibshirani 1993).

    ``groups`` (n,) names what is drawn as a whole: values that hang together (five captions of one picture) must be
    drawn together, or the interval is too narrow. The same input and ``seed`` give the same interval. Raises
    ValueError if there is no value or one is not a number.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise ValueError(f"A bootstrap needs at least one value, all of them finite; found shape {numbers.shape}.")
    _names, member = np.unique(np.arange(len(numbers)) if groups is None else np.asarray(groups), return_inverse=True)
    sums, sizes = np.bincount(member, weights=numbers), np.bincount(member).astype(np.float64)
    means = np.concatenate([(drawn @ sums) / (drawn @ sizes) for drawn in draws(len(sums), rounds=rounds, seed=seed)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean=float(numbers.mean()), low=float(low), high=float(high))


def paired_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = LEVEL,
    rounds: int = ROUNDS,
    seed: int = _SEED,
) -> Interval:
    """How much better ``second`` is than ``first`` on the same queries: the mean difference and its interval.

    Both are (n,), one value a query. If the interval excludes 0 the difference is more than the choice of queries.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape:
        raise ValueError(f"Values of shapes {one.shape} and {two.shape} are not of the same queries.")
    return bootstrap(two - one, groups=groups, level=level, rounds=rounds, seed=seed)


def draws(count: int, *, rounds: int = ROUNDS, seed: int = _SEED) -> Iterator[NDArray[np.float64]]:
    """Blocks (rounds in all, count) of how often each of ``count`` things is drawn in ``count`` draws with return."""
    random = np.random.default_rng(seed)
    step = max(1, _DRAWS_AT_ONCE // count)
    for start in range(0, rounds, step):
        size = min(step, rounds - start)
        chosen = random.integers(0, count, size=(size, count))
        flat = (chosen + np.arange(size)[:, None] * count).reshape(-1)
        yield np.bincount(flat, minlength=size * count).reshape(size, count).astype(np.float64)


def _found(relevant: ArrayLike, cut: int, scores: ArrayLike | None) -> tuple[float, int]:
    """(expected relevant items among the first ``cut``, relevant items)."""
    if cut < 1:
        raise ValueError(f"cut is {cut}; it must be at least 1.")
    flags = np.asarray(relevant, dtype=np.float64) > 0
    group = _ties(flags.astype(np.float64), scores)
    return float((group.sum / group.size)[:cut].sum()), int(flags.sum())


@dataclass(frozen=True)
class _Ties:
    """For each place of a ranked list, best first, the group of tied items it belongs to: all arrays are (n,).

    ``sum`` and ``sum_before`` are of the values in the group and in the groups before it, ``size`` is its items,
    ``place`` counts from 0 within the group.
    """

    size: NDArray[np.float64]
    place: NDArray[np.float64]
    sum: NDArray[np.float64]
    sum_before: NDArray[np.float64]


def _ties(values: NDArray[np.float64], scores: ArrayLike | None) -> _Ties:
    if values.ndim != 1:
        raise ValueError(f"A ranked list has one dimension, not {values.ndim}.")
    count = len(values)
    starts = np.ones(count, dtype=bool)
    if scores is not None:
        points = np.asarray(scores, dtype=np.float64)
        if points.shape != values.shape or np.isnan(points).any():
            raise ValueError(f"{count} items need as many scores, all of them numbers.")
        order = np.argsort(-points, kind="stable")
        values, points = values[order], points[order]
        starts[1:] = points[1:] != points[:-1]
    group = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    sizes = np.diff(first, append=count)
    sums = np.add.reduceat(values, first) if count else values
    before = np.cumsum(sums) - sums
    return _Ties(
        size=sizes[group].astype(np.float64),
        place=np.arange(count) - first[group].astype(np.float64),
        sum=sums[group],
        sum_before=before[group],
    )


def _mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _unique, member, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    return (ends - (sizes - 1) / 2)[member]
