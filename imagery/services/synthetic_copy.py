"""Rows of synthetic scenes, tiles and embeddings as PostgreSQL's binary COPY takes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from django.db import connection
from numpy.typing import NDArray
from psycopg import sql

from imagery.models import Scene, Tile
from imagery.synthetic.scenes import MARK, SceneRow

# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format": signature, flags, no extension; then the end.
_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"

_SCENE_COLUMNS: Final = {
    "id": "uuid", "collection_id": "int8", "title": "varchar", "status": "varchar", "datetime": "timestamptz",
    "start_datetime": "timestamptz", "end_datetime": "timestamptz", "platform": "varchar", "instruments": "jsonb",
    "gsd": "float8", "cloud_cover": "float8", "proj_code": "varchar", "footprint": "jsonb", "west": "float8",
    "south": "float8", "east": "float8", "north": "float8", "width": "int4", "height": "int4", "bands": "jsonb",
    "properties": "jsonb", "content_hash": "varchar", "placeholder": "text", "created_by_id": "int8",
    "created_at": "timestamptz", "updated_at": "timestamptz", "stac_id": "varchar", "stac": "jsonb", "stretch": "jsonb",
}  # fmt: skip
_TILE_COLUMNS: Final = ("id", "scene_id", "level", "x", "y", "width", "height")


def content_hash(seed: int, number: int) -> str:
    """Return what stands for the checksum of a synthetic scene: no SHA-256, and found by its prefix."""
    return f"synthetic:{seed}:{number}"


def scenes_copy(*, rows: Sequence[SceneRow], collection_ids: Sequence[int], seed: int, first: int) -> None:
    """Write scenes; ``collection_ids`` are the ids behind ``SceneRow.collection``."""
    names = sql.SQL(", ").join(map(sql.Identifier, _SCENE_COLUMNS))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(Scene._meta.db_table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(list(_SCENE_COLUMNS.values()))
        for offset, row in enumerate(rows):
            copy.write_row(_scene(row, collection_ids[row.collection], seed, first + offset))


def tiles_copy(*, scenes: Sequence[SceneRow], windows: int, first_id: int) -> NDArray[np.int64]:
    """Write the tiles of scenes: the whole and ``windows`` windows of each; return their ids (n, 1 + windows)."""
    count = 1 + windows
    ids = np.arange(first_id, first_id + len(scenes) * count, dtype=np.int64)
    kinds = [("id", ">i8"), ("scene", "V16"), ("level", ">i2"), *((name, ">i4") for name in _TILE_COLUMNS[3:])]
    table = _table(len(ids), kinds)
    sides = np.repeat([row.platform.side for row in scenes], count)
    place = np.tile(np.arange(count), len(scenes)) - 1  # -1: the whole scene
    columns = max(1, int(np.ceil(np.sqrt(windows))))
    part = sides // columns
    whole = place < 0
    table["id"] = ids
    table["scene"] = np.repeat(np.frombuffer(b"".join(row.id.bytes for row in scenes), dtype="V16"), count)
    table["level"] = ~whole
    table["x"] = np.where(whole, 0, place % columns * part)
    table["y"] = np.where(whole, 0, place // columns * part)
    table["width"] = table["height"] = np.where(whole, sides, part)
    _write(Tile._meta.db_table, _TILE_COLUMNS, table)
    return ids.reshape(len(scenes), count)


def embeddings_copy(*, table: str, encoder_id: int, tile_ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
    """Write vectors (n, d) of tiles (n,) into a partition, ``table``."""
    dimension = vectors.shape[1]
    # halfvec_recv: the dimension, 16 unused bits, the numbers.
    rows = _table(
        len(tile_ids),
        [("encoder", ">i8"), ("tile", ">i8"), ("vector", [("d", ">i2"), ("unused", ">i2"), ("x", ">f2", dimension)])],
    )
    rows["encoder"], rows["tile"] = encoder_id, tile_ids
    rows["vector"]["d"], rows["vector"]["unused"], rows["vector"]["x"] = dimension, 0, vectors
    _write(table, ("encoder_id", "tile_id", "vector"), rows)


def tile_ids_reserve(count: int) -> int:
    """Take ``count`` ids of tiles out of their sequence and return the first; nobody else gets one of them."""
    with connection.cursor() as cursor:
        # Whoever inserts a tile locks the table before taking an id, so nobody takes one between the two calls.
        cursor.execute(f"LOCK TABLE {Tile._meta.db_table} IN EXCLUSIVE MODE")
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [Tile._meta.db_table])
        sequence = cursor.fetchone()[0]
        cursor.execute("SELECT setval(%s, nextval(%s) + %s)", [sequence, sequence, count - 1])
        return int(cursor.fetchone()[0]) - count + 1


def _table(count: int, kinds: list[tuple[Any, ...]]) -> NDArray[np.void]:
    """Return rows of the binary format: the number of fields, then each field behind its length in bytes."""
    layout: list[tuple[Any, ...]] = [("fields", ">i2")]
    lengths = {}
    for name, *kind in kinds:
        layout += [(f"{name} bytes", ">i4"), (name, *kind)]
        lengths[f"{name} bytes"] = np.dtype([(name, *kind)]).itemsize
    rows = np.empty(count, dtype=layout)
    rows["fields"] = len(kinds)
    for name, length in lengths.items():
        rows[name] = length
    return rows


def _write(table: str, columns: Sequence[str], rows: NDArray[np.void]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(_HEADER)
        copy.write(rows.tobytes())
        copy.write(_TRAILER)


def _scene(row: SceneRow, collection_id: int, seed: int, number: int) -> tuple[Any, ...]:
    from psycopg.types.json import Jsonb

    west, south, east, north = row.bbox or (None, None, None, None)
    platform = row.platform
    return (
        row.id, collection_id, row.title, Scene.Status.READY.value, row.moment, row.start, row.end, platform.name,
        Jsonb(list(platform.instruments)), float(platform.gsd), row.cloud_cover, row.proj_code,
        None if row.footprint is None else Jsonb(row.footprint, dumps=_dumps), west, south, east, north,
        platform.side, platform.side, Jsonb([]), Jsonb({MARK: seed}), content_hash(seed, number), "", None,
        row.created_at, row.created_at, "", Jsonb({}), Jsonb({}),
    )  # fmt: skip


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
