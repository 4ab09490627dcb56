"""The queries of a comparison: typed lines, judged phrases of a JSON Lines file, or the examples of the search box."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from imagery.evaluation.captions import json_object, json_text
from rsportal.errors import InvalidInput
from search.comparison import AskedQuery
from search.examples import example_queries

_SHOWN = 60  # characters of a bad line in the message


def comparison_queries(lines: Iterable[str], *, most: int | None = None) -> list[AskedQuery]:
    """Return the queries of lines that are words, or objects ``{"text", "language", "class"}`` (text is needed).

    Empty lines are passed over; without any query the examples are asked. Raises InvalidInput (field ``queries``)
    naming the line that cannot be read, or when there are more than ``most``.
    """
    found = [_query(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if most is not None and len(found) > most:
        raise InvalidInput(
            _("There are %(found)d queries; %(most)d is the most here. The command line takes any number.")
            % {"found": len(found), "most": most},
            field="queries",
        )
    return found or [AskedQuery(text=text, language=language) for language, text in example_queries()]


def _query(number: int, line: str) -> AskedQuery:
    text = line.strip()
    if not text.startswith("{"):
        return AskedQuery(text=text)
    try:
        row = json_object(text)
        words, language, scene_class = (
            json_text(row, name, needed=name == "text") or "" for name in ("text", "language", "class")
        )
    except ValueError:
        raise InvalidInput(
            _('Line %(number)d is no query: %(line)s. Write words, or {"text": "...", "class": "..."}.')
            % {"number": number, "line": text[:_SHOWN]},
            field="queries",
        ) from None
    return AskedQuery(text=words, language=language, scene_class=scene_class)
