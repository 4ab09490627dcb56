"""Writing to the query log without making the person wait: a search writes more than it reads."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def log_atomic() -> Iterator[None]:
    """A transaction whose end does not wait for the disk.

    It is as atomic and as visible as any other. Only when the database server itself crashes may the last half second
    of the query log be missing, and a search that was answered then has to be asked again. Inside another transaction
    it is a part of that one, and waits as that one does.
    """
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit = off")
        yield


def array_literal(values: Iterable[object]) -> str:
    """Return PostgreSQL's text of an array of numbers or UUIDs, which an ArrayField stores as it is.

    For thousands of values a tenth of the work of a list, which Django and the driver take through several calls each.
    """
    return "{" + ",".join(map(str, values)) + "}"
