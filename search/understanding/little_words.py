"""The little words of ``little_words.txt`` by what they do."""

from functools import cache
from pathlib import Path
from typing import Final

from search.understanding.plan import RelationKind

_FILE: Final = Path(__file__).with_name("little_words.txt")


@cache
def little_words(section: str) -> frozenset[str]:
    """Return the phrases of a section of the file. Raises KeyError if there is no such section."""
    return _sections()[section]


@cache
def relations() -> dict[str, RelationKind]:
    """Return the English phrases that put one thing into a place relative to another."""
    return {phrase: kind for kind in RelationKind for phrase in little_words(kind.value)}


@cache
def _sections() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    name = ""
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name = line[1:].partition("]")[0]
            found[name] = set()
        elif line.strip() and not line.startswith("#"):
            found[name] |= {phrase.strip() for phrase in line.split(",")}
    return {name: frozenset(phrases) for name, phrases in found.items()}
