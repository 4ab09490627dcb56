"""Work that repeats: its rows in the queue's schedule, made after every migrate so that none can be missing."""

from __future__ import annotations

from typing import Any, Final

REQUEUE_NAME: Final = "requeue stale ingest jobs"
_REQUEUE_MINUTES: Final = 1


def schedules_ensure(**_kwargs: Any) -> None:
    """Make the schedule that takes up jobs of dead workers, unless it is there. Harmless to repeat."""
    from django.db import connection
    from django_q.models import Schedule

    if Schedule._meta.db_table not in connection.introspection.table_names():
        return  # Only some apps are migrated yet.
    Schedule.objects.get_or_create(
        name=REQUEUE_NAME,
        defaults={
            "func": "imagery.tasks.requeue_stale",
            "schedule_type": Schedule.MINUTES,
            "minutes": _REQUEUE_MINUTES,
            "repeats": -1,
        },
    )
