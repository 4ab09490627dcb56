"""Typed access to environment variables; a wrong value fails with a sentence."""

import math
import os
from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


class Env:
    """Reads typed values from a mapping (``os.environ`` unless told otherwise)."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def text(self, name: str, default: str = "") -> str:
        """Return the variable, stripped, or ``default`` when unset or blank."""
        return self._values.get(name, "").strip() or default

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a switch. Raises ImproperlyConfigured unless it reads as yes or no."""
        if name not in self._values:
            return default
        value = self._values[name].strip().lower()
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise ImproperlyConfigured(f"{name} is {value!r}; write 1 or 0 (also true/false, yes/no, on/off).")

    def integer(self, name: str, default: int, *, minimum: int | None = None) -> int:
        """Return a whole number. Raises ImproperlyConfigured for anything else or below ``minimum``."""
        raw = self.text(name)
        try:
            value = int(raw) if raw else default
        except ValueError:
            raise ImproperlyConfigured(f"{name} is {raw!r}; write a whole number.") from None
        if minimum is not None and value < minimum:
            raise ImproperlyConfigured(f"{name} is {value}; it must be {minimum} or more.")
        return value

    def share(self, name: str, default: float, *, most: float = 1.0) -> float:
        """Return a number from 0 to ``most``. Raises ImproperlyConfigured for anything else."""
        raw = self.text(name)
        try:
            value = float(raw) if raw else default
        except ValueError:
            value = math.nan
        if not 0 <= value <= most:
            raise ImproperlyConfigured(f"{name} is {raw!r}; write a number from 0 to {most:g}.")
        return value

    def words(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """Return a comma-separated list without blanks."""
        raw = self.text(name)
        return [part.strip() for part in raw.split(",") if part.strip()] if raw else list(default)

    def path(self, name: str, default: Path) -> Path:
        """Return an absolute path (``~`` expanded)."""
        raw = self.text(name)
        return (Path(raw).expanduser() if raw else default).resolve()

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """Return one of ``allowed``. Raises ImproperlyConfigured for any other word."""
        value = self.text(name, default)
        if value not in allowed:
            raise ImproperlyConfigured(f"{name} is {value!r}; write one of {', '.join(allowed)}.")
        return value
