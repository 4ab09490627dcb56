"""What a re-ranking is worth: on the images nobody had seen, before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagery.evaluation.metrics import LEVEL, ROUNDS, average_precision, ndcg

WORSE: Final = 1e-6
"""AP points (0 to 100) of loss from which a query counts as worse: anything beyond the rounding of sums."""
_CUT: Final = 10
_SEED: Final = 20261122


@dataclass(frozen=True)
class Change:
    """What feedback changed for one person and query: points (0 to 100) of residual AP and nDCG@10, after - before.

    ``promoted``: whether the attackers' image is on the first page afterwards.
    """

    ap: float
    ndcg10: float
    promoted: bool = False


def residual_change(
    *,
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    relevant: NDArray[np.bool_],
    shown: NDArray[np.int64],
    promoted: bool = False,
) -> Change | None:
    """Compare two rankings (n,) on the residual collection: without every image that was ``shown`` while feedback was
    given, opened or not (Salton and Buckley, "Improving retrieval performance by relevance feedback", JASIS 1990).

    Both lose the same images, so what was learnt by heart counts for nothing. None if no relevant image is left.
    """
    keep = np.ones(len(relevant), dtype=bool)
    keep[shown] = False
    scores = []
    for order in (before, after):
        flags = relevant[order[keep[order]]]
        precision, gain = average_precision(flags), ndcg(flags, cut=_CUT)
        if precision is None or gain is None:
            return None
        scores.append((precision, gain))
    (ap_before, gain_before), (ap_after, gain_after) = scores
    return Change(100 * (ap_after - ap_before), 100 * (gain_after - gain_before), promoted)


@dataclass(frozen=True)
class Summary:
    """Means over queries and people. Gains in points (0 to 100), shares 0 to 1, ``ci95`` of ``gain_ap``."""

    gain_ap: float
    gain_ndcg10: float
    worse_share: float
    promoted_share: float
    ci95: tuple[float, float]

    def as_json(self) -> dict[str, object]:
        """Rounded to four digits."""
        return {
            "gain_ap": round(self.gain_ap, 4),
            "gain_ndcg10": round(self.gain_ndcg10, 4),
            "worse_share": round(self.worse_share, 4),
            "promoted_share": round(self.promoted_share, 4),
            "ci95": [round(end, 4) for end in self.ci95],
        }


def summary_of(queries: Sequence[Sequence[Change]]) -> Summary:
    """Return the means over the queries' changes, each query with at least one; every query counts the same.

    The interval draws queries, and of each query people (a bootstrap in two stages: Davison and Hinkley 1997, 3.8):
    people of one query are too alike to be taken for so many observations.
    """
    return Summary(
        gain_ap=_mean([[change.ap for change in changes] for changes in queries]),
        gain_ndcg10=_mean([[change.ndcg10 for change in changes] for changes in queries]),
        worse_share=_mean([[float(change.ap < -WORSE) for change in changes] for changes in queries]),
        promoted_share=_mean([[float(change.promoted) for change in changes] for changes in queries]),
        ci95=_interval([[change.ap for change in changes] for changes in queries]),
    )


def _mean(values: Sequence[Sequence[float]]) -> float:
    return float(np.mean([np.mean(each) for each in values]))


def _interval(values: Sequence[Sequence[float]]) -> tuple[float, float]:
    rng = np.random.default_rng(_SEED)
    means = np.empty((len(values), ROUNDS))
    for row, each in enumerate(values):
        drawn = rng.integers(0, len(each), size=(ROUNDS, len(each)))
        means[row] = np.asarray(each)[drawn].mean(axis=1)
    chosen = rng.integers(0, len(values), size=(ROUNDS, len(values)))
    found = means[chosen, np.arange(ROUNDS)[:, np.newaxis]].mean(axis=1)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
