"""Who is to be named with a collection: providers, keywords, DOI, and the entry for a bibliography."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from imagery.models import Collection, Scene
from rsportal.errors import InvalidInput

ROLES: Final = ("producer", "licensor", "processor", "host")
"""What a provider can be to a collection, as STAC names it."""
DOI: Final = re.compile(r"10\.[0-9a-zA-Z]{4,}/\S+")
_DOI_PREFIXES: Final = ("https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/", "doi:")
_MOST: Final = 100
_LONGEST: Final = 300
_LATEX: Final = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


@dataclass(frozen=True)
class Cited:
    """What of a collection's words can be shown and passed on; imported ones may hold anything."""

    providers: list[dict[str, Any]]
    keywords: list[str]
    doi: str
    citation: str


def cited(collection: Collection) -> Cited:
    """Return whom to name with a collection, leaving out what is no provider, no keyword and no DOI."""
    providers = []
    for each in collection.providers if isinstance(collection.providers, list) else []:
        with suppress(InvalidInput):
            providers.append(_provider(each))
    keywords = [word for word in collection.keywords if isinstance(word, str)]
    doi = collection.doi if DOI.fullmatch(collection.doi) else ""
    return Cited(providers=providers, keywords=keywords, doi=doi, citation=collection.citation)


def doi_clean(text: str) -> str:
    """Return a DOI without the address it may be written with. Raises InvalidInput (``doi``)."""
    doi = text.strip()
    for prefix in _DOI_PREFIXES:
        if doi.lower().startswith(prefix):
            doi = doi[len(prefix) :].strip()
    if doi and not DOI.fullmatch(doi):
        raise InvalidInput(_("“%s” is no DOI; one looks like 10.5066/P9OGBGM6.") % doi[:80], field="doi")
    return doi


def keywords_clean(values: Sequence[Any]) -> list[str]:
    """Return keywords without blanks around them, each once. Raises InvalidInput (``keywords``)."""
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise InvalidInput(_("Keywords are a list of words."), field="keywords")
    words = list(dict.fromkeys(word for value in values if (word := " ".join(value.split()))))
    if len(words) > _MOST or any(len(word) > _LONGEST for word in words):
        raise InvalidInput(
            _("At most %(most)d keywords of %(length)d characters each.") % {"most": _MOST, "length": _LONGEST},
            field="keywords",
        )
    return words


def providers_clean(values: Sequence[Any]) -> list[dict[str, Any]]:
    """Return STAC providers: objects with a name, known roles and a web address. Raises InvalidInput (``providers``).

    Members that STAC's extensions add are kept.
    """
    if not isinstance(values, list | tuple) or len(values) > _MOST:
        raise InvalidInput(_("Providers are a list of at most %d.") % _MOST, field="providers")
    return [_provider(value) for value in values]


def providers_merge(given: Any, known: Sequence[Mapping[str, Any]]) -> Any:
    """Return ``given`` with what ``known`` says beside name, roles and address of a provider of the same name."""
    if not isinstance(given, list | tuple) or not all(isinstance(each, Mapping) for each in given):
        return given
    more = {
        each.get("name"): {name: value for name, value in each.items() if name not in {"name", "roles", "url"}}
        for each in known
    }
    return [{**more.get(each.get("name"), {}), **each} for each in given]


def bibtex(collection: Collection, *, address: str, scene: Scene | None = None) -> str:
    """Return an entry for a bibliography: of a collection, or of a scene in it; ``address`` is where it is shown."""
    known = cited(collection)
    names = {role: [each["name"] for each in known.providers if role in each.get("roles", [])] for role in ROLES}
    authors = names["producer"] or names["licensor"] or [each["name"] for each in known.providers]
    note = [collection.attribution, collection.license]
    title = collection.title
    if scene is not None:
        title = f"{scene.title} ({collection.title})"
    fields = {
        "title": _latex(title),
        "author": " and ".join(f"{{{_latex(name)}}}" for name in authors),
        "publisher": _latex(", ".join(names["host"])),
        "year": str(scene.datetime.year) if scene is not None and scene.datetime else "",
        "doi": known.doi,
        "url": f"https://doi.org/{known.doi}" if known.doi and scene is None else address,
        "note": _latex("; ".join(part for part in note if part)),
    }
    key = collection.slug if scene is None else f"{collection.slug}-{scene.pk.hex[:8]}"
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{{key},", *lines, "}"])


def _provider(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str) or not value["name"].strip():
        raise InvalidInput(_("Every provider needs a name."), field="providers")
    name, roles, url = " ".join(value["name"].split())[:_LONGEST], value.get("roles") or [], value.get("url") or ""
    wrong = [role for role in roles if role not in ROLES] if isinstance(roles, list | tuple) else [roles]
    if wrong:
        raise InvalidInput(
            _("“%(role)s” is no role of a provider; roles are %(roles)s.")
            % {"role": str(wrong[0])[:60], "roles": ", ".join(ROLES)},
            field="providers",
        )
    parts = urlsplit(url) if isinstance(url, str) else None
    if url and (parts is None or parts.scheme not in {"http", "https"} or not parts.netloc):
        raise InvalidInput(_("“%s” is no web address.") % str(url)[:80], field="providers")
    out: dict[str, Any] = {key: each for key, each in value.items() if key not in {"name", "roles", "url"}}
    return {**out, "name": name} | ({"roles": list(roles)} if roles else {}) | ({"url": url} if url else {})


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))
