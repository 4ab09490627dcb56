"""Waking the workers: one free task in the queue's table is enough, because a task works on whatever waits."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from rsportal.queue_settings import DEFAULT_CLUSTER, ENCODE_CLUSTER

_TASKS_LOOKED_AT: Final = 3
_INGEST: Final = "imagery.tasks.ingest"
_FILL: Final = "imagery.tasks.fill"
_MEANS: Final = "imagery.tasks.encoder_means"
_INDEXES: Final = "imagery.tasks.vector_indexes"
_UPLOADS: Final = "imagery.tasks.take_in_uploads"
_SKETCH: Final = "imagery.tasks.fit_sketch"
_SCAN: Final = "imagery.tasks_archive.scan"
_VERIFY: Final = "imagery.tasks_archive.verify_some"


def job_enqueue(job_id: UUID) -> None:
    """See to it that a task takes up this job once the transaction commits."""
    _task_ensure(_INGEST, str(job_id))


def fill_enqueue() -> None:
    """See to it that a task goes on with the encoder fills once the transaction commits."""
    _task_ensure(_FILL)


def uploads_enqueue() -> None:
    """See to it that a task takes in complete uploads once the transaction commits."""
    _task_ensure(_UPLOADS, cluster=DEFAULT_CLUSTER)


def means_enqueue() -> None:
    """Have the scheduled look at the active encoder's means happen now, once the transaction commits."""
    from django_q.models import Schedule

    Schedule.objects.filter(func=_MEANS).update(next_run=timezone.now())


def indexes_enqueue() -> None:
    """Have the scheduled look at the indexes over vectors happen now, once the transaction commits."""
    from django_q.models import Schedule

    Schedule.objects.filter(func=_INDEXES).update(next_run=timezone.now())


def sketch_enqueue(encoder_id: int) -> None:
    """Have an encoder learn to read sketches, once the transaction commits."""
    from django_q.tasks import async_task

    async_task(_SKETCH, encoder_id, cluster=ENCODE_CLUSTER)


def archive_scan_enqueue(folder_id: int, *, accept_missing: bool = False) -> None:
    """Have a worker scan an archive folder, once the transaction commits; of two tasks at once, one finds it taken."""
    from django_q.tasks import async_task

    async_task(_SCAN, folder_id, accept_missing, save=False)


def verify_enqueue(files: int) -> None:
    """Have a worker go on with the night's check of originals."""
    from django_q.tasks import async_task

    async_task(_VERIFY, files, save=False)


def _task_ensure(task: str, *arguments: str, cluster: str = ENCODE_CLUSTER) -> None:
    """Put a task into the queue unless a free one of its kind is there.

    A task works on whatever waits, so one that nobody has taken yet serves the caller, too, if it cannot start before
    the caller's rows are visible: its own row stays locked until we commit, and the queue takes tasks by updating
    their row. Otherwise a new task goes into the queue's table, and commits (or not) together with those rows.
    """
    from django_q.models import OrmQ
    from django_q.tasks import async_task

    with transaction.atomic(savepoint=False):
        free = OrmQ.objects.filter(key=cluster, lock__lt=timezone.now()).order_by("pk")
        if not any(row.func() == task for row in free.select_for_update(skip_locked=True)[:_TASKS_LOOKED_AT]):
            async_task(task, *arguments, cluster=cluster, save=False)
