"""Real processes for tests: a worker against the test database, and waiting for conditions.

``running_worker`` starts the real ``manage.py run_worker`` on the database, media folder and secret key
of the test. The test must commit what the worker is to see: use ``transaction=True`` with ``django_db``.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from rsportal.processes import beat

PROJECT: Final = Path(__file__).resolve().parent.parent
_POLL_SECONDS: Final = 0.05
T = TypeVar("T")


def wait_for(condition: Callable[[], T], *, seconds: float, what: str) -> T:
    """Return the first true value of ``condition``; fail naming ``what`` when the time is over."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        pause.wait(_POLL_SECONDS)
    return value


def database_url() -> str:
    """Return the DATABASE_URL of the connected test database, for a child process."""
    entry = connection.settings_dict
    login = quote(entry["USER"]) + (":" + quote(entry["PASSWORD"]) if entry["PASSWORD"] else "")
    port = f":{entry['PORT']}" if entry["PORT"] else ""
    return f"postgres://{login}@{quote(entry['HOST'], safe='')}{port}/{quote(entry['NAME'])}"


def child_environment(var_dir: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment in which a child process sees the test's database, files and key."""
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "RSPORTAL_VAR_DIR": str(var_dir),
        "RSPORTAL_MEDIA_DIR": str(settings.MEDIA_ROOT),
        "RSPORTAL_SECRET_KEY": settings.SECRET_KEY,
        "RSPORTAL_PROFILE": "development",
        "OMP_NUM_THREADS": "1",
        "RSPORTAL_SEARCH_EXPLORE": "0",  # Which hits are exchanged is chance.
        **(extra or {}),
    }


class Worker:
    """A real, supervised worker. ``log`` is what it said so far."""

    def __init__(self, var_dir: Path, process: subprocess.Popen[bytes], log_path: Path) -> None:
        self.process = process
        self._run_dir = var_dir / "run"
        self._log_path = log_path

    @property
    def log(self) -> str:
        """Return the output of all its processes."""
        return self._log_path.read_text(errors="replace")

    def last_beat(self, cluster: str = "default") -> beat.Beat | None:
        """Return the cluster's last sign of life, or None before the first."""
        found = [beat.read_beat(folder) for folder in self._run_dir.glob(f"{cluster}-*")]
        return next((pair[0] for pair in found if pair), None)

    def busy(self, cluster: str = "default") -> list[int]:
        """Return the process ids that run a task now."""
        return [pid for folder in self._run_dir.glob(f"{cluster}-*") for pid in beat.busy_workers(folder)]

    def wait_until_ready(self, cluster: str = "default", *, seconds: float = 90) -> beat.Beat:
        """Return the first sign of life with worker processes."""

        def ready() -> beat.Beat | None:
            assert self.process.poll() is None, f"the worker ended:\n{self.log}"
            found = self.last_beat(cluster)
            return found if found and found.workers else None

        found = wait_for(ready, seconds=seconds, what=f"cluster {cluster} to be ready")
        assert found is not None
        return found

    def kill_busy(self, cluster: str = "default", *, seconds: float = 60) -> int:
        """Wait until a process of the cluster runs a task, kill it with SIGKILL, return its id."""
        pid = wait_for(lambda: self.busy(cluster), seconds=seconds, what="a worker process to be busy")[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_group(self, cluster: str = "default") -> int:
        """Kill the whole process group of the cluster with SIGKILL; returns the sentinel's id."""
        found = self.wait_until_ready(cluster)
        os.killpg(os.getpgid(found.sentinel), signal.SIGKILL)
        return found.sentinel

    def stop(self, *, seconds: float = 60) -> int:
        """End it as an operator does (SIGTERM) and return its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=seconds)


@contextmanager
def running_worker(tmp_path: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> Iterator[Worker]:
    """Run ``manage.py run_worker --all`` (or with other ``arguments``) for the length of the block."""
    var_dir = tmp_path / "worker-var"
    var_dir.mkdir(exist_ok=True)
    log_path = var_dir / "worker.log"
    command = [sys.executable, "manage.py", "run_worker", *(arguments or ("--all", "--grace", "5"))]
    with open(log_path, "ab") as log:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=child_environment(var_dir, extra),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    worker = Worker(var_dir, process, log_path)
    try:
        yield worker
    finally:
        try:
            worker.stop()
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
