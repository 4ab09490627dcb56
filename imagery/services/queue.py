"""Waking the workers: one free task in the queue's table is enough, because a task works on whatever waits."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from rsportal.queue_settings import ENCODE_CLUSTER

_TASKS_LOOKED_AT: Final = 3
_TASK: Final = "imagery.tasks.ingest"


def job_enqueue(job_id: UUID) -> None:
    """See to it that a task takes up this job once the transaction commits.

    A task works on whatever waits, so one that nobody has taken yet serves this job too, if it cannot start before
    the job is visible: its row stays locked until we commit, and the queue takes tasks by updating their row.
    Otherwise a new task goes into the queue's table, and commits (or not) together with the job's row.
    """
    from django_q.models import OrmQ
    from django_q.tasks import async_task

    with transaction.atomic(savepoint=False):
        free = OrmQ.objects.filter(key=ENCODE_CLUSTER, lock__lt=timezone.now()).order_by("pk")
        if not any(row.func() == _TASK for row in free.select_for_update(skip_locked=True)[:_TASKS_LOOKED_AT]):
            async_task(_TASK, str(job_id), cluster=ENCODE_CLUSTER, save=False)
