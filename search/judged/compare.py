"""Two runs of one set side by side: the difference of each measure, and the queries that changed most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from search.judged.summary import COMPARED, Difference, difference
from search.models import RankingRun

SHOWN_CHANGES: Final = 20


@dataclass(frozen=True)
class QueryChange:
    """nDCG@10 of one query under both runs."""

    key: str
    text: str
    first: float
    second: float

    @property
    def gain(self) -> float:
        """How much better the second is."""
        return self.second - self.first


@dataclass(frozen=True)
class RunComparison:
    """``second`` against ``first`` over the ``queries`` that both have scores of.

    ``differences`` by measure; ``changes`` are all queries, the largest change of nDCG@10 first.
    """

    first: RankingRun
    second: RankingRun
    queries: int
    differences: dict[str, Difference]
    changes: list[QueryChange]

    @property
    def better(self) -> int:
        """Queries that the second run answers better."""
        return sum(change.gain > 0 for change in self.changes)

    @property
    def worse(self) -> int:
        """Queries that the second run answers worse."""
        return sum(change.gain < 0 for change in self.changes)


def runs_compare(first: RankingRun, second: RankingRun, *, texts: Mapping[str, str]) -> RunComparison | None:
    """Compare two runs of one set, query by query; None if they have no query in common.

    ``texts`` are the words of the set's queries by key; a query that is gone is called by its key.
    """
    keys = [key for key in first.scores if key in second.scores]
    if not keys:
        return None
    groups = [str(second.scores[key].get("group", key)) for key in keys]

    def values(run: RankingRun, name: str) -> list[float]:
        return [float(run.scores[key][name]) for key in keys]

    changes = [
        QueryChange(key, texts.get(key, key), one, two)
        for key, one, two in zip(keys, values(first, "ndcg10"), values(second, "ndcg10"), strict=True)
    ]
    return RunComparison(
        first=first,
        second=second,
        queries=len(keys),
        differences={name: difference(values(first, name), values(second, name), groups=groups) for name in COMPARED},
        changes=sorted(changes, key=lambda change: -abs(change.gain)),
    )


def run_dict(run: RankingRun) -> dict[str, Any]:
    """Return a run for programs: measures as [mean, low, high], 0 to 1, and the scores of each query."""
    return {
        "run": run.pk,
        "configuration": run.configuration,
        "versions": run.versions,
        "searched": run.searched,
        "seconds": run.seconds,
        **run.summary,
        "scores": run.scores,
    }


def comparison_dict(comparison: RunComparison) -> dict[str, Any]:
    """Return a comparison for programs; positive differences are gains of the second."""
    return {
        "first": comparison.first.configuration,
        "second": comparison.second.configuration,
        "queries": comparison.queries,
        "better": comparison.better,
        "worse": comparison.worse,
        "differences": {
            name: {
                "difference": round(each.interval.mean, 5),
                "interval": [round(each.interval.low, 5), round(each.interval.high, 5)],
                "p": round(each.p, 5),
            }
            for name, each in comparison.differences.items()
        },
        "largest": [
            {
                "query": each.key,
                "text": each.text,
                "first": each.first,
                "second": each.second,
                "gain": round(each.gain, 5),
            }
            for each in comparison.changes[:SHOWN_CHANGES]
            if each.gain
        ],
    }
