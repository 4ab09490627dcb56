"""Gives an uploaded file a path for as long as the ingest service copies it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.files.uploadedfile import UploadedFile


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
