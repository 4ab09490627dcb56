"""The partition of the embedding table that holds one encoder's vectors."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Final

from django.db import OperationalError, connection, transaction
from psycopg import errors, sql

from imagery.models import Embedding, Encoder

_FIRST_WAIT_MS: Final = 50
_LONGEST_WAIT_MS: Final = 400


def partition_name(encoder_id: int) -> str:
    """Return the name of the table that holds this encoder's vectors."""
    return f"{Embedding._meta.db_table}_{encoder_id}"


def partition_create(encoder: Encoder) -> str:
    """Make the encoder's partition unless it exists; return its name.

    The column keeps STORAGE PLAIN (vectors in the row, not in TOAST), and a CHECK refuses a vector whose
    dimension is not the encoder's, whoever writes it. The table is made apart and then attached, which does
    not block searches that run meanwhile (CREATE ... PARTITION OF would).
    """
    with partition_building(encoder):
        pass  # It stays empty.
    return partition_name(encoder.pk)


@contextmanager
def partition_building(encoder: Encoder) -> Iterator[str]:
    """Make the encoder's partition as :func:`partition_create` does; it is attached when the block ends.

    The block may fill it in bulk: until it is attached, there is no index and no foreign key to slow that down.
    A partition that exists is given as it is.
    """
    name = partition_name(encoder.pk)
    parent = Embedding._meta.db_table
    names = {
        "part": sql.Identifier(name),
        "name": sql.Literal(name),
        "parent": sql.Identifier(parent),
        "encoder": sql.Literal(encoder.pk),
        "dimension": sql.Literal(encoder.dimension),
        "of_encoder": sql.Identifier(f"{name}_encoder"),
        "of_dimension": sql.Identifier(f"{name}_dimension"),
    }
    statements = [sql.SQL(statement).format(**names) for statement in _CREATE]
    make, attach = statements[:_MADE_APART], statements[_MADE_APART:]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        there = cursor.fetchone()[0]
        for statement in () if there else make:
            cursor.execute(statement.as_string(cursor.connection))
        yield name
        for statement in () if there else attach:
            cursor.execute(statement.as_string(cursor.connection))


# The CHECK on encoder_id lets PostgreSQL attach without scanning.
_MADE_APART: Final = 5
_CREATE: Final = (
    "CREATE TABLE {part} (LIKE {parent} INCLUDING DEFAULTS INCLUDING STORAGE)",
    "ALTER TABLE {part} ALTER COLUMN vector SET STORAGE PLAIN",
    # Regions go out of the row however small it is: scans read vectors only.
    "ALTER TABLE {part} SET (toast_tuple_target = 128)",
    "ALTER TABLE {part} ADD CONSTRAINT {of_encoder} CHECK (encoder_id = {encoder})",
    "ALTER TABLE {part} ADD CONSTRAINT {of_dimension} CHECK (vector_dims(vector) = {dimension})",
    "ALTER TABLE {parent} ATTACH PARTITION {part} FOR VALUES IN ({encoder})",
    # Rows written to the partition by its own name count as changes, too (migration 0006).
    "SELECT imagery_archive_watch({name})",
)


def partition_drop(encoder_id: int, *, seconds: float = 20.0) -> bool:
    """Drop a retired (or deleted) encoder's vectors and their index; return False when searches left no gap for it.

    An encoder that is being filled again by then keeps its partition.
    Dropping needs an exclusive lock on the parent table for a moment. Whoever waits for such a lock makes every later
    search wait, too; so we wait for some milliseconds only, let the searches pass, and try again.
    """
    statement = sql.SQL("DROP TABLE IF EXISTS {part}").format(part=sql.Identifier(partition_name(encoder_id)))
    until = time.monotonic() + seconds
    wait_ms = _FIRST_WAIT_MS
    while True:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{wait_ms}ms'")
                # No fill starts while this lock is held (services.fill.encoders_lock).
                cursor.execute(f"SELECT state FROM {Encoder._meta.db_table} WHERE id = %s FOR KEY SHARE", [encoder_id])
                row = cursor.fetchone()
                if row is None or row[0] == Encoder.State.RETIRED:
                    cursor.execute(statement.as_string(cursor.connection))
                cursor.execute("SET LOCAL lock_timeout = DEFAULT")
            return True
        except OperationalError as error:
            if not isinstance(error.__cause__, errors.LockNotAvailable):
                raise
        if time.monotonic() + 2 * wait_ms / 1000 > until:
            return False
        Event().wait(wait_ms / 1000)
        wait_ms = min(2 * wait_ms, _LONGEST_WAIT_MS)


def partitions_of_nobody() -> list[int]:
    """Return the ids of retired (or deleted) encoders whose partition is still there."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT substring(part.relname FROM '[0-9]+$')::bigint
            FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
            WHERE inhparent = %s::regclass AND part.relname ~ '_[0-9]+$'
            ORDER BY 1
            """,
            [Embedding._meta.db_table],
        )
        ids = [row[0] for row in cursor.fetchall()]
    used = set(Encoder.objects.filter(pk__in=ids).exclude(state=Encoder.State.RETIRED).values_list("pk", flat=True))
    return [pk for pk in ids if pk not in used]
