"""The search form: keeps what a person typed in the page, together with what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext as _

from imagery.area import area_parse
from imagery.bbox import bbox_text
from rsportal.errors import InvalidInput
from search.examples_given import example_of
from search.filters import GROUPS
from search.models import Query
from search.query import SearchRequest, search_request_parse
from search.translation import NOT_UNDERSTOOD, translation_is_own

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_OFF: Final = "off"
_LISTS: Final = ("collection", "platform", "instruments", "license")
_TEXTS: Final = ("start", "end", "bbox", "gsd_min", "gsd_max", "cloud_cover_max", "added_after", "intersects")
_NAMES: Final = {
    "text": "q",
    "collections": "collection",
    "clauses": "clause",
    "examples": "like",
}  # Of the request, where they are others than in the page.
_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    **{group: (group,) for group in GROUPS},
    "collections": ("collection",),
    "datetime": ("start", "end"),
    "gsd": ("gsd_min", "gsd_max"),
    "cloud_cover": ("cloud_cover_max",),
    "added": ("added_after",),
}


@dataclass
class SearchForm:
    """What stands in the box and the filters, as it was typed.

    ``translation`` is the wording a person wants searched for in place of ``q``; ``clause`` and ``weight`` are the
    chips they changed, in the same order; ``like`` the examples as they stand in an address
    (``search.examples_given``); ``history`` is "off" or "". ``errors`` maps a field to a sentence.
    """

    q: str = ""
    translation: str = ""
    clause: tuple[str, ...] = ()
    weight: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    history: str = ""
    collection: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    bbox: str = ""
    platform: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    gsd_min: str = ""
    gsd_max: str = ""
    cloud_cover_max: str = ""
    license: tuple[str, ...] = ()
    added_after: str = ""
    intersects: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    offers_translation: bool = False

    @classmethod
    def read(cls, data: QueryDict) -> SearchForm:
        """Return the form as the address says it.

        ``translation_of`` and ``clauses_of`` are sent by the box, which may have been changed since: a translation or
        the chips of other words are dropped.
        """
        q = data.get("q", "").strip()
        outdated = data.get("translation_of", q).strip() != q
        understood = data.get("clauses_of", q).strip() == q
        return cls(
            q=q,
            translation="" if outdated else data.get("translation", "").strip(),
            clause=tuple(data.getlist("clause")) if understood else (),
            weight=tuple(data.getlist("weight")) if understood else (),
            like=tuple(value.strip() for value in data.getlist("like") if value.strip()),
            history=_OFF if data.get("history", "").strip() == _OFF else "",
            **{name: tuple(value for value in data.getlist(name) if value.strip()) for name in _LISTS},  # type: ignore[arg-type]
            **{name: data.get(name, "").strip() for name in _TEXTS},  # type: ignore[arg-type]
        )

    @classmethod
    def of_query(cls, query: Query) -> SearchForm:
        """Return the form that a kept query was asked with."""
        kept: dict[str, Any] = {_NAMES.get(name, name): value for name, value in query.filters.items()}
        if "bbox" in kept:
            kept["bbox"] = bbox_text(kept["bbox"])
        if "intersects" in kept:
            kept["intersects"] = str(area_parse(kept["intersects"]))
        known: dict[str, Any] = {
            name: tuple(kept[name]) if name in _LISTS else _plain(kept[name])
            for name in _LISTS + _TEXTS
            if name in kept
        }
        clauses = query.parsed.get("clauses", []) if query.parsed.get("given") else []
        return cls(
            q=query.text,
            translation=query.translation if translation_is_own(query) else "",
            clause=tuple(each["text"] for each in clauses),
            weight=tuple(_plain(each["weight"]) for each in clauses),
            like=tuple(str(example_of(each)) for each in query.examples),
            history=_OFF if query.without_history else "",
            **known,
        )

    @property
    def asked(self) -> bool:
        """Whether something is to be searched."""
        return bool(self.q or self.like)

    @property
    def filters_set(self) -> int:
        """How many filters narrow the search."""
        return sum(self.is_set(group) for group in _GROUPS)

    def is_set(self, group: str) -> bool:
        """Return whether something stands in the filters of a group."""
        return any(getattr(self, name) for name in _GROUPS[group])

    @property
    def filters_refused(self) -> bool:
        """Whether one of the filters cannot be used."""
        return any(name in self.errors for name in _LISTS + _TEXTS)

    @property
    def filter_pairs(self) -> list[tuple[str, str]]:
        """The filters as pairs of a name and a value, for links and hidden fields."""
        pairs = [(name, value) for name in _LISTS for value in getattr(self, name)]
        return pairs + [(name, value) for name in _TEXTS if (value := getattr(self, name))]

    @property
    def example_pairs(self) -> list[tuple[str, str]]:
        """The examples, and the switch of the history if it is off, as pairs of a name and a value."""
        return [("like", value) for value in self.like] + ([("history", self.history)] if self.history else [])

    def parse(self, user: Viewer) -> SearchRequest | None:
        """Return the validated request, or None after putting the refusal beside its field."""
        try:
            return search_request_parse(
                user=user,
                text=self.q,
                translation=self.translation,
                clauses=self.clauses(),
                examples=self.like,
                history=not self.history,
                **self.filters(),
            )
        except InvalidInput as error:
            self.refuse(error)
            return None

    def clauses(self) -> list[tuple[str, str]]:
        """Return the changed chips as (text, weight). Raises InvalidInput (field ``clauses``) if one has no weight."""
        if len(self.clause) != len(self.weight):
            raise InvalidInput(_("Each clause needs a weight: give as many weights as clauses."), field="clauses")
        return list(zip(self.clause, self.weight, strict=True))

    def filters(self) -> dict[str, Any]:
        """Return the filters as parameters of ``search.filter_values.filters_parse``."""
        values = {name: getattr(self, name) for name in _LISTS + _TEXTS}
        return {"collections": values.pop("collection"), **values}

    def refuse(self, error: InvalidInput) -> None:
        """Show a refusal beside the field it names (the box, when it names none)."""
        name = _NAMES.get(error.field or "text", error.field or "q")
        self.errors[name if name in {each.name for each in fields(self)} else "q"] = error.message
        self.offers_translation = error.code == NOT_UNDERSTOOD or error.field == "translation"

    def changed(self, **values: Any) -> str:
        """Return the query string of the same search with other filters."""
        return replace(self, **values).querystring()

    def without(self, group: str) -> str:
        """Return the query string of the same search without the filters of a group."""
        return self.changed(**{name: () if name in _LISTS else "" for name in _GROUPS[group]})

    def examples_querystring(self, like: Iterable[str]) -> str:
        """Return the permalink's query string of the same search with other examples; "" if nothing would be asked."""
        form = replace(self, like=tuple(like))
        return form.querystring() if form.asked else ""

    def without_added(self) -> str:
        """Return the query string of the same search of everything, whenever it was added."""
        return self.without("added")

    def unfiltered_querystring(self) -> str:
        """Return the query string of the same search without filters."""
        return self.changed(**dict.fromkeys(_LISTS, ()), **dict.fromkeys(_TEXTS, ""))

    def untranslated_querystring(self) -> str:
        """Return the permalink's query string without the person's own translation."""
        return replace(self, translation="", clause=(), weight=()).querystring()

    def unclaused_querystring(self) -> str:
        """Return the permalink's query string without changed chips."""
        return self.clauses_querystring(())

    def clauses_querystring(self, clauses: Iterable[tuple[str, str]]) -> str:
        """Return the permalink's query string of the same search with other chips; without any, with those it finds."""
        pairs = list(clauses)
        return replace(self, clause=tuple(text for text, _w in pairs), weight=tuple(w for _t, w in pairs)).querystring()

    def querystring(self, **extra: object) -> str:
        """Return the permalink's query string, without empty values, with ``extra`` parameters behind."""
        pairs: list[tuple[str, object]] = [("q", self.q), ("translation", self.translation)]
        for text, weight in zip(self.clause, self.weight, strict=False):
            pairs += [("clause", text), ("weight", weight)]
        pairs += self.example_pairs
        pairs += self.filter_pairs
        return urlencode([(name, value) for name, value in [*pairs, *extra.items()] if value != ""])


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
