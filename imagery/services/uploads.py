"""Resumable uploads: begin one, append bytes, give it up, sweep what nobody goes on with.

What happens when all bytes are there is in ``services.upload_intake``.
"""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.leases import stale_before
from imagery.models import Collection, Upload
from imagery.services.accept import editor_require
from imagery.services.properties import scene_fields
from imagery.services.upload_files import (
    Stream,
    UploadBusy,
    bytes_append,
    bytes_sync,
    leftovers_remove,
    upload_file_remove,
    upload_locked,
    upload_size,
)
from rsportal.accounts.models import User
from rsportal.errors import Conflict, InvalidInput, RsportalError, TooLarge

MOST_IN_GROUP: Final = 100
_QUOTA_HOURS: Final = 24
_KEPT_DAYS: Final = 30
"""How long the row of a finished upload is kept; the jobs stay."""
_log = logging.getLogger(__name__)


class UploadGone(RsportalError):
    """There is no such upload, or it has expired (HTTP 404)."""

    code = "not_found"


class ChecksumMismatch(InvalidInput):
    """The bytes of a request are not those of its checksum (HTTP 460); none of them is kept."""

    code = "checksum_mismatch"


class NoRoom(RsportalError):
    """The disk of the server is full (HTTP 507)."""

    code = "no_room"


@dataclass(frozen=True)
class Checksum:
    """What the bytes of one request must have: name of the algorithm as hashlib knows it, digest."""

    algorithm: str
    digest: bytes


def upload_create(
    *,
    user: User,
    collection: Collection,
    length: int,
    filename: str,
    metadata: Mapping[str, Any] | None = None,
    batch: UUID | None = None,
    group: str = "",
    group_size: int = 1,
) -> Upload:
    """Begin an upload of ``length`` bytes and return it.

    ``metadata``: ``relativePath``, ``title`` and ``properties`` (STAC names), as the sender wrote them. Raises
    NotAllowed, TooLarge (also beyond the person's quota) and InvalidInput naming the field.
    """
    editor_require(collection, user)
    if length > settings.UPLOAD_MAX_BYTES:
        raise TooLarge(
            _("%(file)s is too large: it has %(found)s, the limit is %(limit)s.")
            % {
                "file": filename,
                "found": filesizeformat(length),
                "limit": filesizeformat(settings.UPLOAD_MAX_BYTES),
            }
        )
    if not 1 <= group_size <= MOST_IN_GROUP:
        raise InvalidInput(
            _("A group has 1 to %(most)d files, not %(found)d.") % {"most": MOST_IN_GROUP, "found": group_size},
            field="groupSize",
        )
    scene_fields(dict(metadata["properties"]) if metadata and metadata.get("properties") else None)
    upload = Upload(
        user=user,
        collection=collection,
        batch=batch or uuid4(),
        filename=PurePosixPath(filename).name,
        metadata=dict(metadata or {}),
        length=length,
        group=group if group_size > 1 else "",
        group_size=group_size,
        expires_at=_expiry(),
    )
    upload.full_clean(validate_unique=False)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # Two at once are counted one after the other.
        _quota_check(user, length)
        upload.save(force_insert=True)
    return upload


def upload_append(
    *, upload: Upload, stream: Stream, offset: int, most: int | None, checksum: Checksum | None = None
) -> Upload:
    """Write the bytes of a request that begin at ``offset``; return the upload with its new offset.

    ``most`` is how many the sender announced (None: it did not). With a ``checksum`` all of them are kept or none.
    Raises UploadBusy while another request writes, Conflict when ``offset`` is not where it goes on, TooLarge when
    there are more bytes than the upload lacks, ChecksumMismatch, NoRoom, UploadGone, NotAllowed.
    """
    editor_require(upload.collection, upload.user)
    with upload_locked(upload.pk) as file:
        upload = upload_fresh(upload)
        if offset != upload.offset:
            raise Conflict(
                _("The upload goes on at byte %(right)d, not %(found)d.") % {"right": upload.offset, "found": offset},
                code="offset",
            )
        left = upload.length - upload.offset
        if most is not None and most > left:
            raise TooLarge(
                _("%(file)s lacks %(left)d bytes, but the request brings %(found)d.")
                % {"file": upload.filename, "left": left, "found": most}
            )
        digest = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
        try:
            came = bytes_append(
                file,
                stream,
                offset=offset,
                most=left if most is None else most,
                digest=digest,
                safe=None if checksum else lambda arrived: _offset_store(upload, arrived),
            )
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise
            _log.error("an upload stopped: the disk of the media folder is full", exc_info=error)
            file.truncate(offset)
            raise NoRoom(
                _("The server has no room left. Tell its operator, and go on with the upload later.")
            ) from error
        if checksum and digest and (digest.digest() != checksum.digest or (most is not None and came < most)):
            file.truncate(offset)
            bytes_sync(file)
            raise ChecksumMismatch(
                _("The bytes arrived damaged: their %(algorithm)s is not the one announced. Send them again.")
                % {"algorithm": checksum.algorithm}
            )
        _offset_store(upload, offset + came)
    return upload


def upload_fresh(upload: Upload) -> Upload:
    """Return the row as it is now, its offset corrected should the disk have lost bytes. Raises UploadGone."""
    row = Upload.objects.select_related("collection", "user").filter(pk=upload.pk).first()
    if row is None or (row.expires_at < timezone.now() and not row.complete):
        raise UploadGone(_("There is no such upload; it may have expired. Begin it again."))
    if row.finished_at is None and (there := upload_size(row.pk)) < row.offset:
        _log.error("upload %s: the disk has %d of its %d bytes", row.pk, there, row.offset)
        row.offset = there
        Upload.objects.filter(pk=row.pk).update(offset=there)
    return row


def upload_delete(*, upload: Upload) -> None:
    """Give an upload up and remove its bytes. Raises UploadBusy while a request writes or the portal takes it in."""
    with upload_locked(upload.pk):
        with transaction.atomic():
            row = Upload.objects.select_for_update().filter(pk=upload.pk).first()
            if row is not None and row.finished_at is None and _being_taken_in(row):
                raise UploadBusy(_("%(file)s is being taken in just now.") % {"file": row.filename})
            if row is not None and row.finished_at is None:
                row.delete()
        upload_file_remove(upload.pk)


def uploads_sweep() -> int:
    """Remove expired uploads, bytes without an upload and rows of long ago; return how many uploads expired."""
    now = timezone.now()
    expired = 0
    rows = Upload.objects.filter(finished_at=None, expires_at__lt=now).exclude(heartbeat_at__gte=stale_before())
    for upload in rows.iterator():
        if upload.complete and not _forsaken(upload):
            continue
        try:
            upload_delete(upload=upload)
        except UploadBusy:
            continue
        expired += 1
    Upload.objects.filter(finished_at__lt=now - timedelta(days=_KEPT_DAYS)).delete()
    leftovers_remove(lambda ids: set(Upload.objects.filter(pk__in=ids, finished_at=None).values_list("pk", flat=True)))
    return expired


def uploads_of_group(upload: Upload) -> list[Upload]:
    """Return the unfinished uploads that are files of the same scene, this one among them."""
    if upload.group_size == 1:
        return [upload]
    rows = Upload.objects.filter(
        user=upload.user_id, collection=upload.collection_id, batch=upload.batch, group=upload.group, finished_at=None
    )
    return list(rows.order_by("created_at", "pk"))


def quota_used(user: User) -> int:
    """Return the bytes that count against the quota: of unfinished uploads, and of those of the last 24 hours."""
    since = timezone.now() - timedelta(hours=_QUOTA_HOURS)
    rows = Upload.objects.filter(Q(finished_at=None) | Q(finished_at__gte=since), user=user)
    return int(rows.aggregate(sum=Sum("length"))["sum"] or 0)


def _quota_check(user: User, length: int) -> None:
    limit = settings.UPLOAD_QUOTA_BYTES
    if limit and (used := quota_used(user)) + length > limit:
        raise TooLarge(
            _(
                "This would be more than you may upload: %(used)s of %(limit)s are taken by unfinished uploads and "
                "those of the last %(hours)d hours. Finish or remove unfinished ones, or go on tomorrow."
            )
            % {"used": filesizeformat(used), "limit": filesizeformat(limit), "hours": _QUOTA_HOURS},
            code="quota",
        )


def _offset_store(upload: Upload, offset: int) -> None:
    """Store that bytes are safe, which also puts off the expiry. Raises UploadGone when the row is gone."""
    expires = _expiry()
    if not Upload.objects.filter(pk=upload.pk, finished_at=None).update(offset=offset, expires_at=expires):
        raise UploadGone(_("There is no such upload; it may have expired. Begin it again."))
    upload.offset, upload.expires_at = offset, expires


def _forsaken(upload: Upload) -> bool:
    """Return whether a complete upload waits for files of its group that nobody sends any more."""
    group = uploads_of_group(upload)
    arrived = len(group) >= upload.group_size and all(row.complete for row in group)
    return not arrived and all(row.expires_at < timezone.now() for row in group)


def _being_taken_in(row: Upload) -> bool:
    return row.heartbeat_at is not None and row.heartbeat_at >= stale_before()


def _expiry() -> Any:
    return timezone.now() + timedelta(seconds=settings.UPLOAD_EXPIRE_SECONDS)
