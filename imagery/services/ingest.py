"""Bringing sources into the catalogue: accept (in ``services.accept``), run, retry, cancel, recover."""

from __future__ import annotations

import logging
import time
from typing import Final
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.jobs import State, claimable, job_crashed, jobs_claim, stale_jobs_release
from imagery.models import IngestJob, Scene
from imagery.services.accept import Source, SourceFile, editor_require, source_ingest, sources_ingest
from imagery.services.attach import scene_give_up
from imagery.services.encode import CLAIM_JOBS, jobs_encode
from imagery.services.encoders import encoder_active
from imagery.services.queue import job_enqueue
from imagery.services.selftest import encoder_ready
from rsportal.accounts.models import User
from rsportal.errors import Conflict, RsportalError
from rsportal.logs import job_logging

__all__ = [
    "Source",
    "SourceFile",
    "ingest_job_cancel",
    "ingest_job_retry",
    "ingest_job_run",
    "ingest_jobs_drain",
    "source_ingest",
    "sources_ingest",
    "stale_jobs_requeue",
]

_DRAIN_SECONDS: Final = 300.0
_log = logging.getLogger(__name__)


def ingest_job_run(*, job_id: UUID) -> None:
    """Claim one job and bring it to its end; does nothing when it is not waiting. Raises encoder errors."""
    _run(job_id=job_id, most=1)


def ingest_jobs_drain(*, seconds: float = _DRAIN_SECONDS, batch: UUID | None = None) -> int:
    """Work on waiting jobs, oldest first, until none is left or ``seconds`` are over; return how many were claimed.

    While more wait than were claimed, another task is kept in the queue: for the next free worker process, and for
    what is left at the end. ``batch`` holds the work to the sources that came together, and queues no task.
    Raises what :func:`ingest_job_run` raises.
    """
    until = time.monotonic() + seconds
    claimed = 0
    while taken := _run(most=CLAIM_JOBS, batch=batch, wake_others=batch is None):
        claimed += taken
        if time.monotonic() >= until:
            break
    return claimed


def _run(*, most: int, job_id: UUID | None = None, batch: UUID | None = None, wake_others: bool = False) -> int:
    if not claimable().exists():
        return 0
    try:
        encoder = encoder_active()
        # Before the claim: loading takes long, and this or the self-test may fail for all jobs alike.
        model = encoder_ready(encoder=encoder, image=True)
    except RsportalError as error:
        claimable().filter(state=State.QUEUED).exclude(reason=error.message).update(reason=error.message)
        raise
    jobs = jobs_claim(most=most, job_id=job_id, batch=batch)
    if not jobs:
        return 0
    if wake_others and (waiting := _oldest_waiting()):
        job_enqueue(waiting)
    with job_logging(jobs[0].pk):
        try:
            again = jobs_encode(jobs=jobs, encoder=encoder, model=model)
        except DatabaseError:
            raise  # Nothing can be written now; the jobs are taken up when their heartbeat is old.
        except Exception as error:
            _log.exception("ingest of %d jobs was cut off", len(jobs))
            for job in jobs:
                if job_crashed(job, error):
                    job_enqueue(job.pk)
            raise
        for pk in again:
            job_enqueue(pk)
    return len(jobs)


def ingest_job_retry(*, job: IngestJob, user: User) -> IngestJob:
    """Queue a failed job again, with all its attempts. Raises NotAllowed, or Conflict if there is nothing to retry."""
    editor_require(job.collection, user)
    with transaction.atomic():
        locked = IngestJob.objects.select_for_update().get(pk=job.pk)
        if locked.state != State.FAILED:
            raise Conflict(_("%(file)s has not failed; there is nothing to retry.") % {"file": locked.source_name})
        if not locked.retryable or locked.scene_id is None:
            raise Conflict(
                _("%(file)s was refused and is not kept. Correct the file and add it again.")
                % {"file": locked.source_name}
            )
        locked.state, locked.attempts, locked.got_on_at, locked.done = State.QUEUED, 0, 0, 0
        locked.reason, locked.retryable, locked.finished_at = "", False, None
        locked.save(update_fields=["state", "attempts", "got_on_at", "done", "reason", "retryable", "finished_at"])
        # A READY scene (encoding it anew failed) stays READY: shown meanwhile, and kept if this is cancelled.
        Scene.objects.filter(pk=locked.scene_id, status=Scene.Status.FAILED).update(
            status=Scene.Status.PENDING, updated_at=timezone.now()
        )
        job_enqueue(locked.pk)
    return locked


def ingest_job_cancel(*, job: IngestJob, user: User) -> IngestJob:
    """Stop a waiting or running job; its unfinished scene and kept files go. Raises NotAllowed or Conflict."""
    editor_require(job.collection, user)
    with transaction.atomic():
        locked = IngestJob.objects.select_for_update().get(pk=job.pk)
        if locked.finished:
            raise Conflict(
                _("%(file)s is finished (%(state)s); it cannot be cancelled.")
                % {"file": locked.source_name, "state": locked.get_state_display()}
            )
        locked.state, locked.retryable, locked.finished_at = State.CANCELLED, False, timezone.now()
        locked.save(update_fields=["state", "retryable", "finished_at"])
        scene = Scene.objects.filter(pk=locked.scene_id).exclude(status=Scene.Status.READY).first()
        if scene is not None:
            scene_give_up(scene, reason="")
    locked.refresh_from_db()
    return locked


def stale_jobs_requeue() -> int:
    """Queue the jobs of dead workers again and see that waiting jobs have a task; return how many were requeued."""
    released = stale_jobs_release()
    for pk in released:
        _log.warning("job %s: its worker is gone, queued again", pk)
    if waiting := _oldest_waiting():
        job_enqueue(waiting)
    return len(released)


def _oldest_waiting() -> UUID | None:
    return IngestJob.objects.filter(state=State.QUEUED).order_by("created_at").values_list("pk", flat=True).first()
