"""English word forms: plurals, articles, joining."""

import re
from collections.abc import Sequence
from typing import Final

_NUMBERS: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]  # Spelt out up to twelve, in figures above, as style guides do.
_SOUNDS_LIKE_CONSONANT: Final = re.compile(r"(?:uni|use|usual|eu|one\b|u-)", re.IGNORECASE)
_SOUNDS_LIKE_VOWEL: Final = re.compile(r"(?:hour|honest|[FHLMNRSX]-)")


def plural(noun: str) -> str:
    """Return the regular plural of a noun or compound: ``city``: ``cities``, ``row of tanks``: ``rows of tanks``."""
    head, of, rest = noun.partition(" of ")
    if head.endswith(("s", "x", "z", "ch", "sh")):
        head += "es"
    elif head.endswith("y") and head[-2:-1] not in "aeiou":
        head = head[:-1] + "ies"
    else:
        head += "s"
    return f"{head}{of}{rest}"


def with_article(phrase: str) -> str:
    """Return the phrase with ``a`` or ``an`` in front."""
    vowel = phrase[:1].lower() in "aeiou" and not _SOUNDS_LIKE_CONSONANT.match(phrase)
    return f"{'an' if vowel or _SOUNDS_LIKE_VOWEL.match(phrase) else 'a'} {phrase}"


def number(value: float) -> str:
    """Return a number as a word up to twelve, in digits above and for fractions."""
    if value == int(value):
        return _NUMBERS[int(value)] if 0 <= value < len(_NUMBERS) else str(int(value))
    return f"{value:g}"


def listed(parts: Sequence[str], conjunction: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``; empty parts are left out."""
    kept = [part for part in parts if part]
    if len(kept) < 2:
        return "".join(kept)
    return f"{', '.join(kept[:-1])} {conjunction} {kept[-1]}"


def joined(*parts: str) -> str:
    """Return the parts with single spaces between them."""
    return " ".join(" ".join(parts).split())
