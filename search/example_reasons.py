"""What words and examples each did for a hit (the note of ``search.ranking.examples``), in sentences."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _

_LEAST: Final = 0.005
"""Shares that would be told as 0.00 are left out."""


def example_lines(noted: Any) -> list[str]:
    """Return a line for the words and one for each example that moved the hit; [] for a query without examples.

    The numbers are of the score: how much better than the average candidate each makes this one.
    """
    if not isinstance(noted, Mapping):
        return []
    lines = []
    if (text := _number(noted.get("text"))) is not None:
        lines.append(_("The words: %(value)s") % {"value": _told(text)})
    of = noted.get("of")
    for number, raw in enumerate(of if isinstance(of, list) else (), start=1):
        share = _number(raw)
        if share is not None and abs(share) >= _LEAST:
            lines.append(_("Example %(number)d: %(value)s") % {"number": number, "value": _told(share)})
    return lines


def worded_told(noted: Any) -> bool:
    """Return whether the query of a hit with this note had words."""
    return not isinstance(noted, Mapping) or noted.get("text") is not None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _told(value: float) -> str:
    return ("+" if value > 0 else "") + number_format(round(value, 2), 2)
