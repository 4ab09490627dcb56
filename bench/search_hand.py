"""The search that a good hand would write in plain SQL: the same rows and filters, without Django or the portal.

Permission and filters are spelt out for one person and one case; which plan is used is said, not guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

_HALF_HEAD_BYTES = 4  # dimension and 16 unused bits
_STATEMENT = """
SELECT e.tile_id, t.scene_id, t.level, t.x, t.y, t.width, t.height,
       {distance} AS distance, e.vector
FROM {table} e JOIN imagery_tile t ON t.id = e.tile_id JOIN imagery_scene s ON s.id = t.scene_id
WHERE s.status = 'ready' AND s.collection_id = ANY(%(collections)s){filters}
ORDER BY distance LIMIT %(k)s
"""


@dataclass(frozen=True)
class HandCase:
    """What is filtered by: ids of the collections, the moments between which a scene was taken or None, a platform."""

    collections: Sequence[int]
    start: Any = None
    end: Any = None
    platform: str = ""


class HandWritten:
    """Plain pgvector SQL on a connection of its own, answers in binary; ``exact`` measures every row that passes."""

    def __init__(self, *, parameters: dict[str, Any], table: str, dimension: int, exact: bool) -> None:
        self.name = "plain SQL, exact" if exact else "plain SQL, HNSW"
        self._connection = psycopg.connect(**parameters, autocommit=True)
        self._connection.prepare_threshold = None
        self._exact, self._table, self._dimension = exact, table, dimension

    def find(self, query: NDArray[np.float32], k: int, case: HandCase) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return tile ids, nearest first, and their vectors (n, d)."""
        number = "%(query)s::text::halfvec"
        distance = f"(e.vector <=> {number}) + 0"
        if not self._exact:
            distance = f"(e.vector::halfvec({self._dimension})) <=> ({number}::halfvec({self._dimension}))"
        # The portal's rule: a scene of a period passes when the period meets the wanted one.
        dates = " AND (s.datetime >= %(start)s OR s.end_datetime >= %(start)s)" if case.start else ""
        dates += " AND (s.datetime <= %(end)s OR s.start_datetime <= %(end)s)" if case.end else ""
        filters = dates + (" AND s.platform = %(platform)s" if case.platform else "")
        statement = _STATEMENT.format(distance=distance, table=self._table, filters=filters)
        literal = "[" + ",".join(map(str, query.tolist())) + "]"
        values = {
            "query": literal, "k": k, "collections": list(case.collections), "start": case.start, "end": case.end,
            "platform": case.platform,
        }  # fmt: skip
        with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
            if not self._exact:
                cursor.execute(f"SET LOCAL hnsw.ef_search = {max(100, k)}")
                cursor.execute("SET LOCAL hnsw.iterative_scan = relaxed_order")
            cursor.execute(statement, values)
            rows = cursor.fetchall()
        halves = b"".join(bytes(row[8])[_HALF_HEAD_BYTES:] for row in rows)
        vectors = np.frombuffer(halves, dtype=">f2").astype(np.float32).reshape(len(rows), self._dimension)
        order = np.argsort([row[7] for row in rows], kind="stable")
        return np.array([row[0] for row in rows], dtype=np.int64)[order], vectors[order]
