"""Taking the files of a form to disk without letting one fill it."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler


class LimitedFileUploadHandler(TemporaryFileUploadHandler):
    """Every file goes to a temporary file, whatever its size, but not much beyond ``UPLOAD_MAX_BYTES`` of it.

    What is dropped stays as a hole, so that the file has its true length, which the check of the ingest service
    names when it refuses it, while the other files of the form go on.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write the chunk that begins at byte ``start`` of the file, unless the file is too long already."""
        if start <= settings.UPLOAD_MAX_BYTES:
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> Any:
        """Return the file, ``file_size`` bytes long."""
        self.file.truncate(file_size)
        return super().file_complete(file_size)
