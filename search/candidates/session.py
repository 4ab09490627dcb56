"""Settings of the database for one retrieval, and only for it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from django.db import connection, transaction


class Setting(StrEnum):
    """What may be set: a misspelt name of pgvector's would be taken in silence before its library is loaded."""

    JIT = "jit"
    EF_SEARCH = "hnsw.ef_search"
    ITERATIVE_SCAN = "hnsw.iterative_scan"
    MAX_SCAN_TUPLES = "hnsw.max_scan_tuples"
    SCAN_MEM_MULTIPLIER = "hnsw.scan_mem_multiplier"
    HASH_JOIN = "enable_hashjoin"
    MERGE_JOIN = "enable_mergejoin"
    SEQUENTIAL_SCAN = "enable_seqscan"
    BITMAP_SCAN = "enable_bitmapscan"
    SORT = "enable_sort"
    WORK_MEM = "work_mem"


class IterativeScan(StrEnum):
    """How an HNSW scan goes on when rows are still wanted after the first ``ef_search``."""

    OFF = "off"
    STRICT_ORDER = "strict_order"
    RELAXED_ORDER = "relaxed_order"


OFF: Final = "off"


@contextmanager
def settings_local(values: Mapping[Setting, str | int]) -> Iterator[None]:
    """Run the body in a transaction with these settings (SET LOCAL); afterwards they are as before.

    Inside a caller's transaction they are put back by hand: SET LOCAL lasts until that one ends.
    """
    names = list(values)
    inside = connection.in_atomic_block
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        before: tuple[str, ...] = ()
        if inside:
            cursor.execute(f"SELECT {', '.join('current_setting(%s, true)' for _ in names)}", [str(n) for n in names])
            before = cursor.fetchone()
        _set(cursor, {name: str(value) for name, value in values.items()})
        yield
        if inside:
            # A setting that pgvector has not declared yet reads as NULL; RESET would not know it either.
            _set(cursor, {name: was for name, was in zip(names, before, strict=True) if was})


def _set(cursor: object, values: Mapping[Setting, str]) -> None:
    if values:
        parameters = [text for name, value in values.items() for text in (str(name), value)]
        calls = ", ".join("set_config(%s, %s, true)" for _ in values)
        cursor.execute(f"SELECT {calls}", parameters)  # type: ignore[attr-defined]
