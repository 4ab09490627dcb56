"""What a ranked list of scenes is worth by its judgements. Pure functions.

A scene counts as relevant from grade 1 on; in nDCG a grade is its own gain (linear, as in trec_eval). A hit that
nobody judged counts as not relevant; ``judged10`` says how many of the first ten were judged, and the ``condensed``
measures are of the list without unjudged hits (T. Sakai, Alternatives to Bpref, SIGIR 2007).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from imagery.evaluation.metrics import average_precision, ndcg, recall_at

Id = TypeVar("Id")

TOP: Final = 10
RECALL_CUTS: Final = (10, 100, 1_000)
RECALL_POINTS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
"""Where the recall curve is drawn (k)."""
PRECISION_POINTS: Final = tuple(step / 10 for step in range(11))
"""The recalls at which the precision-recall curve is interpolated."""
MEASURES: Final = (
    "ndcg10",
    "map",
    "recall10",
    "recall100",
    "recall1000",
    "judged10",
    "ndcg10_condensed",
    "map_condensed",
)
"""The measures of a query, by the names they are stored under."""


@dataclass(frozen=True)
class QueryScores:
    """A ranked list by its judgements. ``measures`` by name (MEASURES), each 0 to 1; ``relevant`` is how many relevant
    scenes there are; ``precision`` (11,) and ``recall`` (10,) are the points of the curves; ``problem`` says why the
    query could not be answered, in which case everything is 0."""

    measures: dict[str, float]
    relevant: int
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    problem: str = ""


def list_scores(
    ranked: Sequence[Id], grades: Mapping[Id, int], *, known_wrong: Collection[Id] = frozenset()
) -> QueryScores | None:
    """Score a ranked list, best first; None if no scene is relevant, so that nothing could be found.

    ``grades`` holds every judgement that counts, also of scenes that were not found; ``known_wrong`` are scenes that
    count as judged not relevant unless they have a grade.
    """
    relevant = sum(grade >= 1 for grade in grades.values())
    if not relevant:
        return None
    gains = np.array([grades.get(each, 0) for each in ranked], dtype=np.float64)
    judged = np.array([each in grades or each in known_wrong for each in ranked], dtype=bool)
    ideal = np.array(list(grades.values()), dtype=np.float64)
    condensed = gains[judged]
    top = judged[:TOP]
    measures = {
        "ndcg10": ndcg(gains, cut=TOP, ideal=ideal) or 0.0,
        "map": average_precision(gains, total=relevant) or 0.0,
        **{f"recall{cut}": recall_at(gains, cut, total=relevant) or 0.0 for cut in RECALL_CUTS},
        "judged10": float(top.mean()) if len(top) else 0.0,
        "ndcg10_condensed": ndcg(condensed, cut=TOP, ideal=ideal) or 0.0,
        "map_condensed": average_precision(condensed, total=relevant) or 0.0,
    }
    return QueryScores(
        measures=measures,
        relevant=relevant,
        precision=interpolated_precision(gains, relevant=relevant),
        recall=np.array([recall_at(gains, cut, total=relevant) or 0.0 for cut in RECALL_POINTS]),
    )


def unanswered(problem: str, *, relevant: int) -> QueryScores:
    """Return the scores of a query that got no answer: 0, since whoever asks it finds nothing."""
    return QueryScores(
        measures=dict.fromkeys(MEASURES, 0.0),
        relevant=relevant,
        precision=np.zeros(len(PRECISION_POINTS)),
        recall=np.zeros(len(RECALL_POINTS)),
        problem=problem,
    )


def interpolated_precision(gains: NDArray[np.float64], *, relevant: int) -> NDArray[np.float64]:
    """Return the precision (11,) at the recalls 0, 0.1, ... 1: the highest one at that recall or more.

    11-point interpolation (Manning, Raghavan, Schuetze, Introduction to Information Retrieval, 2008, section 8.4);
    recalls that the list never reaches have 0.
    """
    found = np.cumsum(gains > 0)
    precision = found / np.arange(1, len(gains) + 1)
    best_from = np.maximum.accumulate(precision[::-1])[::-1]
    # In whole relevant items, so that no rounding moves a point: recall r is reached with ceil(r * relevant) of them.
    needed = [max(1, -(-step * relevant // 10)) for step in range(len(PRECISION_POINTS))]
    first = np.searchsorted(found, needed, side="left")
    return np.array([best_from[rank] if rank < len(gains) else 0.0 for rank in first])
