"""Reads of encoders: what a list shows, without counting millions of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection
from psycopg import sql

from imagery.models import Embedding, Encoder, EncoderFill
from imagery.models.encoder import HEAVY_FIELDS
from imagery.services.partitions import partition_name

_COUNTED_BYTES: Final = 64 << 20  # Up to this size vectors are counted (tens of milliseconds), beyond it estimated.
_PAGE_BYTES: Final = 8192
_PAGE_HEAD_BYTES: Final = 24
_ROW_HEAD_BYTES: Final = 24 + 4 + 8 + 8 + 8  # tuple header, item pointer, encoder, tile, the vector's own header
_BYTES_PER_NUMBER: Final = 2  # halfvec


@dataclass(frozen=True)
class Stored:
    """Vectors in an encoder's partition and the bytes of it and its index. ``estimated``: from its size on disk."""

    vectors: int
    bytes: int
    estimated: bool


@dataclass(frozen=True)
class EncoderRow:
    """An encoder with its fill (None: never filled beside another) and what is stored of it (None: dropped)."""

    encoder: Encoder
    fill: EncoderFill | None
    stored: Stored | None


def encoder_rows() -> list[EncoderRow]:
    """Return every encoder by name. Three statements, whatever the number of vectors."""
    encoders = list(Encoder.objects.defer(*HEAVY_FIELDS).select_related("fill").order_by("name"))
    stored = vectors_stored(encoders)
    return [
        EncoderRow(encoder=encoder, fill=getattr(encoder, "fill", None), stored=stored.get(encoder.pk))
        for encoder in encoders
    ]


def encoder_fill_of(encoder: Encoder) -> EncoderFill | None:
    """Return the encoder's fill, read now."""
    return EncoderFill.objects.filter(encoder=encoder).first()


def vectors_stored(encoders: list[Encoder]) -> dict[int, Stored]:
    """Return what is stored by encoder id; encoders without a partition are left out."""
    names = {partition_name(encoder.pk): encoder for encoder in encoders}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT part.relname, part.reltuples, part.relpages,
                   pg_relation_size(part.oid), pg_total_relation_size(part.oid)
            FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
            WHERE inhparent = %s::regclass AND part.relname = ANY(%s)
            """,
            [Embedding._meta.db_table, list(names)],
        )
        sizes = cursor.fetchall()
        small = [name for name, _rows, _pages, size, _all in sizes if size <= _COUNTED_BYTES]
        counted: dict[str, int] = {}
        if small:
            statement = sql.SQL(" UNION ALL ").join(
                sql.SQL("SELECT {}, count(*) FROM {}").format(sql.Literal(name), sql.Identifier(name)) for name in small
            )
            cursor.execute(statement.as_string(cursor.connection))
            counted = dict(cursor.fetchall())
    return {
        names[name].pk: Stored(
            vectors=counted[name] if name in counted else _estimate(rows, pages, size, names[name].dimension),
            bytes=total,
            estimated=name not in counted,
        )
        for name, rows, pages, size, total in sizes
    }


def _estimate(rows: float, pages: int, size: int, dimension: int) -> int:
    """Return the rows of a partition of ``size`` bytes: by its density when last analysed, else by a row's length."""
    if rows > 0 and pages > 0:
        return round(rows / pages * (size / _PAGE_BYTES))
    per_page = (_PAGE_BYTES - _PAGE_HEAD_BYTES) // (_ROW_HEAD_BYTES + _BYTES_PER_NUMBER * dimension)
    return size // _PAGE_BYTES * max(1, per_page)
