"""The queue's broker: django-q2's table in our database, plus heartbeats for supervisor and /readyz."""

import logging
import socket
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.models import OrmQ
from django_q.signals import post_execute_in_worker, pre_execute
from django_q.signing import SignedPackage

from rsportal.processes import beat

_DATABASE_BEAT_SECONDS: Final = 10.0
_FORGET_AFTER: Final = timedelta(days=1)

_log = logging.getLogger(__name__)


class HeartbeatBroker(ORM):
    """Named in ``settings.Q_CLUSTER``; its module is imported before the workers are forked."""

    _database_beat_due = 0.0

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Lease the next entries, and note them for the supervisor."""
        entries: list[tuple[int, str]] | None = super().dequeue()
        if folder := beat.folder_from_environment():
            for entry, _payload in entries or []:
                beat.note_lease(folder, entry)
        return entries

    def delete(self, task_id: int) -> None:
        """Remove an entry that is done (acknowledged or unreadable)."""
        super().delete(task_id)
        if folder := beat.folder_from_environment():
            beat.drop_lease(folder, task_id)

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Take the sentinel's statistic (about once a second) as the sign of life of its cluster."""
        stat = SignedPackage.loads(value)
        if folder := beat.folder_from_environment():
            beat.write_beat(
                folder,
                beat.Beat(
                    sentinel=stat.sentinel,
                    workers=stat.workers,
                    waiting=stat.task_q_size,
                    reincarnations=stat.reincarnations,
                ),
            )
        if time.monotonic() >= self._database_beat_due:
            self._database_beat_due = time.monotonic() + _DATABASE_BEAT_SECONDS
            self._beat_in_database(stat)

    def _beat_in_database(self, stat: Any) -> None:
        from rsportal.models import WorkerHeartbeat

        now = timezone.now()
        close_old_connections()
        try:
            WorkerHeartbeat.objects.update_or_create(
                cluster=self.list_key,
                host=socket.gethostname()[:255],
                defaults={"pid": stat.sentinel, "beat_at": now, "waiting": stat.task_q_size},
            )
            WorkerHeartbeat.objects.filter(beat_at__lt=now - _FORGET_AFTER).delete()
        except DatabaseError as error:
            # The cluster outlives a database that restarts; the missing beat shows in /readyz.
            _log.warning("heartbeat of cluster %s was not stored: %s", self.list_key, error)


def leases_release(entries: Iterable[int]) -> None:
    """Hand queue entries of dead processes to whoever asks next, instead of when their lease ends."""
    OrmQ.objects.filter(pk__in=list(entries)).update(lock=timezone.now())


def _task_begins(task: dict[str, Any], **_kwargs: Any) -> None:
    if folder := beat.folder_from_environment():
        beat.mark_busy(folder, task.get("ack_id"))


def _task_ends(**_kwargs: Any) -> None:
    if folder := beat.folder_from_environment():
        beat.mark_idle(folder)


pre_execute.connect(_task_begins, dispatch_uid="rsportal-task-begins")
post_execute_in_worker.connect(_task_ends, dispatch_uid="rsportal-task-ends")
