"""The search form: keeps what a person typed in the page, together with what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.http import QueryDict

from rsportal.errors import InvalidInput
from search.query import SearchRequest, search_request_parse
from search.translation import NOT_UNDERSTOOD

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_FIELDS = {
    "text": "q",
    "q": "q",
    "translation": "translation",
    "collection": "collection",
    "collections": "collection",
    "start": "start",
    "end": "end",
}


@dataclass
class SearchForm:
    """What stands in the box and the filters.

    ``translation`` is the wording a person wants searched for in place of ``q``. ``errors`` maps a field (``q
    translation collection start end``) to a sentence.
    """

    q: str = ""
    collections: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    translation: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    offers_translation: bool = False

    @classmethod
    def read(cls, data: QueryDict) -> SearchForm:
        """Return the form as the address says it.

        ``translation_of`` is sent by the box, which may have been changed since: a translation of other words is
        dropped.
        """
        q = data.get("q", "").strip()
        outdated = data.get("translation_of", q).strip() != q
        return cls(
            q=q,
            collections=tuple(data.getlist("collection")),
            start=data.get("start", "").strip(),
            end=data.get("end", "").strip(),
            translation="" if outdated else data.get("translation", "").strip(),
        )

    @property
    def asked(self) -> bool:
        """Whether something is to be searched."""
        return bool(self.q)

    @property
    def filters_set(self) -> int:
        """How many filters narrow the search."""
        return bool(self.collections) + bool(self.start) + bool(self.end)

    def parse(self, user: Viewer) -> SearchRequest | None:
        """Return the validated request, or None after putting the refusal beside its field."""
        try:
            return search_request_parse(
                user=user,
                text=self.q,
                collections=self.collections,
                start=self.start,
                end=self.end,
                translation=self.translation,
            )
        except InvalidInput as error:
            self.refuse(error)
            return None

    def refuse(self, error: InvalidInput) -> None:
        """Show a refusal beside the field it names (the box, when it names none)."""
        self.errors[_FIELDS.get(error.field or "text", "q")] = error.message
        self.offers_translation = error.code == NOT_UNDERSTOOD or error.field == "translation"

    def untranslated_querystring(self) -> str:
        """Return the permalink's query string without the person's own translation."""
        return replace(self, translation="").querystring()

    def querystring(self, **extra: object) -> str:
        """Return the permalink's query string, without empty values, with ``extra`` parameters behind."""
        pairs: list[tuple[str, object]] = [("q", self.q), ("translation", self.translation)]
        pairs += [("collection", slug) for slug in self.collections]
        pairs += [("start", self.start), ("end", self.end), *extra.items()]
        return urlencode([(name, value) for name, value in pairs if value != ""])
