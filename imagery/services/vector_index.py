"""The index over one encoder's vectors: its SQL, and what there is of it now.

The column of the table has no dimension (each encoder has its own), and an index needs one: so what is indexed is an
expression, and a search must order by the very same one (:func:`order_by`). ``vector_index_build`` makes and drops it,
``vector_index_upkeep`` decides when.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from imagery.models import Encoder
from imagery.services.partitions import partition_name

M: Final = 16
EF_CONSTRUCTION: Final = 128
"""With 64 the recall of a million rows stays below .96 however hard a search tries (docs/decisions)."""
MAX_DIMENSION: Final = {Encoder.Index.HNSW: 4_000, Encoder.Index.BINARY: 64_000}
"""Numbers a vector may have, per kind of index (pgvector)."""


class IndexState(models.TextChoices):
    """What an index is good for."""

    READY = "ready", _("in use")
    BUILDING = "building", _("being built")
    BROKEN = "broken", _("broken off")


@dataclass(frozen=True)
class IndexProgress:
    """How far a build is: PostgreSQL's name of the phase, percent of it (None: it does not say) and time left."""

    phase: str
    percent: float | None
    elapsed: timedelta

    @property
    def left(self) -> timedelta | None:
        """Time left in this phase, if it goes on as it went so far."""
        if not self.percent or self.percent < 1:
            return None
        return self.elapsed * (100.0 / self.percent - 1.0)


@dataclass(frozen=True)
class VectorIndex:
    """One index that exists, of ``kind`` hnsw or binary, with the bytes it takes on disk."""

    kind: str
    name: str
    state: IndexState
    bytes: int


def index_name(encoder_id: int, kind: str) -> str:
    """Return the name of an encoder's index of this kind."""
    return f"{partition_name(encoder_id)}_{kind}"


def index_expression(kind: str, dimension: int, *, vector: str = "vector") -> str:
    """Return what an index of ``kind`` holds of ``vector``, as SQL without the outer parentheses."""
    if kind == Encoder.Index.BINARY:
        return f"binary_quantize({vector})::bit({dimension})"
    return f"{vector}::halfvec({dimension})"


def index_definition(kind: str, dimension: int) -> str:
    """Return the part of CREATE INDEX after the table's name."""
    operators = "bit_hamming_ops" if kind == Encoder.Index.BINARY else "halfvec_cosine_ops"
    options = f"m = {M}, ef_construction = {EF_CONSTRUCTION}"
    return f"USING hnsw (({index_expression(kind, dimension)}) {operators}) WITH ({options})"


def order_by(kind: str, dimension: int, *, vector: str, asked: str) -> str:
    """Return the distance an index of ``kind`` orders by: ``vector`` is the column, ``asked`` a halfvec literal."""
    operator = "<~>" if kind == Encoder.Index.BINARY else "<=>"
    mine, theirs = (index_expression(kind, dimension, vector=name) for name in (f"({vector})", f"({asked})"))
    return f"({mine}) {operator} ({theirs})"


def vector_indexes(encoder_id: int) -> list[VectorIndex]:
    """Return the indexes over an encoder's vectors, whatever their state; none for an encoder without vectors."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT class.relname, indisvalid AND indisready, pg_relation_size(indexrelid),
                   EXISTS (SELECT FROM pg_stat_progress_create_index AS now WHERE now.index_relid = indexrelid)
            FROM pg_index JOIN pg_class AS class ON class.oid = indexrelid
            WHERE indrelid = to_regclass(%s) AND class.relname = ANY(%s)
            """,
            [partition_name(encoder_id), [index_name(encoder_id, kind) for kind in MAX_DIMENSION]],
        )
        rows = cursor.fetchall()
    return [
        VectorIndex(kind=name.rsplit("_", 1)[1], name=name, state=_state(valid, building), bytes=size)
        for name, valid, size, building in rows
    ]


def vector_index_ready(encoder_id: int) -> VectorIndex | None:
    """Return an index that searches can use, or None."""
    return next((index for index in vector_indexes(encoder_id) if index.state == IndexState.READY), None)


def vector_index_progress(encoder_id: int) -> IndexProgress | None:
    """Return how far the build of an encoder's index is, or None when none is being built."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT phase, 100.0 * blocks_done / NULLIF(blocks_total, 0), now() - activity.query_start
            FROM pg_stat_progress_create_index AS build LEFT JOIN pg_stat_activity AS activity USING (pid)
            WHERE build.relid = to_regclass(%s)
            """,
            [partition_name(encoder_id)],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    phase, percent, elapsed = row
    return IndexProgress(
        phase=phase, percent=None if percent is None else float(percent), elapsed=elapsed or timedelta()
    )


def _state(valid: bool, building: bool) -> IndexState:
    if valid:
        return IndexState.READY
    return IndexState.BUILDING if building else IndexState.BROKEN
