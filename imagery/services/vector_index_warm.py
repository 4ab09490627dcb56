"""Reading the vectors in use into memory after a start: cold pages are read one by one, at random, by every search."""

from __future__ import annotations

import logging
from typing import Final

from django.db import connection

from imagery.models import Encoder
from imagery.services.partitions import partition_name
from imagery.services.vector_index import vector_index_ready
from rsportal.postgres.config import memory_bytes

_WARMING: Final = 0x77726D  # The first half of the advisory lock under which one process reads.
_EXTENSION: Final = "pg_prewarm"
_SHARE_OF_MEMORY: Final = 0.6
_SHARE_OF_BUFFERS: Final = 0.8
_log = logging.getLogger(__name__)


def vectors_warm() -> int:
    """Read the active encoder's index and vectors into memory; return the number of pages read (of 8 KiB).

    Into the database's own buffers when they hold them, else into the system's cache. What does not fit in memory is
    left out, the table first: reading it would push out the index. Without the extension pg_prewarm, which a database
    server elsewhere may lack, nothing is read and the log says so. Other processes that start now leave it to us.
    """
    encoder_id = Encoder.objects.filter(state=Encoder.State.ACTIVE).values_list("pk", flat=True).first()
    if encoder_id is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = %s)", [_EXTENSION])
        if not cursor.fetchone()[0]:
            _log.info(
                "vectors are not read into memory ahead of searches: the database lacks the extension pg_prewarm "
                "(as a superuser of this database: CREATE EXTENSION pg_prewarm)"
            )
            return 0
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_WARMING, encoder_id])
        if not cursor.fetchone()[0]:
            return 0
        try:
            return _warm(cursor, encoder_id)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_WARMING, encoder_id])


def _warm(cursor: object, encoder_id: int) -> int:
    index = vector_index_ready(encoder_id)
    names = [*([index.name] if index else []), partition_name(encoder_id)]
    execute, fetchone = cursor.execute, cursor.fetchone  # type: ignore[attr-defined]
    execute("SELECT pg_size_bytes(current_setting('shared_buffers'))")
    buffers = int(fetchone()[0] * _SHARE_OF_BUFFERS)
    room = int(memory_bytes() * _SHARE_OF_MEMORY)
    sizes = []
    for name in names:
        execute("SELECT pg_relation_size(to_regclass(%s))", [name])
        sizes.append(int(fetchone()[0] or 0))
    mode = "buffer" if sum(sizes) <= buffers else "read"
    pages = 0
    for name, size in zip(names, sizes, strict=True):
        if not 0 < size <= room:
            continue
        room -= size
        execute("SELECT pg_prewarm(%s::regclass, %s)", [name, mode])
        pages += int(fetchone()[0])
    _log.info("read %d MB of vectors into memory", pages // 128)
    return pages
