"""Work that repeats: rows in the queue's schedule, made after every migrate so that none can be missing."""

from typing import Any


def schedule_ensure(*, name: str, task: str, **timing: Any) -> None:
    """Have the queue call ``task`` (a dotted path) again and again, unless a schedule of this ``name`` is there.

    ``timing`` are fields of django-q2's Schedule, such as ``schedule_type``. Harmless to repeat; an existing row
    stays as an operator changed it.
    """
    from django.db import connection
    from django_q.models import Schedule

    if Schedule._meta.db_table not in connection.introspection.table_names():
        return  # Only some apps are migrated yet.
    Schedule.objects.get_or_create(name=name, defaults={"func": task, "repeats": -1, **timing})
