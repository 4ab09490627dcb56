"""What becomes of uploads whose bytes are all there: an image, the files of one scene, or a zip archive of a folder.

One process takes an upload in: it claims the row (attempt + 1, sign of life), and what a dead process has left is
taken up again by the schedule. Little is done at once, so that the sender is told the outcome in the same request;
much is left to a worker.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.jobs import State
from imagery.leases import MAX_ATTEMPTS, beating, stale_before
from imagery.models import IngestJob, Upload
from imagery.readers.sidecars import SIDECAR_KEYS
from imagery.rendering_recipe import bands_shown
from imagery.services.accept import sources_ingest
from imagery.services.queue import uploads_enqueue
from imagery.services.refusals import refusal_store
from imagery.services.sources import sources_find
from imagery.services.upload_files import private_folder, upload_file_remove, upload_path
from imagery.services.upload_groups import source_of
from imagery.services.uploads import uploads_of_group
from imagery.services.zip_entries import is_zip
from imagery.services.zip_intake import ZipOutcome, zip_ingest
from rsportal.errors import RsportalError

AT_ONCE_BYTES: Final = 256 * 1024 * 1024
"""Images up to this size are taken in while their sender waits (checked, read for their checksum, copied)."""
ZIP_AT_ONCE_BYTES: Final = 16 * 1024 * 1024
_DRAIN_SECONDS: Final = 300.0
_MOST_DRAINED: Final = 1000
_PROGRESS_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


def upload_arrived(*, upload: Upload) -> Upload:
    """Take a complete upload in, now or by a worker; return it as it is then. Does nothing while bytes are missing.

    The files of a group are taken in when the last of them has arrived. Nothing the files can be raises: the upload
    is FAILED with the reason.
    """
    if not upload.complete or upload.finished_at is not None:
        return upload
    if _is_archive(upload):
        little = upload.length <= ZIP_AT_ONCE_BYTES
    else:
        little = sum(row.length for row in uploads_of_group(upload)) <= AT_ONCE_BYTES
    if little:
        upload_take_in(upload_id=upload.pk)
    elif group_arrived(upload, uploads_of_group(upload)):
        uploads_enqueue()
    return Upload.objects.select_related("collection", "job").get(pk=upload.pk)


def upload_take_in(*, upload_id: UUID) -> None:
    """Claim a complete upload, with the others of its group, and bring it to its end. Late calls find nothing to do."""
    claimed = _claim(upload_id)
    if not claimed:
        return
    try:
        with beating(lambda: _mine(claimed)):
            jobs, outcome = _ingest(claimed)
    except DatabaseError:
        raise  # Nothing can be written now; the schedule takes it up when the sign of life is old.
    except RsportalError as error:
        _finish(claimed, reason=error.message)
    except Exception as error:  # noqa: BLE001 - told to the sender, or tried again
        _log.exception("upload %s could not be taken in", upload_id)
        if claimed[0].attempts >= MAX_ATTEMPTS:
            _finish(claimed, reason=_trouble(claimed[0], error))
        # Otherwise the schedule tries again when the sign of life is old: a full disk may have room by then.
    else:
        _finish(claimed, jobs=jobs, outcome=outcome)


def uploads_drain(*, seconds: float = _DRAIN_SECONDS) -> int:
    """Take in complete uploads that nobody takes in, oldest first, until ``seconds`` are over; return how many.

    These are the large ones that were left to a worker, and those whose process died.
    """
    until = time.monotonic() + seconds
    taken = 0
    free = Q(heartbeat_at=None) | Q(heartbeat_at__lt=stale_before())
    rows = Upload.objects.filter(free, finished_at=None, offset__gte=F("length")).order_by("created_at")
    for upload in rows[:_MOST_DRAINED]:
        if group_arrived(upload, uploads_of_group(upload)):
            upload_take_in(upload_id=upload.pk)
            taken += 1
        if time.monotonic() >= until:
            uploads_enqueue()
            break
    return taken


def group_arrived(upload: Upload, rows: Sequence[Upload]) -> bool:
    """Return whether ``rows``, the group of ``upload``, is whole and all its bytes are there."""
    return len(rows) >= upload.group_size and all(row.complete for row in rows)


def _claim(upload_id: UUID) -> list[Upload]:
    """Return the uploads of the group, now this process's own; none while a file is missing or another has them."""
    with transaction.atomic():
        first = Upload.objects.filter(pk=upload_id, finished_at=None).first()
        if first is None:
            return []
        ids = [row.pk for row in uploads_of_group(first)]
        locked = Upload.objects.select_for_update(of=("self",)).filter(pk__in=ids, finished_at=None)
        rows = list(locked.select_related("collection", "user").order_by("pk"))
        alive = any(row.heartbeat_at is not None and row.heartbeat_at >= stale_before() for row in rows)
        if alive or not group_arrived(first, rows):
            return []
        for row in rows:
            row.attempts, row.heartbeat_at = row.attempts + 1, timezone.now()
        Upload.objects.bulk_update(rows, ["attempts", "heartbeat_at"])
    rows.sort(key=lambda row: (row.created_at, row.pk))
    if rows[0].attempts > MAX_ATTEMPTS:
        reason = _("The portal stopped %(times)d times while it was taking this in; it was not tried again.")
        _finish(rows, reason=reason % {"times": MAX_ATTEMPTS})
        return []
    return rows


def _ingest(rows: Sequence[Upload]) -> tuple[list[IngestJob], ZipOutcome | None]:
    first = rows[0]
    if _is_archive(first):
        outcome = zip_ingest(
            upload_path(first.pk),
            filename=first.filename,
            collection=first.collection,
            user=first.user,
            batch=first.batch,
            progress=_Progress(first),
        )
        return [], outcome
    with private_folder() as folder:
        paths = [_beside(folder, row) for row in rows]
        title, properties = str(first.metadata.get("title", "")), first.metadata.get("properties")
        found = sources_find(paths, recursive=False, bands=bands_shown(first.collection))
        beside = {path for each in found for key, path in each.files.items() if key in SIDECAR_KEYS}
        found = [each for each in found if beside.isdisjoint({each.files.get("data")})]  # No scenes of their own.
        sources = [source_of(each, title=title, properties=properties) for each in found]
        jobs = sources_ingest(sources=sources, collection=first.collection, user=first.user, batch=first.batch)
        return list(jobs), None


def _beside(folder: Path, row: Upload) -> Path:
    """Return the bytes of an upload under the name they came with, so that a scene's files find each other."""
    path = folder / row.filename
    while path.exists():
        path = path.with_name(f"_{path.name}")
    source = upload_path(row.pk)
    if row.length == 0 and not source.exists():
        path.touch()
    else:
        path.hardlink_to(source)
    return path


def _finish(
    rows: Sequence[Upload], *, jobs: Sequence[IngestJob] = (), outcome: ZipOutcome | None = None, reason: str = ""
) -> None:
    """Store what became of the uploads, and remove their bytes. A refusal without a job gets one, to be listed."""
    first = rows[0]
    if reason:
        job = refusal_store(
            filename=first.filename, reason=reason, collection=first.collection, user=first.user, batch=first.batch
        )
        jobs = [job]
    failed = next((job for job in jobs if job.state == State.FAILED), None)
    shown = failed or next(iter(jobs), None)
    if outcome is not None and not outcome.taken:
        reason = reason or outcome.reason(first.filename)
    values: dict[str, Any] = {
        "job": shown,
        "reason": reason or (failed.reason if failed else ""),
        "outcome": outcome.as_json() if outcome else {},
        "finished_at": timezone.now(),
    }
    _mine(rows).update(**values)
    for row in rows:
        upload_file_remove(row.pk)


def _mine(rows: Sequence[Upload]) -> QuerySet[Upload]:
    """Return those of ``rows`` that still belong to the caller's claim."""
    return Upload.objects.filter(pk__in=[row.pk for row in rows], attempts=rows[0].attempts, finished_at=None)


def _is_archive(upload: Upload) -> bool:
    return upload.length > 0 and upload.group_size == 1 and is_zip(upload_path(upload.pk), upload.filename)


def _trouble(upload: Upload, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return _("%(file)s could not be taken in (%(reason)s). Tell the operator, and send it again later.") % {
        "file": upload.filename,
        "reason": reason,
    }


class _Progress:
    """Stores how far an archive is, now and then."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() >= self._next or done == total:
            self._next = time.monotonic() + _PROGRESS_SECONDS
            _mine([self._upload]).update(done=done, total=total, heartbeat_at=timezone.now())
