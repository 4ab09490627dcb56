"""Gives an uploaded file a path for as long as the ingest service copies it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException
from rest_framework.request import Request

_FORM_ALLOWANCE_BYTES: Final = 1024 * 1024  # The other fields and the boundaries of the form.
_MIB: Final = 1024 * 1024


class UploadTooLarge(APIException):
    """An upload is larger than the portal takes (HTTP 413)."""

    status_code = 413
    default_code = "too_large"


def upload_size_check(request: Request) -> None:
    """Refuse an upload by its announced length, before it is read. Raises UploadTooLarge."""
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > settings.UPLOAD_MAX_BYTES + _FORM_ALLOWANCE_BYTES:
        raise UploadTooLarge(
            _("The upload has %(found)d MiB; a file may have %(limit)d MiB at most.")
            % {"found": -(-length // _MIB), "limit": settings.UPLOAD_MAX_BYTES // _MIB}
        )


@contextmanager
def uploaded_path(upload: UploadedFile) -> Iterator[Path]:
    """Yield where the bytes lie: Django's own temporary file, or one written here for a small upload."""
    existing = getattr(upload, "temporary_file_path", None)
    if existing is not None:
        yield Path(existing())
        return
    with tempfile.NamedTemporaryFile(prefix="rsportal-upload-") as file:
        for chunk in upload.chunks():
            file.write(chunk)
        file.flush()
        yield Path(file.name)
