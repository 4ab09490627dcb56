"""Stops the embedded server after its last user. A small process of its own, standard library only.

Every process that uses the server holds ``users.lock`` (shared); the system releases it however a
process ends, SIGKILL included. The watcher waits to get that lock alone, then stops the server.

Run by rsportal.postgres.server as ``python -I watcher.py BASE WATCHER_LOCK_FD LINGER_SECONDS SERVER_MARK``.
"""

import fcntl
import os
import signal
import sys
import time
from typing import Final

_POLL_SECONDS: Final = 0.1
_FAST_SHUTDOWN: Final = signal.SIGINT  # PostgreSQL: roll back, write a checkpoint, stop.


def _open(base: str, name: str) -> int:
    return os.open(os.path.join(base, name), os.O_RDWR | os.O_CLOEXEC)


def _nobody(base: str, *, wait: bool) -> int | None:
    """Return a descriptor that keeps ``users.lock`` alone; None if it is in use (and ``wait`` is off)."""
    users = _open(base, "users.lock")
    try:
        fcntl.flock(users, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(users)
        return None
    return users


def _postmaster(base: str, mark: str) -> int | None:
    data = os.path.join(base, "data")
    try:
        with open(os.path.join(data, "postmaster.pid"), encoding="ascii", errors="replace") as file:
            pid = int(file.readline())
        if os.path.exists("/proc/self") and not _belongs(pid, data, mark):
            return None
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


def _belongs(pid: int, data: str, mark: str) -> bool:
    """As in ``rsportal.postgres.processes``."""
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", data)
    except PermissionError:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return mark.encode() in file.read()


def _stop(base: str, mark: str) -> None:
    pid = _postmaster(base, mark)
    if pid is None:
        return
    os.kill(pid, _FAST_SHUTDOWN)
    while _postmaster(base, mark) == pid:
        time.sleep(_POLL_SECONDS)


def _linger(base: str, mark: str, seconds: float) -> None:
    """Wait, because the next command of a script should find the server running; not if it is stopped already."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and _postmaster(base, mark) is not None:
        time.sleep(_POLL_SECONDS)


def watch(base: str, own_lock: int, linger_seconds: float, mark: str) -> None:
    """Return after the server was stopped."""
    while True:
        users = _nobody(base, wait=True)
        assert users is not None
        os.close(users)
        _linger(base, mark, linger_seconds)
        start = _open(base, "start.lock")
        fcntl.flock(start, fcntl.LOCK_EX)
        users = _nobody(base, wait=False)
        if users is not None:
            _stop(base, mark)
            os.close(own_lock)  # Before the others: who starts the server next must see no watcher.
            return
        os.close(start)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        watch(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
    except FileNotFoundError:
        sys.exit(0)  # The project folder was removed; PostgreSQL notices that by itself.
