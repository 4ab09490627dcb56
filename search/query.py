"""The parsed query: what a person or program asked for, checked once and used everywhere."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _

from imagery.models import Scene
from imagery.querysets import SceneQuerySet
from rsportal.errors import InvalidInput
from search.examples_given import FIELD as EXAMPLES
from search.examples_given import ExampleGiven, examples_parse
from search.examples_seen import examples_check
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
    query as the person wants them understood, empty when the portal is to find them. ``examples`` are what the hits
    should be like, and not like; with one of the first, ``text`` may be empty. Without ``history`` nothing that was
    learnt from feedback has a say.
    """

    text: str
    translation: str = ""
    clauses: tuple[ClauseGiven, ...] = ()
    examples: tuple[ExampleGiven, ...] = ()
    history: bool = True

    def scenes(self, user: "Viewer") -> SceneQuerySet:
        """Return the findable scenes that this person may see and that pass the filters."""
        return self.passing(Scene.objects.visible_to(user).findable())


def search_request_parse(
    *,
    user: "Viewer",
    text: str,
    translation: str = "",
    clauses: Iterable[tuple[str, float | str]] = (),
    examples: Iterable[str | Mapping[str, Any]] = (),
    history: bool = True,
    **filters: Any,
) -> SearchRequest:
    """Check what was asked and return it as a SearchRequest.

    ``clauses`` are (text, weight) as in ``search.understanding.clauses_parse``, ``examples`` as in
    ``search.examples_given.examples_parse``, ``filters`` those of ``search.filter_values.filters_parse``. Raises
    InvalidInput whose ``field`` is ``text``, ``translation``, ``clauses``, ``examples`` or that of a filter. An example
    that the person may not see is answered exactly like one that does not exist.
    """
    passed = filters_parse(user=user, **filters)
    given = examples_parse(examples)
    parts = clauses_parse(clauses)
    words = _text(text, "text") if text.strip() or parts or not given else ""
    if not words and all(example.weight < 0 for example in given):
        raise InvalidInput(
            _("Say also what the hits should be like, not only what they should not: add words or an example."),
            code="only_without",
            field=EXAMPLES,
        )
    examples_check(user=user, examples=given)
    return SearchRequest(
        text=words,
        translation=_text(translation, "translation") if words and translation.strip() else "",
        clauses=parts,
        examples=given,
        history=history,
        **{each.name: getattr(passed, each.name) for each in fields(passed)},
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
