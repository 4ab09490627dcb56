"""Several processes that live and end together (web and worker of `make run`)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from rsportal.processes.supervisor import end_with_parent

_PROJECT_DIR: Final = Path(__file__).resolve().parent.parent.parent


class Together:
    """Starts processes in groups of their own, notices when one ends, and ends all."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        """Start ``python <command>`` in the project folder; Ctrl-C in the terminal does not reach it."""
        self._processes[name] = subprocess.Popen(
            [sys.executable, *command],
            cwd=_PROJECT_DIR,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )

    def ended(self) -> tuple[str, int] | None:
        """Return the name and exit status of a process that has ended by itself, or None."""
        for name, process in self._processes.items():
            if (status := process.poll()) is not None:
                return name, status
        return None

    def stop(self, grace_seconds: float) -> None:
        """Ask all to end, wait together, then kill what is left with its children."""
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + grace_seconds
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            with suppress(ProcessLookupError):  # Nobody of the group is left.
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()
