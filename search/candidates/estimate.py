"""How many rows match, estimated from a sample, and from how many on the index is the faster way."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from math import sqrt
from threading import Lock
from time import monotonic
from typing import Final

from django.db import connection

from imagery.models import Scene
from imagery.services.partitions import partition_name
from search.candidates.matching import Asked

_SAMPLED_PAGES: Final = 120
"""Of the table of scenes: a thousand of them, in a millisecond. One scene in a hundred is seen often enough."""
_SEED: Final = 4
"""The same pages each time: asked again, a search tells the same number."""
_WALK_COST: Final = 4.0
"""What it costs to look at a row through the index, in rows measured one after the other (docs/decisions)."""
_LEAST_INDEXED: Final = 5_000
"""So few rows are compared in some milliseconds, however many there are in all."""

_KEPT_SECONDS: Final = 20.0
_MOST_KEPT: Final = 500
_FEW: Final = 0.04

# A partition may just have been dropped. The size on disk tells what the last ANALYZE could not know; a table that was
# never analysed has no density.
_SIZES: Final = """
SELECT size.pages, CASE WHEN relpages > 0 AND reltuples >= 0 THEN reltuples / relpages * size.pages END
FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, place)
LEFT JOIN pg_class ON pg_class.oid = to_regclass(wanted.name),
    LATERAL (
        SELECT coalesce(pg_relation_size(pg_class.oid), 0) / current_setting('block_size')::int AS pages
    ) AS size
ORDER BY place
"""
_SCENES_A_PAGE: Final = 8.0
_PAGE_BYTES: Final = 8192 - 24
_ROW_BYTES: Final = 56  # Beside the numbers of a vector.

_kept: "OrderedDict[Hashable, tuple[float, Estimate]]" = OrderedDict()
_lock = Lock()


@dataclass(frozen=True)
class Estimate:
    """Estimated numbers: ``scenes`` that match, of ``all_scenes`` in the archive, and ``rows`` of all vectors.

    ``scenes`` comes from looking at scenes that this person may find and at nothing else, so that it tells nothing of
    others; ``sampled`` is False when each was looked at.
    """

    scenes: float
    all_scenes: float
    rows: float
    sampled: bool

    @property
    def share(self) -> float:
        """The part of all scenes that match, above 0 to 1."""
        return min(1.0, max(self.scenes, 1.0) / max(self.all_scenes, 1.0))

    @property
    def tiles(self) -> float:
        """Rows that match, if scenes that match have as many tiles as others."""
        return self.share * self.rows

    @property
    def few(self) -> bool:
        """Whether looking up each row that matches is cheaper than reading all."""
        return self.share < _FEW

    @property
    def whole_share(self) -> float:
        """The part of all rows that are whole scenes and match."""
        return min(1.0, max(self.scenes, 1.0) / max(self.rows, 1.0))


def rows_estimate(asked: Asked) -> Estimate:
    """Estimate what matches from some hundred pages of the table of scenes; the answer is kept for some seconds.

    It chooses between two ways of the same answer, so nothing depends on its being of this moment.
    """
    now = monotonic()
    with _lock:
        kept = _kept.get(asked.filters)
        if kept is not None and kept[0] > now:
            return kept[1]
    estimate = _estimate(asked)
    with _lock:
        _kept[asked.filters] = (now + _KEPT_SECONDS, estimate)
        _kept.move_to_end(asked.filters)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return estimate


def _estimate(asked: Asked) -> Estimate:
    table = Scene._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(_SIZES, [[table, partition_name(asked.encoder_id)]])
        (pages, scenes), (vector_pages, vectors) = cursor.fetchall()
        part = min(1.0, _SAMPLED_PAGES / max(pages, 1))
        sampled = asked.scenes
        if part < 1.0:
            name = connection.ops.quote_name(table)
            sample = f"FROM {name} TABLESAMPLE SYSTEM ({100 * part:.6f}) REPEATABLE ({_SEED})"
            sampled = asked.scenes.replace(f"FROM {name}", sample, 1)
        cursor.execute(f"SELECT count(*) FROM ({sampled}) AS sampled", None)
        found = cursor.fetchone()[0]
    a_page = max(1.0, _PAGE_BYTES // (_ROW_BYTES + 2 * asked.dimension))
    return Estimate(
        scenes=found / part,
        all_scenes=scenes if scenes is not None else pages * _SCENES_A_PAGE,
        rows=vectors if vectors is not None else vector_pages * a_page,
        sampled=part < 1.0,
    )


def rows_compared_at_most(*, rows: float, k: int) -> int:
    """Return up to how many matching rows comparing each is faster than the index.

    Comparing n rows costs n. The index looks at k rows divided by the part that matches, n/rows, each ``_WALK_COST``
    times as dear: both cost the same at n = sqrt(_WALK_COST k rows).
    """
    return max(_LEAST_INDEXED, int(sqrt(_WALK_COST * k * rows)))
