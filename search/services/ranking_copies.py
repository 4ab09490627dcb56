"""Taking over a stored ranking as another query's answer: the arrays stay in the database."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection

_PLAIN: Final = ("encoder_id", "ranker", "searched", "estimated", "route", "cache_key", "computed_at")
_ARRAYS: Final = ("scene_ids", "tile_ids", "scores", "similarities")
_ORDERED: Final = (*_ARRAYS, "reasons")

# The first hits in another order, the rest as it is. What was never kept of an old ranking is an empty list.
_HEAD: Final = "FROM unnest(%(head)s::int[]) WITH ORDINALITY h (rank, place)"
_MOVED: Final = {
    **{
        name: f"""CASE WHEN source.{name} = '{{}}' THEN source.{name}
    ELSE (SELECT array_agg(first.{name}[rank] ORDER BY place) {_HEAD}) || source.{name}[%(rest)s:] END"""
        for name in _ARRAYS
    },
    "reasons": f"""CASE WHEN source.reasons = '[]' THEN source.reasons
    ELSE (SELECT jsonb_agg(first.reasons -> (rank - 1) ORDER BY place) {_HEAD})
        || jsonb_path_query_array(source.reasons, '$[$from to last]', jsonb_build_object('from', %(rest)s - 1)) END""",
}
_COPY: Final = """
INSERT INTO search_ranking (
    id, query_id, cut_to, dropped_ranks, swapped_ranks, swap_share, teams, took_ms, created_at, {names})
SELECT gen_random_uuid(), %(query)s, 0, '{{}}', %(swapped)s::int[], %(share)s, '{{}}',
    jsonb_build_object('encode', 0, 'retrieve', 0, 'rank', 0, 'total', %(total)s::float), statement_timestamp(),
    {values}
FROM search_ranking source{first}
WHERE source.id = %(source)s RETURNING id
"""
# Cut off once: each look into a whole array reads all of its kilobytes.
_FIRST: Final = f""",
    LATERAL (SELECT {", ".join(f"source.{name}[:%(rest)s - 1] AS {name}" for name in _ARRAYS)},
        jsonb_path_query_array(source.reasons, '$[0 to $last]', jsonb_build_object('last', %(rest)s - 2)) AS reasons
    OFFSET 0) first"""


def ranking_copy(
    *, source_id: UUID, query_id: int, head: Sequence[int], swapped_ranks: list[int], swap_share: float, total_ms: float
) -> UUID | None:
    """Store a ranking as the answer to another query; return its id, or None if it was erased meanwhile.

    ``head`` are the ranks of it that stand first (``search.exploration.swaps.head_order``; [] keeps the order);
    ``swapped_ranks`` and ``swap_share`` are kept with it, and ``total_ms``, how long the search took.
    """
    plain = {name: f"source.{name}" for name in (*_PLAIN, *_ORDERED)}
    columns = {**plain, **_MOVED} if head else plain
    statement = _COPY.format(names=", ".join(columns), values=", ".join(columns.values()), first=_FIRST if head else "")
    values: dict[str, Any] = {
        "query": query_id, "source": source_id, "head": list(head), "rest": len(head) + 1, "swapped": swapped_ranks,
        "share": swap_share, "total": total_ms,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return row[0] if row is not None else None
