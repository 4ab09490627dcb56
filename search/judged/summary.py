"""Means over queries with bootstrap intervals, and what tells two configurations apart. Pure numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagery.evaluation.metrics import LEVEL, ROUNDS, Interval, draws, paired_bootstrap
from search.judged.measures import MEASURES, PRECISION_POINTS, RECALL_POINTS, QueryScores

COMPARED: Final = ("ndcg10", "map", "recall10", "recall100", "recall1000", "ndcg10_condensed")
"""The measures that two configurations are compared by."""


@dataclass(frozen=True)
class Difference:
    """How much the second configuration is better: the mean, its 95 % interval, and the two-sided p-value."""

    interval: Interval
    p: float


def intervals(values: ArrayLike, *, groups: Sequence[str] | None = None) -> list[Interval]:
    """Return the mean of each column of ``values`` (queries, columns) with its percentile bootstrap interval.

    ``groups`` (queries,): queries of one group are drawn together. The draws are those of ``metrics.bootstrap``.
    Raises ValueError without queries.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not len(table):
        raise ValueError(f"Intervals need at least one query; found shape {table.shape}.")
    sums, sizes = _grouped(table, groups)
    means = np.concatenate([(drawn @ sums) / (drawn @ sizes)[:, None] for drawn in draws(len(sums))])
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [Interval(*map(float, row)) for row in zip(table.mean(axis=0), low, high, strict=True)]


def difference(first: ArrayLike, second: ArrayLike, *, groups: Sequence[str] | None = None) -> Difference:
    """Compare two configurations on the same queries, (n,) values each.

    p is the share of resamples, drawn as if there were no difference (each query's difference minus the mean one),
    whose mean is as far from 0 as the one found (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993,
    section 16.4; T. Sakai, SIGIR 2006); never 0, since the one found is counted with the resamples.
    """
    gains = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    interval = paired_bootstrap(first, second, groups=groups)
    sums, sizes = _grouped((gains - gains.mean())[:, None], groups)
    means = np.concatenate([(drawn @ sums[:, 0]) / (drawn @ sizes) for drawn in draws(len(sums))])
    # What rounding leaves of equal means is no evidence against them being equal.
    as_far = np.abs(means) >= abs(gains.mean()) - 1e-12
    return Difference(interval=interval, p=float((as_far.sum() + 1) / (ROUNDS + 1)))


def run_summary(
    scores: Mapping[str, QueryScores], *, groups: Mapping[str, str], languages: Mapping[str, str]
) -> dict[str, Any]:
    """Return what is stored of a run: intervals as [mean, low, high] of measures and curve points.

    By query key: ``scores``, ``groups`` (the class a query was made for, or its key) and ``languages``. Without scores
    there are only the counts.
    """
    found: dict[str, Any] = {"queries": len(scores), "unanswered": sum(bool(row.problem) for row in scores.values())}
    if not scores:
        return found
    keys = list(scores)
    drawn_as = [groups[key] for key in keys]
    table = np.array([[scores[key].measures[name] for name in MEASURES] for key in keys])
    curves = np.array([[*scores[key].precision, *scores[key].recall] for key in keys])
    points = [_plain(each) for each in intervals(curves, groups=drawn_as)]
    found["measures"] = dict(zip(MEASURES, map(_plain, intervals(table, groups=drawn_as)), strict=True))
    found["precision"] = points[: len(PRECISION_POINTS)]
    found["recall"] = points[len(PRECISION_POINTS) : len(PRECISION_POINTS) + len(RECALL_POINTS)]
    found["groups"] = len(set(drawn_as))
    found["languages"] = _by_language(keys, table, drawn_as, languages)
    return found


def _by_language(
    keys: Sequence[str], table: NDArray[np.float64], groups: Sequence[str], languages: Mapping[str, str]
) -> dict[str, Any]:
    """Return the measures by language, where the queries have more than one."""
    of_query = np.array([languages[key] for key in keys])
    names = sorted(set(of_query.tolist()))
    if len(names) < 2:
        return {}
    found = {}
    for name in names:
        rows = np.flatnonzero(of_query == name)
        values = intervals(table[rows], groups=[groups[row] for row in rows.tolist()])
        found[name] = {"queries": len(rows), **dict(zip(MEASURES, map(_plain, values), strict=True))}
    return found


def _grouped(
    table: NDArray[np.float64], groups: Sequence[str] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums (groups, columns) and sizes (groups,), groups in the order of ``metrics.bootstrap``."""
    names = np.arange(len(table)) if groups is None else np.asarray(groups)
    _names, member = np.unique(names, return_inverse=True)
    sums = np.zeros((member.max() + 1, table.shape[1]))
    np.add.at(sums, member, table)
    return sums, np.bincount(member).astype(np.float64)


def _plain(value: Interval) -> list[float]:
    return [round(number, 5) for number in (value.mean, value.low, value.high)]
