"""Rows that a worker owns for a while: how many attempts, and the sign of life that tells it from a dead one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import F, Q, QuerySet
from django.utils import timezone

MAX_ATTEMPTS: Final = 3
"""So many attempts in a row that store nothing end a row; one that got on is no reason to give up."""
_BEATS_PER_STALE: Final = 6
_log = logging.getLogger(__name__)


def stale_before() -> datetime:
    """Return the moment before which a running row's last sign of life means that its worker is dead."""
    return timezone.now() - timedelta(seconds=settings.INGEST_STALE_SECONDS)


def is_out_of_attempts(row: Any) -> bool:
    """Return whether a row was claimed too often since an attempt last stored anything."""
    return bool(row.attempts - row.got_on_at >= MAX_ATTEMPTS)


def has_attempts_left() -> Q:
    """Return the filter of rows that may be tried again, by what the database knows now."""
    return Q(attempts__lt=F("got_on_at") + MAX_ATTEMPTS)


@contextmanager
def beating(rows: Callable[[], QuerySet[Any]]) -> Iterator[None]:
    """Set ``heartbeat_at`` of ``rows()`` every few seconds for the length of the block, from a thread of its own."""
    over = threading.Event()
    pause = settings.INGEST_STALE_SECONDS / _BEATS_PER_STALE

    def beat() -> None:
        try:
            while not over.wait(pause):
                try:
                    rows().update(heartbeat_at=timezone.now())
                except DatabaseError as error:
                    _log.warning("heartbeat was not stored: %s", error)
                    connection.close()
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
