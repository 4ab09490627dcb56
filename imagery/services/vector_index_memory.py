"""How much memory and how many processes the build of an index may take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection

from imagery.models import Encoder
from imagery.services.vector_index import M
from rsportal.postgres.config import memory_bytes

_MIB: Final = 1 << 20
_HALF_BYTES: Final = 2
_ELEMENT_BYTES: Final = 160
"""Of a graph's element beside its vector: heap pointers, level, lock, neighbour lists' heads (pgvector, hnsw.h)."""
_NEIGHBOR_BYTES: Final = 16
_LEVELS: Final = 1.07  # An element has 1 + 1/(M - 1) levels in the mean.
_SPARE: Final = 1.15
_LEAST_MB: Final = 64
_SHARE_OF_FREE: Final = 0.5
_HERE: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})
_CONTAINER_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
_CONTAINER_USED: Final = Path("/sys/fs/cgroup/memory.current")


def graph_mb(*, kind: str, rows: int, dimension: int) -> int:
    """Return the memory in MiB that the graph of ``rows`` vectors takes while it is built.

    Beyond maintenance_work_mem PostgreSQL goes on, but several times slower.
    """
    vector = dimension / 8 if kind == Encoder.Index.BINARY else dimension * _HALF_BYTES
    row = vector + _ELEMENT_BYTES + 2 * M * _NEIGHBOR_BYTES * _LEVELS
    return int(rows * row * _SPARE / _MIB) + 1


def build_memory_mb(*, kind: str, rows: int, dimension: int) -> int:
    """Return maintenance_work_mem in MiB for a build: what the graph takes, within what is there.

    RSPORTAL_INDEX_MEMORY_MB is the bound where it is set. Else it is half of the memory that is free on this machine
    when the database runs on it, and the database's own maintenance_work_mem when it runs elsewhere.
    """
    bound = settings.INDEX_MEMORY_MB or (_free_mb() if _database_is_here() else _own_setting_mb())
    return max(_LEAST_MB, min(graph_mb(kind=kind, rows=rows, dimension=dimension), bound))


def build_workers() -> int:
    """Return how many processes may help with a build: one for each other core here, else as the database is set."""
    if _database_is_here():
        return (os.cpu_count() or 1) - 1
    with connection.cursor() as cursor:
        cursor.execute("SHOW max_parallel_maintenance_workers")
        return int(cursor.fetchone()[0])


def _database_is_here() -> bool:
    host = str(connection.settings_dict.get("HOST") or "")
    return host.startswith("/") or host in _HERE


def _own_setting_mb() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_size_bytes(current_setting('maintenance_work_mem'))")
        return int(cursor.fetchone()[0]) // _MIB


def _free_mb() -> int:
    free = memory_bytes()
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = min(free, int(line.split()[1]) * 1024)
        limit = _CONTAINER_LIMIT.read_text().strip()
        if limit.isdigit():
            free = min(free, int(limit) - int(_CONTAINER_USED.read_text()))
    except (OSError, ValueError):  # Not Linux, or no limit to be read: the machine's memory is the bound.
        pass
    return max(_LEAST_MB, int(free * _SHARE_OF_FREE) // _MIB)
