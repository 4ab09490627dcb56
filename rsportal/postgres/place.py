"""Where a project's embedded server keeps its files."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rsportal.postgres.binaries import SYSTEM_DIR
from rsportal.postgres.errors import PostgresError
from rsportal.postgres.files import write_private

PORT: Final = 5432  # Only a part of the socket's name: the server never listens on a network.
_SOCKET_PATH_LIMIT_BYTES: Final = 103  # macOS; Linux allows 107.
_SOCKET_NAME: Final = f".s.PGSQL.{PORT}"


@dataclass(frozen=True)
class Place:
    """The files of one server. ``base`` holds all but, if its path is long, the socket."""

    base: Path

    @property
    def data(self) -> Path:
        """The data folder proper."""
        return self.base / "data"

    @property
    def start_lock(self) -> Path:
        """Held while the server is prepared, started or stopped."""
        return self.base / "start.lock"

    @property
    def users_lock(self) -> Path:
        """Held (shared) by every process that uses the server."""
        return self.base / "users.lock"

    @property
    def watcher_lock(self) -> Path:
        """Held by the watcher, which stops the server after its last user."""
        return self.base / "watcher.lock"

    @property
    def log(self) -> Path:
        """What the server says while it starts and stops."""
        return self.base / "server.log"

    @property
    def socket_dir(self) -> Path:
        """The folder of the Unix socket: inside ``base`` where the path is short and plain enough."""
        inside = self.base / "run"
        if len(os.fsencode(inside / _SOCKET_NAME)) <= _SOCKET_PATH_LIMIT_BYTES and "," not in str(inside):
            return inside
        return Path("/tmp") / f"rsportal-{_digest(self.base)}"

    def check_socket_dir(self, uid: int) -> None:
        """Raise PostgresError unless the socket folder is the server user's own and closed to others."""
        found = self.socket_dir.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) != 0o700:
            raise PostgresError(
                f"{self.socket_dir} is not a folder that only the database's own user can enter, so it is not used. "
                "Somebody else may have made it; remove it and start again."
            )


def locate(var_dir: Path) -> Place:
    """Return the place for the portal whose runtime files are in ``var_dir``; creates nothing.

    It is ``var_dir/postgres``, except for root when the server's own user could not reach that
    (a clone under a closed home folder): then ``/var/lib/rsportal/<digest of var_dir>``. A note in
    ``var_dir`` remembers that choice, so that the database follows a project folder that is moved.
    """
    inside = Place(var_dir / "postgres")
    if os.geteuid() != 0 or (inside.data / "PG_VERSION").exists():
        return inside
    if noted := _noted(var_dir):
        return Place(noted)
    if all(parent.stat().st_mode & stat.S_IXOTH for parent in var_dir.parents if parent.exists()) and (
        not var_dir.exists() or var_dir.stat().st_mode & stat.S_IXOTH
    ):
        return inside
    return Place(SYSTEM_DIR / _digest(var_dir))


def remember(place: Place, var_dir: Path) -> None:
    """Note a place outside of ``var_dir`` on both sides."""
    if place.base.is_relative_to(var_dir):
        return
    note = _note(var_dir)
    if not note.exists() or note.read_text() != str(place.base):
        write_private(note, str(place.base))
    owner = place.base / "project"
    if not owner.exists() or owner.read_text() != str(var_dir):
        write_private(owner, str(var_dir))


def _noted(var_dir: Path) -> Path | None:
    """Return the noted place, unless this folder is a copy whose original still uses it."""
    try:
        base = Path(_note(var_dir).read_text())
        original = Path((base / "project").read_text())
    except OSError:
        return None
    return None if original != var_dir and _note(original).exists() else base


def _note(var_dir: Path) -> Path:
    return var_dir / "postgres.location"


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
