"""What a web process prepares in the background once it serves, so that its first visitor does not wait."""

import logging
import threading
from collections.abc import Callable

from django.db import DatabaseError, connection

from rsportal.errors import RsportalError

_log = logging.getLogger(__name__)
_tasks: list[Callable[[], object]] = []


def warmup_register(task: Callable[[], object]) -> None:
    """Have ``task`` run once in every web process; it must not need a request."""
    if task not in _tasks:
        _tasks.append(task)


def warmup_start() -> threading.Thread:
    """Run the registered tasks in a thread of their own, which is returned. Failures are logged: pages say more."""
    thread = threading.Thread(target=_run, name="warmup", daemon=True)
    thread.start()
    return thread


def _run() -> None:
    try:
        for task in _tasks:
            try:
                task()
            except (RsportalError, DatabaseError) as error:
                _log.info("warm-up left out: %s", error)
    finally:
        connection.close()
