"""What a scan of an archive folder found: counts, and the first names of each kind. Kept with the folder as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

_NAMES_OF_A_KIND: Final = 20
KINDS: Final = (
    "new", "moved", "back", "changed", "touched", "restored", "duplicate", "refused", "missing", "waiting",
    "unreadable", "links",
)  # fmt: skip
"""``touched``: another time, the same bytes. ``back``: missing before. ``restored``: changed before. ``duplicate``: its
bytes are in the catalogue, from another place. ``waiting``: still being written, left for the next scan. ``links``:
symbolic links that lead out of the folder."""


@dataclass
class ScanReport:
    """``state``: running, finished, continued (the time of a task was over), held (too much is missing at once),
    unreachable, stopped. ``problem`` is a sentence."""

    began: str
    state: str = "running"
    phase: str = "listing"
    problem: str = ""
    directories: int = 0
    files: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    names: dict[str, list[str]] = field(default_factory=dict)

    def note(self, kind: str, name: str) -> None:
        """Count one more of a kind; the first are named."""
        self.counts[kind] += 1
        names = self.names.setdefault(kind, [])
        if len(names) < _NAMES_OF_A_KIND:
            names.append(name)

    def as_json(self) -> dict[str, Any]:
        """Return it as the folder keeps it."""
        return {
            "began": self.began,
            "state": self.state,
            "phase": self.phase,
            "problem": self.problem,
            "directories": self.directories,
            "files": self.files,
            "counts": self.counts,
            "names": self.names,
        }
