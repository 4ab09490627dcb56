"""The states of an ingest job and who may move it between them.

QUEUED -> RUNNING -> READY, or FAILED, or CANCELLED; RUNNING -> QUEUED after a crash. A worker owns a job while the row
says RUNNING with the attempt number of its claim; every later write asks for exactly that, so a worker that was
thought dead cannot spoil what its successor does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.leases import has_attempts_left, is_out_of_attempts, stale_before
from imagery.models import IngestJob, Scene
from imagery.querysets import JobQuerySet
from imagery.tiling import FINEST_SIDE_PIXELS

State = IngestJob.State


def claimable() -> JobQuerySet:
    """Return the jobs a worker may take: queued ones, and running ones whose worker is dead."""
    return IngestJob.objects.filter(Q(state=State.QUEUED) | Q(state=State.RUNNING, heartbeat_at__lt=stale_before()))


def jobs_claim(*, most: int, job_id: UUID | None = None, batch: UUID | None = None) -> list[IngestJob]:
    """Take the oldest claimable job and, if it is small and new, up to ``most`` of its kind; return them RUNNING.

    ``job_id`` or ``batch`` hold the choice to one job or one batch.

    Small scenes (a single window) are worth encoding together. A job whose worker died before is taken alone, so
    that a picture that kills workers cannot use up the attempts of its neighbours. Jobs out of attempts become
    FAILED and are not returned. Workers never wait for each other here (SKIP LOCKED).
    """
    with transaction.atomic():
        while True:
            rows = claimable().select_related("scene", "created_by", "collection").order_by("created_at", "pk")
            rows = rows.filter(batch=batch) if batch else rows
            new_waits = rows.filter(state=State.QUEUED, again=False).exists()
            rows = rows.select_for_update(skip_locked=True, of=("self",))
            if job_id:
                first = rows.filter(pk=job_id).first()
            else:  # Whoever adds a picture does not wait for those that can be found already.
                first = (rows.filter(again=False).first() if new_waits else None) or rows.first()
            if first is None:
                return []
            if is_out_of_attempts(first):
                _out_of_attempts(first)
                continue
            jobs = [first]
            if most > 1 and job_id is None and first.attempts == 0 and _is_small(first.scene):
                side = FINEST_SIDE_PIXELS
                alike = rows.filter(again=first.again)
                small = alike.filter(attempts=0, scene__width__lte=side, scene__height__lte=side, state=State.QUEUED)
                jobs += list(small.exclude(pk=first.pk)[: most - 1])
            _take(jobs)
            return jobs


def _take(jobs: Sequence[IngestJob]) -> None:
    now = timezone.now()
    IngestJob.objects.filter(pk__in=[job.pk for job in jobs]).update(
        state=State.RUNNING,
        attempts=F("attempts") + 1,
        reason="",
        heartbeat_at=now,
        started_at=Coalesce("started_at", now),
        finished_at=None,
    )
    for job in jobs:
        job.state, job.attempts, job.reason, job.heartbeat_at = State.RUNNING, job.attempts + 1, "", now
        job.started_at, job.finished_at = job.started_at or now, None


def _is_small(scene: Scene | None) -> bool:
    return scene is not None and max(scene.width, scene.height) <= FINEST_SIDE_PIXELS


def _out_of_attempts(job: IngestJob) -> None:
    reason = _("The worker stopped %(times)d times while it was working on this file; it was not tried again.") % {
        "times": job.attempts
    }
    _finish_failed(job, job.reason or reason, retryable=True)


def owned(jobs: Iterable[IngestJob]) -> JobQuerySet:
    """Return those of ``jobs`` that still belong to the caller's claim."""
    claims = Q(pk__in=[])
    for job in jobs:
        claims |= Q(pk=job.pk, attempts=job.attempts)
    return IngestJob.objects.filter(claims, state=State.RUNNING)


def jobs_lock_owned(jobs: Sequence[IngestJob]) -> set[UUID]:
    """Lock (until the transaction ends) those of ``jobs`` that are still the caller's; return their ids."""
    return set(owned(jobs).order_by("pk").select_for_update().values_list("pk", flat=True))


def job_progress(job: IngestJob, *, done: int, total: int) -> None:
    """Store how far an owned, locked job is, which is also a sign of life.

    More tiles than ever make the attempt one that got on: a long job that is cut off again and again comes to its end.
    """
    got_on = Case(When(done__lt=done, then=F("attempts")), default=F("got_on_at"))
    owned([job]).update(done=done, total=total, heartbeat_at=timezone.now(), got_on_at=got_on)


def jobs_ready(jobs: Sequence[IngestJob], *, totals: Mapping[UUID, int]) -> None:
    """Make owned, locked jobs and their scenes READY, together; ``totals``: tiles by job id."""
    now = timezone.now()
    by_total: dict[int, list[IngestJob]] = {}
    for job in jobs:
        by_total.setdefault(totals[job.pk], []).append(job)
    for total, group in by_total.items():
        mine = owned(group)
        scenes = list(mine.values_list("scene", flat=True))
        mine.update(
            state=State.READY, done=total, total=total, reason="", retryable=False, heartbeat_at=now, finished_at=now
        )
        Scene.objects.filter(pk__in=scenes).update(status=Scene.Status.READY, updated_at=now)


def job_failed(job: IngestJob, reason: str, *, retryable: bool) -> bool:
    """End an owned job as FAILED; its scene, where it stays, too. Return False when the job is no longer owned."""
    with transaction.atomic():
        if job.pk not in jobs_lock_owned([job]):
            return False
        _finish_failed(job, reason, retryable=retryable)
        return True


def _finish_failed(job: IngestJob, reason: str, *, retryable: bool) -> None:
    now = timezone.now()
    IngestJob.objects.filter(pk=job.pk).update(
        state=State.FAILED, reason=reason, retryable=retryable, finished_at=now, heartbeat_at=now
    )
    Scene.objects.filter(jobs=job.pk).exclude(status=Scene.Status.READY).update(
        status=Scene.Status.FAILED, updated_at=now
    )


def job_crashed(job: IngestJob, error: BaseException) -> bool:
    """Queue an owned job again after an unexpected error, or end it when it is out of attempts.

    Return True when it is queued again (the caller must see to a task).
    """
    said = " ".join(str(error).split())[:500]
    reason = _("Unexpected error (%(kind)s: %(message)s).") % {"kind": type(error).__name__, "message": said}
    if owned([job]).filter(has_attempts_left()).update(state=State.QUEUED, reason=reason):
        return True
    tried = _("It was tried %(times)d times; the worker's log has the details.") % {"times": job.attempts}
    job_failed(job, f"{reason} {tried}", retryable=True)
    return False


def jobs_hand_back(jobs: Iterable[IngestJob]) -> None:
    """Queue owned jobs again through no fault of theirs; what was done is dropped and the claim does not count."""
    owned(jobs).update(state=State.QUEUED, attempts=F("attempts") - 1, done=0)


def stale_jobs_release() -> list[UUID]:
    """Move running jobs of dead workers back to QUEUED, or to FAILED when out of attempts; return the queued ones."""
    released: list[UUID] = []
    with transaction.atomic():
        stale = IngestJob.objects.filter(state=State.RUNNING, heartbeat_at__lt=stale_before())
        for job in stale.order_by("pk").select_for_update(skip_locked=True):
            if is_out_of_attempts(job):
                _out_of_attempts(job)
                continue
            IngestJob.objects.filter(pk=job.pk).update(state=State.QUEUED)
            released.append(job.pk)
    return released
