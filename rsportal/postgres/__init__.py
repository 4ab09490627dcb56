"""The embedded PostgreSQL: one server per portal, started when needed, stopped after its last user.

It is used when DATABASE_URL is not set. The programs come from a pip package; everything else (where the
files lie, who may connect, when the server starts and stops) is decided here. ``docs/operations.md``
tells operators what they need to know.

``database_settings`` only computes; ``ensure_running`` starts the server and keeps it for this process.
Django does the latter by itself when it first connects (``rsportal.postgres.backend``).
"""

import os
import threading
from pathlib import Path
from typing import Any

from rsportal.postgres import config, locks, server
from rsportal.postgres.accounts import account_for
from rsportal.postgres.errors import PostgresError
from rsportal.postgres.place import PORT, Place, locate, remember
from rsportal.postgres.processes import postmaster_pid
from rsportal.postgres.setup import make_base

__all__ = ["PostgresError", "database_settings", "ensure_running", "hold", "release", "status", "stop"]

_held: dict[Path, int] = {}  # base folder -> descriptor of the users' lock
_held_guard = threading.Lock()
_PROJECT_DIR = Path(__file__).resolve().parent.parent.parent


def _place(var_dir: Path | str | None) -> tuple[Place, Path]:
    chosen = var_dir or os.environ.get("RSPORTAL_VAR_DIR") or _PROJECT_DIR / "var"
    folder = Path(chosen).expanduser().resolve()
    return locate(folder), folder


def database_settings(var_dir: Path | str | None = None) -> dict[str, Any]:
    """Return the Django DATABASES entry of the portal with this folder; starts and creates nothing."""
    place, folder = _place(var_dir)
    return {
        "ENGINE": "rsportal.postgres.backend",
        "NAME": config.APP_DATABASE,
        "USER": config.APP_ROLE,
        "PASSWORD": "",
        "HOST": str(place.socket_dir),
        "PORT": str(PORT),
        "OPTIONS": {"connect_timeout": 30},
        "EMBEDDED_VAR_DIR": str(folder),
    }


def ensure_running(var_dir: Path | str | None = None) -> dict[str, Any]:
    """Start the server unless it runs, keep it for this process and return ``database_settings``.

    Any number of processes may call this at once: one starts the server, the others wait for it. It
    returns after a connection worked. A killed server recovers from its log first, which may take minutes.
    Raises PostgresError with the reason when the server cannot run.
    """
    place, folder = _place(var_dir)
    try:
        _hold(place, folder)
        if not (server.answers(place) and server.watcher_lives(place)):
            with locks.exclusive(place.start_lock):
                server.start(place, account_for(place.base))
                server.ensure_watcher(place)
    except OSError as error:  # A full disk, a closed folder.
        raise PostgresError(f"The embedded PostgreSQL cannot work in {place.base}: {error}") from error
    return database_settings(folder)


def hold(var_dir: Path | str | None = None) -> None:
    """Count this process (and the children it forks) as a user of the server until it ends.

    Does not start the server; a server that runs is not stopped while anyone holds it.
    """
    _hold(*_place(var_dir))


def _hold(place: Place, folder: Path) -> None:
    with _held_guard:
        if place.base in _held:
            return
        folder.mkdir(parents=True, exist_ok=True)
        make_base(place, account_for(place.base))
        remember(place, folder)
        _held[place.base] = locks.shared(place.users_lock)


def release(var_dir: Path | str | None = None) -> bool:
    """Give up this process's hold and stop the server at once if nobody else uses it; tells whether it did.

    Without this call the watcher does the same a few seconds after the last user's end.
    """
    place, _folder = _place(var_dir)
    with _held_guard:
        descriptor = _held.pop(place.base, None)
        if descriptor is not None:
            os.close(descriptor)
    if not place.base.exists():
        return False
    with locks.exclusive(place.start_lock):
        alone = locks.try_exclusive(place.users_lock)
        if alone is None:
            return False
        try:
            server.stop(place)
        finally:
            os.close(alone)
    return True


def stop(var_dir: Path | str | None = None) -> None:
    """Stop the server now, whoever uses it: connections end, nothing committed is lost."""
    place, _folder = _place(var_dir)
    if place.base.exists():
        with locks.exclusive(place.start_lock):
            server.stop(place)


def status(var_dir: Path | str | None = None) -> dict[str, Any]:
    """Return what is known of the server: running, process id, folders. Starts nothing."""
    place, _folder = _place(var_dir)
    pid = postmaster_pid(place.data)
    return {
        "running": pid is not None and server.answers(place),
        "pid": pid,
        "data": str(place.data),
        "socket": str(place.socket_dir),
        "log": str(place.data / "log"),
    }
