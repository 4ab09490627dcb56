"""The repeating work of the catalogue."""

from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from imagery.schedules_archive import archive_schedules_ensure
from rsportal.queue_settings import ENCODE_CLUSTER
from rsportal.schedules import schedule_ensure

REQUEUE_NAME: Final = "requeue stale ingest jobs"
_REQUEUE_MINUTES: Final = 1
MEANS_NAME: Final = "means of the active encoder"
UPLOADS_NAME: Final = "uploads that arrived or expired"
INDEXES_NAME: Final = "indexes over vectors"


def schedules_ensure(**_kwargs: Any) -> None:
    """Take up the jobs of dead workers every minute; look after means and indexes every hour."""
    archive_schedules_ensure()
    schedule_ensure(name=REQUEUE_NAME, task="imagery.tasks.requeue_stale", schedule_type="I", minutes=_REQUEUE_MINUTES)
    schedule_ensure(
        name=MEANS_NAME,
        task="imagery.tasks.encoder_means",
        schedule_type="H",
        cluster=ENCODE_CLUSTER,
        next_run=timezone.now() + timedelta(hours=1),  # A switch brings it forward.
    )
    schedule_ensure(name=INDEXES_NAME, task="imagery.tasks.vector_indexes", schedule_type="H", cluster=ENCODE_CLUSTER)
    schedule_ensure(name=UPLOADS_NAME, task="imagery.tasks.take_in_uploads", schedule_type="I", minutes=1)
