"""Supervises one django-q2 cluster: a process group that is ended as a whole and started again.

Why django-q2's own sentinel does not suffice: a worker killed while it waits dies holding the lock of the
shared queue, and every other worker then waits for ever while the sentinel looks healthy; and an ended
sentinel leaves its children running.
"""

import ctypes
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rsportal.processes import beat

_PROJECT_DIR: Final = Path(__file__).resolve().parent.parent.parent
_FIRST_BEAT_SECONDS: Final = 180.0  # Imports and the database's start on a slow machine.
_STALE_BEAT_SECONDS: Final = 30.0
_FROZEN_SECONDS: Final = 60.0  # Above the time a new worker process needs to load a model.
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_HEALTHY_SECONDS: Final = 300.0
_GIVE_UP_AFTER: Final = 10
_PR_SET_PDEATHSIG: Final = 1

_log = logging.getLogger(__name__)


@dataclass
class Limits:
    """How patient the supervisor is, in seconds."""

    first_beat: float = _FIRST_BEAT_SECONDS
    stale_beat: float = _STALE_BEAT_SECONDS
    frozen: float = _FROZEN_SECONDS


@dataclass
class ClusterSupervisor:
    """Runs ``manage.py qcluster`` for one cluster and keeps it running.

    ``release`` hands the queue entries of dead processes to others; it may raise, and is then called again.
    Call :meth:`tick` about once a second; it never blocks. Call :meth:`stop` at the end.
    """

    cluster: str
    run_dir: Path
    release: Callable[[list[int]], None]
    limits: Limits = field(default_factory=Limits)
    failures: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _not_before: float = 0.0
    _waiting_since: float | None = None
    _asked_to_stop: bool = False
    _folder: Path | None = None
    _lock: int = -1
    _to_release: set[int] = field(default_factory=set)

    @property
    def gave_up(self) -> bool:
        """Whether the cluster failed so often in a row that starting it again is pointless."""
        return self.failures >= _GIVE_UP_AFTER

    @property
    def pid(self) -> int | None:
        """The process group's leader, while there is one."""
        return self._process.pid if self._process else None

    def last_beat(self) -> beat.Beat | None:
        """Return the living cluster's last sign of life, or None before the first."""
        found = beat.read_beat(self._folder) if self._folder else None
        return found[0] if found else None

    def tick(self) -> None:
        """Start the cluster when it is due; end it when it is dead, silent or frozen."""
        now = time.monotonic()
        self._release_entries()
        if self._process is None:
            if now >= self._not_before and not self.gave_up:
                self._start()
            return
        reason = self._what_is_wrong(now)
        if reason is None:
            if now - self._started > _HEALTHY_SECONDS:
                self.failures = 0
            return
        self._end_group()
        self.failures += 1
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (self.failures - 1))
        self._not_before = time.monotonic() + pause
        _log.error("worker cluster %s %s; starting it again in %.0f s", self.cluster, reason, pause)

    def stop(self, grace_seconds: float) -> None:
        """Ask the cluster to finish its tasks, wait, then end whatever is left of it."""
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(timeout=grace_seconds)
            except subprocess.TimeoutExpired:
                _log.warning("worker cluster %s did not finish its task in time; it is resumed later", self.cluster)
            self._end_group()
            self._release_entries()

    def ask_to_stop(self) -> None:
        """Forward the wish to stop without waiting."""
        if self._process is not None and not self._asked_to_stop:
            self._asked_to_stop = True  # Once: django-q2 trips over a second signal.
            self._process.terminate()

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=f"{self.cluster}-", dir=self.run_dir))
        lock = beat.lock(self._folder)
        assert lock is not None
        self._lock = lock
        environment = {
            **os.environ,
            "Q_CLUSTER_NAME": self.cluster,
            beat.FOLDER_VARIABLE: str(self._folder),
        }
        self._process = subprocess.Popen(
            [sys.executable, str(_PROJECT_DIR / "manage.py"), "qcluster"],
            cwd=_PROJECT_DIR,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[lock],
            preexec_fn=end_with_parent,
        )
        self._started = time.monotonic()
        self._waiting_since = None
        _log.info("worker cluster %s started (process group %d)", self.cluster, self._process.pid)

    def _what_is_wrong(self, now: float) -> str | None:
        assert self._process is not None
        assert self._folder is not None
        if (status := self._process.poll()) is not None:
            return f"ended with status {status}"
        found = beat.read_beat(self._folder)
        if found is None:
            return "gave no sign of life" if now - self._started > self.limits.first_beat else None
        last, written = found
        if time.time() - written > self.limits.stale_beat:
            return f"gave no sign of life for {self.limits.stale_beat:.0f} s"
        if last.waiting == 0 or beat.busy_workers(self._folder):
            self._waiting_since = None
            return None
        self._waiting_since = self._waiting_since or now
        if now - self._waiting_since > self.limits.frozen:
            return "is frozen: a task waits and no worker takes it"
        return None

    def _end_group(self) -> None:
        assert self._process is not None
        assert self._folder is not None
        with suppress(ProcessLookupError):  # All of it has ended.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        self._to_release.update(beat.leases(self._folder))
        os.close(self._lock)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def _release_entries(self) -> None:
        """Hand over what dead processes had. The folder of the living cluster is looked through each time."""
        if self._folder is not None:
            self._to_release.update(beat.take_entries_of_dead_workers(self._folder))
        if self._to_release:
            try:
                self.release(sorted(self._to_release))
            except Exception:  # noqa: BLE001  (a database that restarts must not end the supervisor)
                _log.warning("queue entries %s could not be released yet", sorted(self._to_release), exc_info=True)
            else:
                self._to_release.clear()


def entries_left_by_the_dead(run_dir: Path) -> list[int]:
    """Return the queue entries of clusters that died with their supervisor, and remove their folders."""
    entries: list[int] = []
    for folder in [path for path in run_dir.iterdir() if path.is_dir()]:
        if (lock := beat.lock(folder)) is not None:
            entries += beat.leases(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    return entries


def end_with_parent() -> None:
    """In the child, before exec (Linux): ask for SIGTERM when the supervisor is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
