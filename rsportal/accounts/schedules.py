"""Work of the accounts area that repeats: its row in the queue's schedule, made after every migrate."""

from typing import Any, Final

EXPIRED_NAME: Final = "remove expired sessions and tokens"


def schedules_ensure(**_kwargs: Any) -> None:
    """Make the daily schedule that deletes what ran out, unless it is there. Harmless to repeat."""
    from django.db import connection
    from django_q.models import Schedule

    if Schedule._meta.db_table not in connection.introspection.table_names():
        return  # Only some apps are migrated yet.
    Schedule.objects.get_or_create(
        name=EXPIRED_NAME,
        defaults={
            "func": "rsportal.accounts.tasks.expired_remove",
            "schedule_type": Schedule.DAILY,
            "repeats": -1,
        },
    )
