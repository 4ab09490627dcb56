"""The parsed query: what a person or program asked for, checked once and used everywhere."""

import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _

from imagery.models import Scene
from imagery.querysets import SceneQuerySet
from rsportal.errors import InvalidInput
from search.filter_values import filters_parse
from search.filters import SceneFilters
from search.understanding import ClauseGiven, clauses_parse

if TYPE_CHECKING:
    from imagery.querysets import Viewer

MAX_TEXT_CHARS: Final = 1_000
# Control characters and lone surrogates: they mean nothing in a query and the database refuses some of them.
_UNWANTED_CATEGORIES: Final = frozenset({"Cc", "Cs"})


@dataclass(frozen=True)
class SearchRequest(SceneFilters):
    """A validated search: words, and filters that narrow where they are looked for.

    ``translation`` is the person's own wording to search for in place of ``text``; ``clauses`` are the parts of the
    query as the person wants them understood, empty when the portal is to find them.
    """

    text: str
    translation: str = ""
    clauses: tuple[ClauseGiven, ...] = ()

    def scenes(self, user: "Viewer") -> SceneQuerySet:
        """Return the findable scenes that this person may see and that pass the filters."""
        return self.passing(Scene.objects.visible_to(user).findable())


def search_request_parse(
    *,
    user: "Viewer",
    text: str,
    translation: str = "",
    clauses: Iterable[tuple[str, float | str]] = (),
    **filters: Any,
) -> SearchRequest:
    """Check what was asked and return it as a SearchRequest.

    ``clauses`` are (text, weight) as in ``search.understanding.clauses_parse``, ``filters`` those of
    ``search.filter_values.filters_parse``. Raises InvalidInput whose ``field`` is ``text``, ``translation``,
    ``clauses`` or that of a filter.
    """
    passed = filters_parse(user=user, **filters)
    return SearchRequest(
        text=_text(text, "text"),
        translation=_text(translation, "translation") if translation.strip() else "",
        clauses=clauses_parse(clauses),
        **asdict(passed),
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
