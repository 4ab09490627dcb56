"""The repeating work of the catalogue."""

from typing import Any, Final

from rsportal.schedules import schedule_ensure

REQUEUE_NAME: Final = "requeue stale ingest jobs"
_REQUEUE_MINUTES: Final = 1


def schedules_ensure(**_kwargs: Any) -> None:
    """Take up the jobs of dead workers every minute."""
    schedule_ensure(name=REQUEUE_NAME, task="imagery.tasks.requeue_stale", schedule_type="I", minutes=_REQUEUE_MINUTES)
