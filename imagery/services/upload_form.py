"""The files of a plain form: complete uploads, grouped into scenes like those that a script sends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from imagery.models import Collection, Upload
from imagery.rendering_recipe import bands_shown
from imagery.services.refusals import refusal_store
from imagery.services.upload_files import upload_locked, upload_path
from imagery.services.upload_groups import upload_groups
from imagery.services.upload_intake import upload_arrived
from imagery.services.uploads import upload_create
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, TooLarge

_CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class FormFile:
    """A file of a form: where its bytes lie for the length of the request, and the name it came under."""

    path: Path
    filename: str


def form_files_take(*, files: Sequence[FormFile], collection: Collection, user: User, batch: UUID) -> list[Upload]:
    """Take in the files of a form, each scene on its own; return their uploads.

    Nothing a file can be raises: each has a job in ``batch``, FAILED with the reason where it is refused (also
    beyond the person's quota). The bytes are moved from where they lie. Raises NotAllowed.
    """
    groups, _left_out = upload_groups([file.filename for file in files], bands=bands_shown(collection))
    made: list[Upload] = []
    for group in groups:
        rows: list[Upload] = []
        try:
            for number in group.files:
                rows.append(  # noqa: PERF401 - what was made before an error must be known
                    _upload_of(files[number], collection, user, batch, group.key, len(group.files))
                )
        except (InvalidInput, TooLarge) as error:
            name = files[group.files[len(rows)]].filename
            refusal_store(filename=name, reason=error.message, collection=collection, user=user, batch=batch)
            for row in rows:
                row.delete()
            continue
        made.append(upload_arrived(upload=rows[-1]))
    return made


def _upload_of(file: FormFile, collection: Collection, user: User, batch: UUID, group: str, size: int) -> Upload:
    length = file.path.stat().st_size
    upload = upload_create(
        user=user,
        collection=collection,
        length=length,
        filename=file.filename,
        batch=batch,
        group=group,
        group_size=size,
    )
    path = upload_path(upload.pk)
    with upload_locked(upload.pk) as target:
        try:
            os.replace(file.path, path)
        except OSError:  # The folder for temporary files is on another disk.
            with file.path.open("rb") as source:
                shutil.copyfileobj(source, target, _CHUNK_BYTES)
            target.flush()
    with path.open("rb") as written:
        os.fsync(written.fileno())
    Upload.objects.filter(pk=upload.pk).update(offset=length)
    upload.offset = length
    return upload
