"""Reads from the log how often neighbours were opened, exchanged and not: what propensities are estimated from."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from numpy.typing import NDArray

from search.exploration.learnable import DEEDS, LEARNABLE
from search.exploration.swaps import DEPTH, swap_chances

PAIRS: Final = DEPTH - 1
_BATCH: Final = 2_000  # rows read at a time

# A pair counts when its upper hit was shown. The lower one may stand on a page that nobody asked for: then nobody
# looked at it, which is what is to be learnt. A scene that vanished is another thing, and its pair is left out.
_COUNTS: Final = f"""
WITH shown AS (
    SELECT query.user_id, ranking.id, ranking.swapped_ranks, ranking.dropped_ranks, ranking.swap_share,
        CASE WHEN ranking.searched > {DEPTH} THEN {DEPTH} ELSE cardinality(ranking.scene_ids) END AS hits,
        impression.rank, EXISTS (
            SELECT 1 FROM search_event event WHERE event.impression_id = impression.id AND event.kind = ANY(%(deeds)s)
        ) AS done
    FROM search_ranking ranking
    JOIN search_query query ON query.id = ranking.query_id
    JOIN search_impression impression ON impression.ranking_id = ranking.id
    WHERE ranking.swap_share > 0 AND impression.rank <= {DEPTH} AND {LEARNABLE.format(user="query.user_id")}
), paired AS (
    SELECT *, lead(rank) OVER next = rank + 1 AND lead(done) OVER next AS done_below
    FROM shown WINDOW next AS (PARTITION BY id ORDER BY rank)
)
SELECT user_id, rank, rank = ANY(swapped_ranks), swap_share, hits, count(*), count(*) FILTER (WHERE done),
    count(*) FILTER (WHERE done_below)
FROM paired
WHERE rank < {DEPTH} AND NOT rank + 1 = ANY(dropped_ranks)
    AND NOT rank - 1 = ANY(swapped_ranks) AND NOT rank + 1 = ANY(swapped_ranks)
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1
"""


@dataclass(frozen=True)
class PairCounts:
    """One person's deeds at the pairs of ranks (k, k + 1), k = 1 ... 49, in arrays (49,) of float64.

    ``upper`` and ``lower`` are weighted sums of searches with a deed at k and at k + 1, balanced so that both hits of a
    pair stood at either rank equally often: lower / upper is then the ratio of what the ranks are worth, however good
    the hits are. A search in which the pair was exchanged counts almost 1, so that the sums say how much was seen.
    ``shows`` are the showings of exchanged pairs.
    """

    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    shows: NDArray[np.float64]

    @classmethod
    def none(cls) -> "PairCounts":
        return cls(np.zeros(PAIRS), np.zeros(PAIRS), np.zeros(PAIRS))

    def add(self, *, rank: int, swapped: bool, share: float, hits: int, shows: int, deeds: tuple[int, int]) -> None:
        """Add ``shows`` searches that showed the pair at ``rank``; ``deeds`` are those with one at k and at k + 1."""
        if rank + 1 > hits:
            return
        moved, still = swap_chances(rank=rank, hits=hits, share=share)
        weight = (still if swapped else moved) / (moved + still)
        self.upper[rank - 1] += weight * deeds[0]
        self.lower[rank - 1] += weight * deeds[1]
        self.shows[rank - 1] += shows * swapped


def pair_counts() -> Iterator[PairCounts]:
    """Yield the counts of each person whose searches may teach everybody's rankings, in the order of their ids.

    A cursor of the database is read in parts: memory does not grow with the log.
    """
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(_COUNTS, {"deeds": list(DEEDS)})
        for _user, rows in groupby(_rows(cursor), key=lambda row: row[0]):
            counts = PairCounts.none()
            for _id, rank, swapped, share, hits, shows, upper, lower in rows:
                counts.add(rank=rank, swapped=swapped, share=share, hits=hits, shows=shows, deeds=(upper, lower))
            yield counts


def _rows(cursor: CursorWrapper) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(_BATCH):
        yield from rows
