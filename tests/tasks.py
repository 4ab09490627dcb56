"""Tasks that tests give to real workers. Files tell the test what happened."""

import os
import sys
import threading
import time
from pathlib import Path

_DEADLINE_SECONDS = 120.0


def note(path: str) -> None:
    """Append this process's id to a file."""
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")


def note_and_wait(path: str, gate: str) -> None:
    """Append this process's id, then stay busy until the file ``gate`` exists."""
    note(path)
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not Path(gate).exists() and time.monotonic() < deadline:
        threading.Event().wait(0.05)


def note_modules(path: str, prefix: str) -> None:
    """Write which loaded modules begin with ``prefix``."""
    Path(path).write_text("\n".join(name for name in sys.modules if name.split(".")[0] == prefix) or "none")


def fail(path: str) -> None:
    """Append this process's id, then fail."""
    note(path)
    raise ValueError("as the test wants")
