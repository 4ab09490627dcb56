"""The parsed query: what a person or program asked for, checked once and used everywhere."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _

from imagery.models import Collection, Scene
from imagery.querysets import SceneQuerySet
from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    from imagery.querysets import Viewer

MAX_TEXT_CHARS: Final = 1_000
_SLUG: Final = re.compile(r"[-\w]{1,80}")
# Control characters and lone surrogates: they mean nothing in a query and the database refuses some of them.
_UNWANTED_CATEGORIES: Final = frozenset({"Cc", "Cs"})


@dataclass(frozen=True)
class SearchRequest:
    """A validated search: words, and filters that narrow where they are looked for.

    ``collections`` are slugs (empty: all that the person sees); ``start`` and ``end`` are whole days in UTC,
    both included, either may be open. ``translation`` is the person's own wording to search for in place of ``text``.
    """

    text: str
    collections: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    translation: str = ""

    def scenes(self, user: "Viewer") -> SceneQuerySet:
        """Return the searchable scenes that this person may see and that pass the filters."""
        first = datetime.combine(self.start, time.min, tzinfo=UTC) if self.start else None
        last = datetime.combine(self.end, time.max, tzinfo=UTC) if self.end else None
        rows: SceneQuerySet = Scene.objects.visible_to(user).ready().captured_between(first, last)
        return rows.filter(collection__slug__in=self.collections) if self.collections else rows

    def filters(self) -> dict[str, Any]:
        """Return the filters that are set, as they are kept in the query log."""
        values: dict[str, Any] = {}
        if self.collections:
            values["collections"] = list(self.collections)
        if self.start:
            values["start"] = self.start.isoformat()
        if self.end:
            values["end"] = self.end.isoformat()
        return values


def search_request_parse(
    *,
    user: "Viewer",
    text: str,
    collections: Iterable[str] = (),
    start: date | str | None = None,
    end: date | str | None = None,
    translation: str = "",
) -> SearchRequest:
    """Check what was asked and return it as a SearchRequest.

    Dates are ``date`` objects or ISO 8601 days (``2024-05-31``). Raises InvalidInput whose ``field`` is ``text``,
    ``translation``, ``collection``, ``start`` or ``end``. A collection that the person may not see is answered
    exactly like one that does not exist.
    """
    first, last = _day(start, "start"), _day(end, "end")
    if first and last and first > last:
        raise InvalidInput(
            _("The first day (%(start)s) is after the last day (%(end)s). Swap them.")
            % {"start": first.isoformat(), "end": last.isoformat()},
            field="start",
        )
    return SearchRequest(
        text=_text(text, "text"),
        collections=_collections(user, collections),
        start=first,
        end=last,
        translation=_text(translation, "translation") if translation.strip() else "",
    )


def _text(raw: str, field: str) -> str:
    cleaned = "".join(" " if unicodedata.category(char) in _UNWANTED_CATEGORIES else char for char in raw).strip()
    if not cleaned:
        raise InvalidInput(
            _('Write what you are looking for, for example "a river with a bridge".'), code="empty", field=field
        )
    if len(cleaned) > MAX_TEXT_CHARS:
        raise InvalidInput(
            _("The query has %(length)d characters; %(limit)d is the most. Describe the picture in a sentence or two.")
            % {"length": len(cleaned), "limit": MAX_TEXT_CHARS},
            code="too_long",
            field=field,
        )
    return cleaned


def _day(value: date | str | None, field: str) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    if not (raw := value.strip()):
        return None
    try:
        return date.fromisoformat(raw)
    except ValueError:
        raise InvalidInput(
            _("%(value)s is not a day. Write it as year-month-day, for example 2024-05-31.")
            % {"value": repr(raw[:40])},
            field=field,
        ) from None


def _collections(user: "Viewer", slugs: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(slug.strip() for slug in slugs if slug.strip()))
    if not wanted:
        return ()
    well_formed = [slug for slug in wanted if _SLUG.fullmatch(slug)]
    known = set(Collection.objects.visible_to(user).filter(slug__in=well_formed).values_list("slug", flat=True))
    for slug in wanted:
        if slug not in known:
            raise InvalidInput(
                _("There is no collection %(slug)s, or you may not see it.") % {"slug": repr(slug[:80])},
                code="unknown_collection",
                field="collection",
            )
    return wanted
