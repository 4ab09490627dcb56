"""Signs of life between a cluster of workers and its supervisor: small files in one folder.

The sentinel of django-q2 writes ``beat.json`` every second. A worker process marks itself busy with
a file while it runs a task. Standard library only.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

FOLDER_VARIABLE: Final = "RSPORTAL_BEAT_DIR"  # Set by the supervisor for its cluster.
_BEAT: Final = "beat.json"
_BUSY: Final = "busy-"


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


def mark_busy(folder: Path) -> None:
    """Say that this process runs a task."""
    (folder / f"{_BUSY}{os.getpid()}").touch()


def mark_idle(folder: Path) -> None:
    """Say that this process has ended its task."""
    (folder / f"{_BUSY}{os.getpid()}").unlink(missing_ok=True)


def busy_workers(folder: Path) -> list[int]:
    """Return the live processes that run a task now."""
    marked = [int(path.name.removeprefix(_BUSY)) for path in folder.glob(f"{_BUSY}*")]
    return [pid for pid in marked if _lives(pid)]


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
