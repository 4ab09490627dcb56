"""Signs of life between a cluster of workers and its supervisor: small files in one folder.

``beat.json`` is written by the sentinel of django-q2 every second. ``busy-PID`` holds the id of the queue entry that
the worker process PID runs now. ``lease-ID`` exists while the cluster has the queue entry ID: what a dead cluster
leaves there can be handed to another one at once. ``lock`` is held as long as any of the processes lives.
Standard library only.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

FOLDER_VARIABLE: Final = "RSPORTAL_BEAT_DIR"  # Set by the supervisor for its cluster.
_BEAT: Final = "beat.json"
_BUSY: Final = "busy-"
_LEASE: Final = "lease-"
_LOCK: Final = "lock"


@dataclass(frozen=True)
class Beat:
    """What the sentinel says of its cluster."""

    sentinel: int
    workers: list[int]
    waiting: int  # tasks taken from the table that no worker has taken yet
    reincarnations: int


def folder_from_environment() -> Path | None:
    """Return the folder the supervisor watches, or None for a cluster without one."""
    value = os.environ.get(FOLDER_VARIABLE)
    return Path(value) if value else None


def write_beat(folder: Path, beat: Beat) -> None:
    """Replace the last beat in one step."""
    partial = folder / f"{_BEAT}.{os.getpid()}"
    partial.write_text(json.dumps(asdict(beat)))
    partial.replace(folder / _BEAT)


def read_beat(folder: Path) -> tuple[Beat, float] | None:
    """Return the last beat and when it was written (seconds of the epoch), or None before the first."""
    path = folder / _BEAT
    try:
        written = path.stat().st_mtime
        return Beat(**json.loads(path.read_text())), written
    except FileNotFoundError:
        return None


def mark_busy(folder: Path, entry: int | None) -> None:
    """Say that this process runs the task of this queue entry."""
    (folder / f"{_BUSY}{os.getpid()}").write_text(str(entry or ""))


def mark_idle(folder: Path) -> None:
    """Say that this process has ended its task."""
    (folder / f"{_BUSY}{os.getpid()}").unlink(missing_ok=True)


def busy_workers(folder: Path) -> list[int]:
    """Return the live processes that run a task now."""
    return [pid for pid in _marked(folder) if _lives(pid)]


def take_entries_of_dead_workers(folder: Path) -> list[int]:
    """Return the queue entries of processes that died while they ran them, and forget both.

    Forgotten entries are not given up a second time, when another cluster may have them.
    """
    entries: list[int] = []
    for pid in _marked(folder):
        if not _lives(pid):
            path = folder / f"{_BUSY}{pid}"
            text = path.read_text()
            path.unlink(missing_ok=True)
            if text:
                drop_lease(folder, int(text))
                entries.append(int(text))
    return entries


def note_lease(folder: Path, entry: int) -> None:
    """Say that the cluster has taken this queue entry."""
    (folder / f"{_LEASE}{entry}").touch()


def drop_lease(folder: Path, entry: int) -> None:
    """Say that the cluster is done with this queue entry."""
    (folder / f"{_LEASE}{entry}").unlink(missing_ok=True)


def leases(folder: Path) -> list[int]:
    """Return the queue entries the cluster has."""
    return [int(path.name.removeprefix(_LEASE)) for path in folder.glob(f"{_LEASE}*")]


def lock(folder: Path) -> int | None:
    """Take the folder's lock and return the descriptor that keeps it; None while a process of it lives."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _marked(folder: Path) -> list[int]:
    return [int(path.name.removeprefix(_BUSY)) for path in folder.glob(f"{_BUSY}*")]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        # A killed worker stays a zombie until its sentinel looks: that is not alive.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # Not Linux.
        return True
