"""Walking a static catalogue: every item below a Catalog or Collection, in the order of links, each catalogue once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from django.utils.translation import gettext as _

from imagery.stac.fields_in import is_address
from imagery.stac.http import JSON_MOST_BYTES, json_get, json_parse
from rsportal.errors import InvalidInput, RsportalError

_TOGETHER: Final = 8
"""Items that are asked for at once."""
_DEEPEST: Final = 64
_CATALOGUES_MOST: Final = 200_000

Place = Path | str
"""Where a document is: a file, or an address."""
Step = dict[str, Any]
"""The fields of ``imagery.stac.source.Found``."""


def walk(document: Mapping[str, Any], place: Place, *, passed: int = 0) -> Iterator[Step]:
    """Yield what is needed of each item below ``document``, which was read at ``place``.

    The first ``passed`` item links are stepped over without being read. A catalogue of files is left nowhere: links
    that lead out of the folder of the first document are refused; links to addresses are asked like any other. What
    cannot be read is yielded with its reason, and the rest goes on.
    """
    yield from _Walk(place, passed).below(document, place, None, 0)


class _Walk:
    def __init__(self, place: Place, passed: int) -> None:
        self._root = place.parent if isinstance(place, Path) else None
        self._passed = passed
        self._number = 0
        self._seen = {_mark(place)}

    def below(
        self, document: Mapping[str, Any], place: Place, collection: Mapping[str, Any] | None, depth: int
    ) -> Iterator[Step]:
        collection = document if document.get("type") == "Collection" else collection
        items, children = _hrefs(document, "item"), _hrefs(document, "child")
        with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="stac") as pool:
            for start in range(0, len(items), _TOGETHER):
                together = items[start : start + _TOGETHER]
                skipped = min(len(together), max(0, self._passed - self._number))
                self._number += skipped
                for step in pool.map(lambda href: self._item(href, place), together[skipped:]):
                    self._number += 1
                    yield {**step, "collection": collection, "cursor": {"items": self._number}}
        for href in children:
            yield from self._child(href, place, collection, depth + 1)

    def _child(self, href: str, place: Place, collection: Mapping[str, Any] | None, depth: int) -> Iterator[Step]:
        try:
            there = self._resolved(href, place)
            if _mark(there) in self._seen:
                return
            if depth > _DEEPEST or len(self._seen) >= _CATALOGUES_MOST:
                raise InvalidInput(_("The catalogue has too many levels or parts."))
            self._seen.add(_mark(there))
            document = _read(there)
        except RsportalError as error:
            if self._number >= self._passed:
                yield {"where": href, "error": error.message, "cursor": {"items": self._number}}
            return
        yield from self.below(document, there, collection, depth)

    def _item(self, href: str, place: Place) -> Step:
        try:
            there = self._resolved(href, place)
            item = _read(there)
        except RsportalError as error:
            return {"where": href, "error": error.message}
        name = item.get("id")
        where = name[:200] if isinstance(name, str) and name else href
        if isinstance(there, Path):
            return {"where": where, "item": item, "file": there, "root": self._root}
        return {"where": where, "item": item, "base": there}

    def _resolved(self, href: str, place: Place) -> Place:
        if is_address(href):
            return href
        if isinstance(place, str):
            return urljoin(place, href)
        assert self._root is not None
        there = path_inside(href, file=place, root=self._root)
        if there is None:
            raise InvalidInput(
                _("The link %(href)s leads out of the catalogue's folder, or to nothing in it.") % {"href": href[:200]}
            )
        return there


def path_inside(href: str, *, file: Path, root: Path) -> Path | None:
    """Return the file that ``href`` in ``file`` names, when it is there and (links followed) below ``root``."""
    try:
        parts = urlsplit(href)
        if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
            return None
        for name in dict.fromkeys((unquote(parts.path), href if not parts.scheme else "")):
            if name and "\x00" not in name:
                there = (file.parent / name).resolve()
                if there.is_relative_to(root.resolve()) and there.is_file():
                    return there
    except (OSError, ValueError):
        return None
    return None


def _read(place: Place) -> dict[str, Any]:
    if isinstance(place, str):
        document = json_get(place)
        name = place.partition("?")[0]
    else:
        name = place.name
        try:
            if place.stat().st_size > JSON_MOST_BYTES:
                raise InvalidInput(_("%(file)s is too long for a STAC document.") % {"file": name})
            document = json_parse(place.read_bytes(), name=name)
        except OSError as error:
            raise InvalidInput(
                _("%(file)s cannot be opened: %(reason)s.") % {"file": name, "reason": error.strerror or error}
            ) from error
    if not isinstance(document, dict):
        raise InvalidInput(_("%(file)s holds no JSON object.") % {"file": name})
    return document


def _hrefs(document: Mapping[str, Any], rel: str) -> list[str]:
    links = document.get("links")
    found = [
        link["href"]
        for link in (links if isinstance(links, list) else [])
        if isinstance(link, dict) and link.get("rel") == rel and isinstance(link.get("href"), str)
    ]
    return list(dict.fromkeys(found))


def _mark(place: Place) -> str:
    return str(place) if isinstance(place, Path) else urldefrag(place).url
