"""Doing the same thing several times at the same moment."""

import threading
from collections.abc import Callable

from django.db import connection

THREADS = 6


def at_once(work: Callable[[], object]) -> list[BaseException]:
    """Run ``work`` in ``THREADS`` threads at the same moment; return what they raised."""
    start = threading.Barrier(THREADS)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            connection.ensure_connection()
            start.wait(timeout=20)
            work()
        except BaseException as error:  # noqa: BLE001 - whatever happens in a thread must fail the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return errors
