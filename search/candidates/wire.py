"""Rows over the wire: one aggregated value in the binary formats of PostgreSQL, read by numpy without a loop.

A halfvec is sent as int16 dimension, int16 unused, then its halves, all big-endian (pgvector, ``halfvec_send``).
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import psycopg
from django.db import connection
from numpy.typing import NDArray

COLUMNS: Final = "tile_id, scene_id, level, x, y, width, height, distance, vector"
"""What a statement that is wrapped by :func:`packed` must return."""

_HEAD: Final = np.dtype([("tile", ">i8"), ("scene", "V16"), ("window", ">i4", (5,)), ("distance", ">f8")])
_VECTOR_HEAD_HALVES: Final = 2
_HEADS: Final = """
string_agg(
    int8send(tile_id) || uuid_send(scene_id) || int4send(level) || int4send(x) || int4send(y)
    || int4send(width) || int4send(height) || float8send(distance), ''::bytea)
"""
_VECTORS: Final = "string_agg(halfvec_send(vector), ''::bytea)"
# Every half, as the machine reads its two big-endian bytes, to the number it stands for.
_NUMBERS: Final[NDArray[np.float32]] = np.arange(1 << 16, dtype=np.uint16).view(">f2").astype(np.float32)


@dataclass(frozen=True)
class Rows:
    """Rows as parallel arrays of length n, nearest first; see :class:`search.candidates.shape.Candidates`."""

    tile_ids: NDArray[np.int64]
    scene_ids: NDArray[np.object_]
    windows: NDArray[np.int32]
    distances: NDArray[np.float64]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.tile_ids)


def rows_none(dimension: int) -> Rows:
    """Return no rows."""
    return Rows(
        tile_ids=np.empty(0, dtype=np.int64),
        scene_ids=np.empty(0, dtype=np.object_),
        windows=np.empty((0, 5), dtype=np.int32),
        distances=np.empty(0, dtype=np.float64),
        vectors=np.empty((0, dimension), dtype=np.float32),
    )


def packed(rows: str, *, extra: str = "NULL", vectors: bool = True) -> str:
    """Return the statement that sends the :data:`COLUMNS` of ``rows`` in one row, with one more value ``extra``."""
    return f"SELECT {_HEADS}, {_VECTORS if vectors else 'NULL'}, {extra} FROM ({rows}) AS packed"


def packed_read(statement: str, *, dimension: int) -> tuple[Rows, object]:
    """Run a :func:`packed` statement without parameters; return its rows and the extra value.

    Rows without a direction (a vector of zeros: its distance is NaN) are left out.
    """
    # Django's own cursors put parameters in by themselves and can only be answered in text.
    cursor = psycopg.Cursor(connection.connection)
    cursor.format = psycopg.pq.Format.BINARY
    make = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    with make(cursor) as wrapped:  # type: ignore[arg-type]  # Its stubs know Django's own cursors only.
        wrapped.execute(statement)
        head, vectors, extra = wrapped.fetchone()
    if not head:
        return rows_none(dimension), extra
    return _unpack(head, vectors or b"", dimension), extra


def _unpack(head: bytes, vectors: bytes, dimension: int) -> Rows:
    heads = np.frombuffer(head, dtype=_HEAD)
    width = _VECTOR_HEAD_HALVES + dimension if vectors else 0
    halves = np.frombuffer(vectors, dtype=np.uint16).reshape(len(heads), width)
    distances = heads["distance"].astype(np.float64)
    tiles = heads["tile"].astype(np.int64)
    order = np.lexsort((tiles, distances))
    order = order[~np.isnan(distances[order])]
    scenes = heads["scene"][order].tobytes()
    scene_ids = np.empty(len(order), dtype=np.object_)
    scene_ids[:] = [UUID(bytes=scenes[start : start + 16]) for start in range(0, len(scenes), 16)]
    return Rows(
        tile_ids=tiles[order],
        scene_ids=scene_ids,
        windows=heads["window"][order].astype(np.int32),
        distances=distances[order],
        vectors=np.take(_NUMBERS, halves[order, _VECTOR_HEAD_HALVES:]),
    )
