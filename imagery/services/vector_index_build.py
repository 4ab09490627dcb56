"""Making and dropping the index over one encoder's vectors.

A build belongs to one database session, which holds an advisory lock on the encoder meanwhile: two processes never
build the same index, and an index that is not valid while nobody holds the lock was broken off (killed, full disk), is
of no use and is made anew. Builds and drops are CONCURRENTLY, which PostgreSQL does not do inside a transaction:
searches and uploads go on. ``in_place`` makes uploads of this encoder wait instead, and needs one pass less.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.db import OperationalError, connection
from django.utils.translation import gettext as _
from psycopg import errors, sql

from imagery.models import Encoder
from imagery.selectors_encoders import vectors_stored
from imagery.services.partitions import partition_name
from imagery.services.vector_index import (
    MAX_DIMENSION,
    IndexState,
    VectorIndex,
    index_definition,
    index_name,
    vector_index_ready,
    vector_indexes,
)
from imagery.services.vector_index_memory import build_memory_mb, build_workers
from rsportal.errors import Conflict, InvalidInput, Unavailable

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_BUILDING: Final = 0x696478  # The first half of the advisory lock under which one session builds.
_log = logging.getLogger(__name__)


def vector_index_build(*, encoder: Encoder, kind: str | None = None, in_place: bool = False) -> VectorIndex:
    """Build the index of ``kind`` (default: the encoder's) unless a good one is there; return it.

    Indexes of another kind and broken ones are dropped. ``kind`` is kept with the encoder. Raises Conflict when
    another process builds, when there is nothing to index or when inside a transaction without ``in_place``;
    InvalidInput (field ``kind``) for a kind that cannot hold the encoder's vectors; Unavailable when the database
    gave up, with its reason.
    """
    kind = _kind_keep(encoder, kind)
    with _alone(encoder) as cursor:
        name = index_name(encoder.pk, kind)
        for index in vector_indexes(encoder.pk):
            if index.name == name and index.state == IndexState.READY:
                break
            if index.name == name:
                _drop(cursor, index.name, in_place=in_place)
        else:
            _create(cursor, encoder, kind, in_place=in_place)
        for index in vector_indexes(encoder.pk):
            if index.kind != kind:
                _drop(cursor, index.name, in_place=in_place)
    ready = vector_index_ready(encoder.pk)
    if ready is None:
        raise Unavailable(
            _("The index of encoder %(name)s was dropped while it was being built.") % {"name": encoder.name}
        )
    return ready


def vector_index_drop(*, encoder: Encoder, in_place: bool = False, keep_off: bool = True) -> int:
    """Drop the encoder's indexes, broken ones too; return how many. Raises Conflict while one is being built.

    From then on every vector is compared. ``keep_off`` also notes that none is wanted, so that the worker makes none.
    """
    if keep_off:
        encoder.index_kind = Encoder.Index.NONE
        encoder.save(update_fields=["index_kind"])
    with _alone(encoder) as cursor:
        indexes = vector_indexes(encoder.pk)
        for index in indexes:
            _drop(cursor, index.name, in_place=in_place)
    return len(indexes)


def _kind_keep(encoder: Encoder, kind: str | None) -> str:
    kind = kind or encoder.index_kind
    if kind not in MAX_DIMENSION:
        kinds = ", ".join(MAX_DIMENSION)
        raise InvalidInput(
            _("Encoder %(name)s is to have no index; name the kind to build: %(kinds)s.")
            % {"name": encoder.name, "kinds": kinds},
            field="kind",
        )
    if encoder.dimension > MAX_DIMENSION[Encoder.Index(kind)]:
        raise InvalidInput(
            _("An index of kind %(kind)s holds at most %(most)d numbers a vector; those of encoder %(name)s have "
              "%(dimension)d. Use kind %(other)s.")
            % {
                "kind": kind,
                "most": MAX_DIMENSION[Encoder.Index(kind)],
                "name": encoder.name,
                "dimension": encoder.dimension,
                "other": Encoder.Index.BINARY.value,
            },
            field="kind",
        )  # fmt: skip
    if kind != encoder.index_kind:
        encoder.index_kind = kind
        encoder.save(update_fields=["index_kind"])
    return kind


@contextmanager
def _alone(encoder: Encoder) -> Iterator[CursorWrapper]:
    """Hold the encoder's build lock in this session. Raises Conflict when another session has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [partition_name(encoder.pk)])
        if cursor.fetchone()[0] is None:
            raise Conflict(_("Encoder %(name)s has no vectors that could be indexed.") % {"name": encoder.name})
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_BUILDING, encoder.pk])
        if not cursor.fetchone()[0]:
            raise Conflict(
                _("The index of encoder %(name)s is just being built by another process.") % {"name": encoder.name}
            )
        try:
            yield cursor
        finally:
            if connection.is_usable():
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_BUILDING, encoder.pk])


def _create(cursor: CursorWrapper, encoder: Encoder, kind: str, *, in_place: bool) -> None:
    stored = vectors_stored([encoder]).get(encoder.pk)
    rows = stored.vectors if stored else 0
    memory = build_memory_mb(kind=kind, rows=rows, dimension=encoder.dimension)
    workers = build_workers()
    _log.info(
        "building the %s index of %s: %d vectors, %d MB, %d more processes", kind, encoder.name, rows, memory, workers
    )
    try:
        with _session(cursor, maintenance_work_mem=f"{memory}MB", max_parallel_maintenance_workers=workers):
            _create_once(cursor, encoder, kind, in_place=in_place)
    except OperationalError as error:
        if not isinstance(error.__cause__, errors.DiskFull) or not workers:
            raise _gave_up(encoder, error) from error
        # Processes that build together share memory, which may be scarce (/dev/shm of a container).
        _log.info("not enough shared memory to build in parallel; once more in one process")
        _drop(cursor, index_name(encoder.pk, kind), in_place=in_place)
        try:
            with _session(cursor, maintenance_work_mem=f"{memory}MB", max_parallel_maintenance_workers=0):
                _create_once(cursor, encoder, kind, in_place=in_place)
        except OperationalError as again:
            raise _gave_up(encoder, again) from again


def _create_once(cursor: CursorWrapper, encoder: Encoder, kind: str, *, in_place: bool) -> None:
    table = sql.Identifier(partition_name(encoder.pk))
    # Statistics of vectors serve no plan and are dear to take: reading them all would evict what searches need.
    statements = (
        sql.SQL("ALTER TABLE {} ALTER COLUMN vector SET STATISTICS 0").format(table),
        sql.SQL("CREATE INDEX {how} {name} ON {table} {definition}").format(
            how=sql.SQL("" if in_place else "CONCURRENTLY"),
            name=sql.Identifier(index_name(encoder.pk, kind)),
            table=table,
            definition=sql.SQL(index_definition(kind, encoder.dimension)),
        ),
        sql.SQL("ANALYZE {}").format(table),
    )
    for statement in statements:
        cursor.execute(statement.as_string(cursor.connection))


def _gave_up(encoder: Encoder, error: OperationalError) -> Unavailable:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return Unavailable(
        _("The database could not build the index of encoder %(name)s: %(reason)s. Searches compare every vector "
          "until it is built.")
        % {"name": encoder.name, "reason": reason}
    )  # fmt: skip


def _drop(cursor: CursorWrapper, name: str, *, in_place: bool) -> None:
    statement = sql.SQL("DROP INDEX {how} IF EXISTS {name}").format(
        how=sql.SQL("" if in_place else "CONCURRENTLY"), name=sql.Identifier(name)
    )
    cursor.execute(statement.as_string(cursor.connection))


@contextmanager
def _session(cursor: CursorWrapper, **values: Any) -> Iterator[None]:
    """Set these for the session, and back to the server's own afterwards."""
    for name, value in values.items():
        cursor.execute("SELECT set_config(%s, %s, false)", [name, str(value)])
    try:
        yield
    finally:
        if connection.is_usable():
            for name in values:
                cursor.execute(f"RESET {name}")
