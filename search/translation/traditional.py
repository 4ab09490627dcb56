"""Traditional characters to simplified ones."""

from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("traditional.txt")


def simplified(text: str) -> str:
    """Return the text with each traditional character as the simplified one; others stay."""
    return text.translate(_table())


@cache
def _table() -> dict[int, str]:
    """The file has groups ``simplified traditional...``; a simplified character may stand for several."""
    table: dict[int, str] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        for group in () if line.startswith("#") else line.split():
            table.update({ord(source): group[0] for source in group[1:]})
    return table
