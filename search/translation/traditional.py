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
    """The file has groups ``simplified traditional...`` without blanks inside; a simplified one may stand for several."""
    table: dict[int, str] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        for target, *sources in () if line.startswith("#") else line.split():
            table.update({ord(source): target for source in sources if source != target})
    return table
