"""What a process keeps of its computations, by a key and the state of the archive they were made in."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The latest ``most`` results, one a key. Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._lock: Final = threading.Lock()
        self._rows: Final[OrderedDict[Hashable, tuple[Hashable, float, T]]] = OrderedDict()

    def get(self, key: Hashable, *, state: Hashable, compute: Callable[[], T], patience: float = 0.0) -> T:
        """Return what is kept of ``key`` if it was made in this ``state``, else what ``compute`` gives.

        ``state`` must have been read before ``compute`` is called. A result of another state that is younger than
        ``patience`` seconds does as well.
        """
        with self._lock:
            if (row := self._rows.get(key)) is not None and (row[0] == state or time.monotonic() - row[1] < patience):
                self._rows.move_to_end(key)
                return row[2]
        begun = time.monotonic()
        made = compute()
        with self._lock:
            self._rows[key] = (state, begun, made)
            self._rows.move_to_end(key)
            while len(self._rows) > self._most:
                self._rows.popitem(last=False)
        return made

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._rows.clear()
