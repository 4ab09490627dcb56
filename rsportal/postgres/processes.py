"""Finding the processes of one data folder (Linux; elsewhere only what postmaster.pid says)."""

import hashlib
import os
import signal
from pathlib import Path


def server_mark(data: Path) -> str:
    """Return the name that all processes of this data folder's server carry in their command line."""
    return "rsportal-" + hashlib.sha256(os.fsencode(data)).hexdigest()[:16]


def postmaster_pid(data: Path) -> int | None:
    """Return the process id of the live server of ``data``, or None.

    ``postmaster.pid`` alone proves nothing: after a crash or a reboot its number may belong to any
    other process, so the process must also have ``data`` as its working folder.
    """
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if _belongs(pid, data) else None


def orphans(data: Path) -> list[int]:
    """Return server processes of ``data`` that are left although their postmaster is gone."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    return [pid for pid in pids if _belongs(pid, data) and _is_postgres(pid)]


def kill_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each process that still exists."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _belongs(pid: int, data: Path) -> bool:
    if not Path("/proc/self").exists():
        return _exists(pid)
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", data)
    except PermissionError:  # Root in a container without CAP_SYS_PTRACE; a command line is open to everybody.
        return _is_marked(pid, data)
    except OSError:
        return False


def _is_marked(pid: int, data: Path) -> bool:
    try:
        return server_mark(data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except OSError:
        return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
