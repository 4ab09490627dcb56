"""How far a command is: a line that is written over on a terminal, a line now and then elsewhere."""

import sys
import time
from typing import Final

from django.core.management.base import OutputWrapper

_TERMINAL_SECONDS: Final = 0.2
_LINES_SECONDS: Final = 10.0


class Counter:
    """Shows ``done of total`` of ``what``."""

    def __init__(self, stderr: OutputWrapper, what: str) -> None:
        self._stderr, self._what, self._terminal = stderr, what, sys.stderr.isatty()
        self._next = time.monotonic() + (0 if self._terminal else _LINES_SECONDS)

    def show(self, done: int, total: int) -> None:
        """Show how far it is, not too often."""
        now = time.monotonic()
        if now < self._next and not (self._terminal and done >= total):
            return
        self._next = now + (_TERMINAL_SECONDS if self._terminal else _LINES_SECONDS)
        line = f"{done:,} of {total:,} {self._what}"
        last = done >= total or not self._terminal
        self._stderr.write(f"\r{line}" if self._terminal else line, ending="\n" if last else "")
