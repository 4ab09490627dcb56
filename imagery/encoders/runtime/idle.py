"""Unloading towers that nobody uses: one thread a process watches every loaded encoder."""

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from .memory import trim

_LONGEST_PAUSE_SECONDS: Final = 30.0
_SHORTEST_PAUSE_SECONDS: Final = 0.05


class Unloadable(Protocol):
    """Something whose parts can be unloaded once they were idle for ``idle_seconds`` (0: never)."""

    @property
    def idle_seconds(self) -> float: ...

    def unload_idle(self) -> bool:
        """Unload what was idle for long enough; return whether anything was."""


class Use:
    """Who uses a tower now, and when it was last used. Not safe by itself: hold the encoder's lock."""

    def __init__(self) -> None:
        self._users = 0
        self._last = time.monotonic()

    def begin(self) -> None:
        """One user more."""
        self._users += 1

    def end(self) -> None:
        """One user less."""
        self._users -= 1
        self.touch()

    def touch(self) -> None:
        """Note a use at this moment."""
        self._last = time.monotonic()

    def idle_for(self, seconds: float) -> bool:
        """Whether nobody uses it and nobody did for this long."""
        return self._users == 0 and time.monotonic() - self._last >= seconds


@contextmanager
def used(use: Use, lock: threading.RLock) -> Iterator[None]:
    """Count as a user for the length of the block; ``begin`` must have been called under the lock already."""
    try:
        yield
    finally:
        with lock:
            use.end()


_watched: "weakref.WeakSet[Unloadable]" = weakref.WeakSet()
_lock = threading.Lock()
_thread: threading.Thread | None = None
_changed = threading.Event()


def watch(encoder: Unloadable) -> None:
    """Have the towers of ``encoder`` unloaded when idle. Cheap to repeat; the thread starts with the first."""
    global _thread
    if encoder.idle_seconds <= 0:
        return
    with _lock:
        if encoder not in _watched:
            _watched.add(encoder)
            _changed.set()
        if _thread is None or not _thread.is_alive():  # A forked child has no threads of its parent.
            _thread = threading.Thread(target=_run, name="encoder-idle", daemon=True)
            _thread.start()


def _run() -> None:
    while True:
        with _lock:
            encoders = list(_watched)
        shortest = min((encoder.idle_seconds for encoder in encoders), default=_LONGEST_PAUSE_SECONDS)
        dropped = [encoder.unload_idle() for encoder in encoders]
        if any(dropped):
            trim()
        del encoders  # Else the last encoder would live as long as this thread sleeps.
        _changed.wait(min(_LONGEST_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, shortest / 4)))
        _changed.clear()
