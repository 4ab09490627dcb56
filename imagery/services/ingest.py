"""Bringing sources into the catalogue: accept, queue, run, retry, cancel, recover."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.jobs import State, claimable, job_crashed, jobs_claim, stale_jobs_release
from imagery.models import Asset, Collection, IngestJob, Scene
from imagery.readers.bandset import COLOURS
from imagery.readers.formats import FACTS
from imagery.services.encode import BATCH_IMAGES, jobs_encode
from imagery.services.encoders import encoder_active, encoder_instance
from imagery.services.properties import scene_fields
from imagery.services.scenes import scene_discard
from imagery.storage import file_copy_in, file_sha256, scene_files_remove
from imagery.validation import FileFacts, file_check
from rsportal.accounts.models import User
from rsportal.errors import Conflict, InvalidInput, NotAllowed, RsportalError
from rsportal.logs import job_logging
from rsportal.queue_settings import ENCODE_CLUSTER

_DRAIN_SECONDS: Final = 300.0
_NAME_LENGTH: Final = 300
_TASKS_LOOKED_AT: Final = 3
_TASK: Final = "imagery.tasks.ingest"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SourceFile:
    """A file to take in: where it lies, the name it came under, its asset key.

    Several files make one scene from bands: ``red``, ``green``, ``blue``, and further ones by their own name.
    """

    path: Path
    filename: str
    key: str = "data"


@dataclass(frozen=True)
class _Checked:
    source: SourceFile
    facts: FileFacts
    sha256: str


def source_ingest(
    *,
    files: Sequence[SourceFile],
    collection: Collection,
    user: User,
    batch: UUID | None = None,
    title: str = "",
    properties: dict[str, Any] | None = None,
    copy: bool = True,
) -> IngestJob:
    """Take in the files of one scene and queue the work; return the job, QUEUED, DUPLICATE or FAILED.

    ``copy`` keeps the bytes under the media folder; otherwise they are read where they lie. Bad input never raises:
    the job is FAILED with the reason and nothing is stored. DUPLICATE: the collection has these bytes already, as
    ``job.scene``. Raises NotAllowed when ``user`` may not add to the collection.
    """
    _require_editor(collection, user)
    if not files:
        raise ValueError("a source needs at least one file")
    name = title.strip() or Path(files[0].filename).stem if len(files) > 1 else files[0].filename
    job = IngestJob(
        batch=batch or uuid4(), collection=collection, created_by=user, source_name=Path(name).name[:_NAME_LENGTH]
    )
    try:
        fields = scene_fields(properties)
        checked = _checked(files, in_place=not copy)
    except InvalidInput as error:
        return _ended(job, State.FAILED, reason=error.message)
    except OSError as error:
        reason = _("%(file)s cannot be read: %(reason)s.") % {"file": job.source_name, "reason": error.strerror}
        return _ended(job, State.FAILED, reason=reason)
    content_hash = _content_hash(checked)
    if known := Scene.objects.filter(collection=collection, content_hash=content_hash).first():
        return _known(job, known)
    best = max((item.facts for item in checked if item.source.key in {"data", *COLOURS}), key=lambda f: f.pixels)
    scene = Scene(
        id=uuid4(),
        collection=collection,
        title=(title.strip() or Path(files[0].filename).stem)[:_NAME_LENGTH],
        content_hash=content_hash,
        created_by=user,
        width=best.width,
        height=best.height,
        **fields,
    )
    try:
        assets = [_asset(scene, item, copy=copy) for item in checked]
        with transaction.atomic():
            scene.full_clean(exclude=["collection", "created_by"], validate_unique=False, validate_constraints=False)
            scene.save(force_insert=True)
            Asset.objects.bulk_create(assets)
            job.scene = scene
            job.save(force_insert=True)
            _enqueue(job.pk)
    except InvalidInput as error:
        scene_files_remove(scene.pk)
        job.scene = None
        return _ended(job, State.FAILED, reason=error.message)
    except IntegrityError:  # The same bytes arrived twice at the same moment.
        scene_files_remove(scene.pk)
        job.scene = None
        known = Scene.objects.filter(collection=collection, content_hash=content_hash).first()
        if known is None:
            raise
        return _known(job, known)
    except BaseException:
        scene_files_remove(scene.pk)
        raise
    return job


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
    while taken := _run(most=BATCH_IMAGES, batch=batch, wake_others=batch is None):
        claimed += taken
        if time.monotonic() >= until:
            break
    return claimed


def _run(*, most: int, job_id: UUID | None = None, batch: UUID | None = None, wake_others: bool = False) -> int:
    if not claimable().exists():
        return 0
    try:
        encoder = encoder_active()
        model = encoder_instance(encoder)
        model.load(image=True, text=False)  # Before the claim: loading takes long and may fail for all jobs alike.
    except RsportalError as error:
        claimable().filter(state=State.QUEUED).exclude(reason=error.message).update(reason=error.message)
        raise
    jobs = jobs_claim(most=most, job_id=job_id, batch=batch)
    if not jobs:
        return 0
    if wake_others and (waiting := _oldest_waiting()):
        _enqueue(waiting)
    with job_logging(jobs[0].pk):
        try:
            again = jobs_encode(jobs=jobs, encoder=encoder, model=model)
        except DatabaseError:
            raise  # Nothing can be written now; the jobs are taken up when their heartbeat is old.
        except Exception as error:
            _log.exception("ingest of %d jobs was cut off", len(jobs))
            for job in jobs:
                if job_crashed(job, error):
                    _enqueue(job.pk)
            raise
        for pk in again:
            _enqueue(pk)
    return len(jobs)


def ingest_job_retry(*, job: IngestJob, user: User) -> IngestJob:
    """Queue a failed job again, with all its attempts. Raises NotAllowed, or Conflict if there is nothing to retry."""
    _require_editor(job.collection, user)
    with transaction.atomic():
        locked = IngestJob.objects.select_for_update().get(pk=job.pk)
        if locked.state != State.FAILED:
            raise Conflict(_("%(file)s has not failed; there is nothing to retry.") % {"file": locked.source_name})
        if not locked.retryable or locked.scene_id is None:
            raise Conflict(
                _("%(file)s was refused and is not kept. Correct the file and add it again.")
                % {"file": locked.source_name}
            )
        locked.state, locked.attempts, locked.done = State.QUEUED, 0, 0
        locked.reason, locked.retryable, locked.finished_at = "", False, None
        locked.save(update_fields=["state", "attempts", "done", "reason", "retryable", "finished_at"])
        Scene.objects.filter(pk=locked.scene_id).update(status=Scene.Status.PENDING, updated_at=timezone.now())
        _enqueue(locked.pk)
    return locked


def ingest_job_cancel(*, job: IngestJob, user: User) -> IngestJob:
    """Stop a waiting or running job; its unfinished scene and kept files go. Raises NotAllowed or Conflict."""
    _require_editor(job.collection, user)
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
            scene_discard(scene)
    locked.refresh_from_db()
    return locked


def stale_jobs_requeue() -> int:
    """Queue the jobs of dead workers again and see that waiting jobs have a task; return how many were requeued."""
    released = stale_jobs_release()
    for pk in released:
        _log.warning("job %s: its worker is gone, queued again", pk)
    if waiting := _oldest_waiting():
        _enqueue(waiting)
    return len(released)


def _oldest_waiting() -> UUID | None:
    return IngestJob.objects.filter(state=State.QUEUED).order_by("created_at").values_list("pk", flat=True).first()


def _enqueue(job_id: UUID) -> None:
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


def _require_editor(collection: Collection, user: User) -> None:
    if not Collection.objects.editable_by(user).filter(pk=collection.pk).exists():
        raise NotAllowed(_("You may not add to the collection %(title)s.") % {"title": collection.title})


def _checked(files: Sequence[SourceFile], *, in_place: bool) -> list[_Checked]:
    facts = [file_check(source.path, filename=source.filename, in_place=in_place) for source in files]
    if len(files) > 1:
        from imagery.readers import open_scene

        paths = {source.key: source.path for source in files}
        with open_scene(paths, names={source.key: source.filename for source in files}):
            pass  # Opening refuses bands that do not belong together.
    return [_Checked(s, f, file_sha256(s.path)) for s, f in zip(files, facts, strict=True)]


def _content_hash(checked: Sequence[_Checked]) -> str:
    """Return the checksum that tells known bytes: the file's own, or one over the keys and checksums of all bands."""
    if len(checked) == 1:
        return checked[0].sha256
    lines = sorted(f"{item.source.key}:{item.sha256}\n" for item in checked)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _asset(scene: Scene, item: _Checked, *, copy: bool) -> Asset:
    facts = FACTS[item.facts.format]
    source = item.source
    if copy:
        suffix = facts.extensions[0]
        stored = file_copy_in(source.path, scene_id=scene.pk, name=f"{source.key}{suffix}", expected_sha256=item.sha256)
    return Asset(
        scene=scene,
        key=source.key,
        role=Asset.Role.DATA,
        path=stored.path if copy else str(source.path.resolve()),
        managed=copy,
        filename=Path(source.filename).name[:_NAME_LENGTH],
        media_type=facts.media_type,
        size=item.facts.size,
        sha256=item.sha256,
        width=item.facts.width,
        height=item.facts.height,
    )


def _known(job: IngestJob, scene: Scene) -> IngestJob:
    """Return the job of a source whose bytes are known: DUPLICATE, or a new try when that scene's ingest failed."""
    job.scene = scene
    if scene.status != Scene.Status.FAILED:
        return _ended(job, State.DUPLICATE)
    with transaction.atomic():
        Scene.objects.filter(pk=scene.pk).update(status=Scene.Status.PENDING, updated_at=timezone.now())
        job.save(force_insert=True)
        _enqueue(job.pk)
    return job


def _ended(job: IngestJob, state: str, *, reason: str = "") -> IngestJob:
    job.state, job.reason, job.finished_at = state, reason, timezone.now()
    job.save(force_insert=True)
    return job
