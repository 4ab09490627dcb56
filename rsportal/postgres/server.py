"""Starting, stopping and asking after the embedded server."""

import fcntl
import logging
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import psycopg

from rsportal.postgres import config, locks
from rsportal.postgres.accounts import Account, account_for
from rsportal.postgres.binaries import program, root_for
from rsportal.postgres.errors import PostgresError
from rsportal.postgres.place import PORT, Place
from rsportal.postgres.processes import kill_all, orphans, postmaster_pid, server_mark
from rsportal.postgres.setup import create_cluster, make_socket_folder, run_as

_PG_CTL_TIMEOUT_SECONDS: Final = 600  # Crash recovery of a large archive takes minutes, not seconds.
_CONNECT_TIMEOUT_SECONDS: Final = 10
_ATTEMPTS: Final = 5
_ORPHAN_GRACE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05
_LINGER_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


def connection_parameters(place: Place, *, user: str = config.APP_ROLE) -> dict[str, Any]:
    """Return the keyword arguments of ``psycopg.connect``."""
    return {"host": str(place.socket_dir), "port": PORT, "dbname": config.APP_DATABASE, "user": user}


def answers(place: Place) -> bool:
    """Tell whether a connection works now (a server that is starting or stopping does not count)."""
    if postmaster_pid(place.data) is None:
        return False
    place.check_socket_dir(place.data.stat().st_uid)
    try:
        psycopg.connect(**connection_parameters(place), connect_timeout=_CONNECT_TIMEOUT_SECONDS).close()
    except psycopg.OperationalError as error:
        _log.debug("embedded PostgreSQL does not answer: %s", error)
        return False
    return True


def start(place: Place, account: Account) -> None:
    """Start the server unless it runs. The caller holds ``start.lock``.

    Raises PostgresError with the end of the server's log when it does not come up.
    """
    if answers(place):
        return
    root = root_for(account)
    make_socket_folder(place, account)
    if not place.data.exists():
        create_cluster(place, account, root)
    failure = ""
    for attempt in range(_ATTEMPTS):
        _clear_remains(place)
        config.write_configuration(
            place, server_user=account.name, client_users={pwd.getpwuid(os.geteuid()).pw_name, "root"}, libraries=root
        )
        place.log.unlink(missing_ok=True)
        try:
            if postmaster_pid(place.data) is None:
                mark = f"-c cluster_name={server_mark(place.data)}"
                _pg_ctl(place, account, root, "start", "-l", place.log.name, "-o", mark)
            if answers(place):
                _update_extensions(place)
                return
        except PostgresError as error:
            failure = error.message
        time.sleep(min(2.0, 0.2 * 2**attempt))
    raise PostgresError(f"The embedded PostgreSQL did not start. {failure} {_log_end(place)}".strip())


def stop(place: Place) -> None:
    """Stop the server cleanly: open transactions are rolled back, everything committed is on disk."""
    if postmaster_pid(place.data) is None:
        return
    account = account_for(place.base)
    _pg_ctl(place, account, root_for(account), "stop", "-m", "fast")


def ensure_watcher(place: Place) -> None:
    """Start the watcher unless one lives. The caller holds ``start.lock``."""
    lock = locks.try_exclusive(place.watcher_lock)
    if lock is None:
        return
    command = [sys.executable, "-I", str(Path(__file__).with_name("watcher.py"))]
    subprocess.Popen(
        [*command, str(place.base), str(lock), str(_LINGER_SECONDS), server_mark(place.data)],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=[lock],  # The lock passes to the watcher.
    )
    os.close(lock)


def watcher_lives(place: Place) -> bool:
    """Tell whether the watcher's lock is taken. Does not disturb it."""
    try:
        descriptor = os.open(place.watcher_lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _pg_ctl(place: Place, account: Account, root: Path, action: str, *options: str) -> None:
    command = [program(root, "pg_ctl"), action, "-D", place.data.name, "-w", "-t", str(_PG_CTL_TIMEOUT_SECONDS)]
    # The server inherits pg_ctl's output: a pipe would keep us waiting until the server ends.
    with tempfile.TemporaryFile() as output:
        try:
            run_as(account, [*command, *options], place, output=output)
        except PostgresError:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
            raise PostgresError(f"pg_ctl {action} failed for {place.data}: {said[-1000:]}") from None


def _clear_remains(place: Place) -> None:
    """Make way after a killed server: end orphaned backends, forget a process id that is not ours."""
    if postmaster_pid(place.data) is not None:
        return
    deadline = time.monotonic() + _ORPHAN_GRACE_SECONDS
    while left := orphans(place.data):
        if time.monotonic() > deadline:
            kill_all(left, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
    (place.data / "postmaster.pid").unlink(missing_ok=True)


def _update_extensions(place: Place) -> None:
    """Bring ``vector`` to the version of the installed package, in the template and in our database."""
    for database in ("template1", config.APP_DATABASE):
        parameters = connection_parameters(place, user=config.SUPERUSER) | {"dbname": database}
        with psycopg.connect(**parameters, autocommit=True) as connection:
            row = connection.execute(
                "SELECT 1 FROM pg_available_extensions WHERE name = 'vector' AND installed_version <> default_version"
            ).fetchone()
            if row:
                connection.execute("ALTER EXTENSION vector UPDATE")


def _log_end(place: Place) -> str:
    """Return what the server said last: why it did not begin, else (it got as far as its own log) why it ended."""
    lines = place.log.read_text(errors="replace").splitlines() if place.log.exists() else []
    if not any(word in line for line in lines for word in ("FATAL", "PANIC")):
        for file in sorted((place.data / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)[-1:]:
            lines += file.read_text(errors="replace").splitlines()
    return "The end of its log: " + " / ".join(lines[-5:]) if lines else ""
