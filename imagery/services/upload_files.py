"""Where the bytes of unfinished uploads lie, and private folders that never outlive the process that made them.

Everything is below ``uploads`` of the media folder. A file or folder in use is locked (``flock``), and the kernel
drops the lock when its process ends, however it ends: what is not locked and not known may be removed.

Bytes count as arrived once they are synced to the disk and the row says so. Sync happens every 32 MiB and at the end
of each request; bytes behind the row's offset (their request was killed) are cut off before new ones are written.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol
from uuid import UUID

from django.utils.translation import gettext as _

from imagery.storage import media_root
from rsportal.errors import Conflict

if TYPE_CHECKING:
    from hashlib import _Hash

_FOLDER: Final = "uploads"
_WORK_PREFIX: Final = "work-"
_CHUNK_BYTES: Final = 256 * 1024
_SYNC_BYTES: Final = 32 * 1024 * 1024
_YOUNG_SECONDS: Final = 60.0
"""A private folder is left alone for so long, as it is locked only after it was made."""


class UploadBusy(Conflict):
    """Another request writes to this upload (HTTP 423)."""

    code = "locked"


class Stream(Protocol):
    """What the bytes of a request are read from."""

    def read(self, size: int, /) -> bytes: ...


def upload_path(upload_id: UUID) -> Path:
    """Return where the bytes of an upload lie."""
    return _folder() / f"{upload_id}.bin"


def upload_size(upload_id: UUID) -> int:
    """Return how many bytes lie there; 0 without a file."""
    try:
        return upload_path(upload_id).stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def upload_locked(upload_id: UUID) -> Iterator[BinaryIO]:
    """Yield the file of an upload, made when there is none, for this caller alone. Raises UploadBusy and OSError."""
    path = upload_path(upload_id)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UploadBusy(_("Another request is writing to this upload. Try again in a moment.")) from None
        if os.fstat(descriptor).st_nlink:
            break
        os.close(descriptor)  # It was removed between our opening and locking it.
    with os.fdopen(descriptor, "r+b") as file:
        yield file


def upload_file_remove(upload_id: UUID) -> None:
    """Remove the bytes of an upload."""
    upload_path(upload_id).unlink(missing_ok=True)


def bytes_append(
    file: BinaryIO,
    stream: Stream,
    *,
    offset: int,
    most: int,
    digest: _Hash | None = None,
    safe: Callable[[int], None] | None = None,
) -> int:
    """Write up to ``most`` bytes of ``stream`` behind byte ``offset`` and return how many came; all are synced.

    ``safe`` is told the length of what is synced, from time to time. A stream that breaks off ends the bytes: what
    came before stays. Raises OSError when the disk does not take them; what ``safe`` was told stays true.
    """
    file.seek(offset)
    file.truncate()
    came = synced = 0
    try:
        while came < most and (chunk := _read(stream, min(_CHUNK_BYTES, most - came))):
            file.write(chunk)
            came += len(chunk)
            if digest is not None:
                digest.update(chunk)
            if safe is not None and came - synced >= _SYNC_BYTES:
                bytes_sync(file)
                synced = came
                safe(offset + came)
    finally:
        bytes_sync(file)
    return came


def bytes_sync(file: BinaryIO) -> None:
    """Return when what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield an empty folder that only this process reads, on the disk of the media folder; it is always removed."""
    folder = Path(tempfile.mkdtemp(prefix=_WORK_PREFIX, dir=_folder()))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def leftovers_remove(known: Callable[[set[UUID]], set[UUID]]) -> int:
    """Remove the private folders of dead processes and the files of uploads that ``known`` does not return.

    ``known`` is given ids and returns those whose bytes are still wanted. Returns how many things were removed.
    """
    removed = 0
    files: dict[UUID, Path] = {}
    for path in _folder().iterdir():
        if path.name.startswith(_WORK_PREFIX):
            removed += _remove_unlocked_folder(path)
        elif path.suffix == ".bin" and (number := _uuid(path.stem)):
            files[number] = path
    wanted = known(set(files)) if files else set()
    for number in set(files) - wanted:
        try:
            with upload_locked(number):
                upload_file_remove(number)
                removed += 1
        except UploadBusy:
            continue
    return removed


def _remove_unlocked_folder(path: Path) -> int:
    try:
        if time.time() - path.stat().st_ctime < _YOUNG_SECONDS:
            return 0
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    else:
        shutil.rmtree(path, ignore_errors=True)
        return 1
    finally:
        os.close(descriptor)


def _folder() -> Path:
    folder = media_root() / _FOLDER
    folder.mkdir(mode=0o750, exist_ok=True, parents=True)
    return folder


def _read(stream: Stream, size: int) -> bytes:
    try:
        return stream.read(size)
    except OSError:  # The sender is gone, or silent for too long.
        return b""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
