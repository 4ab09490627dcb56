"""Items from wherever they are: a file, an address, a catalogue, a search; one by one, from where it stopped.

A ``cursor`` is a small JSON value after which a source can go on: a byte of a file, a number of items passed, the
next page of a search. Nothing here is stored.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from django.utils.translation import gettext as _

from imagery.stac import catalogue, search_in
from imagery.stac.fields_in import is_address
from imagery.stac.filters_in import Wanted
from imagery.stac.http import JSON_MOST_BYTES, download, json_get, json_parse
from imagery.stac.json_stream import NotJson, members
from rsportal.errors import InvalidInput, RsportalError

DOCUMENT_MOST_BYTES: Final = 4 * 1024**3
"""Longest single document from an address; it goes through a file on the disk, not through memory."""
_LINES: Final = (".ndjson", ".jsonl", ".geojsonl", ".nljson", ".geojsons")
_LINE_MOST_BYTES: Final = 4 * 1024 * 1024
_CONTAINERS: Final = ("Catalog", "Collection")


@dataclass(frozen=True)
class Found:
    """One item as it was read: the ``item``, or why there is none; ``where`` names it for people.

    ``base``: the address it was read from, empty for files. ``file``: the file it was in, and ``root`` the folder
    that its own files may lie in. ``collection``: the STAC Collection it was found under. ``cursor``: where to go on
    after it.
    """

    where: str
    cursor: dict[str, Any]
    item: Any = None
    error: str = ""
    base: str = ""
    file: Path | None = None
    root: Path | None = None
    collection: Mapping[str, Any] | None = field(default=None, compare=False)


def items_of(source: str, *, wanted: Wanted, cursor: Mapping[str, Any] | None = None) -> Iterator[Found]:
    """Yield the items of ``source`` (a path or address) that are ``wanted``, after ``cursor``.

    A broken item is yielded with its ``error``. Raises RsportalError when the source itself cannot be read (further).
    """
    for found in _items(source, wanted, dict(cursor or {})):
        if found.error or wanted.wants(found.item):
            yield found


def collection_of(source: str) -> tuple[Mapping[str, Any], str] | None:
    """Return the STAC Collection that ``source`` is, with its address (empty for a file); None when it is none.

    Raises RsportalError when it cannot be read.
    """
    if is_address(source):
        document, base = json_get(source), source
    else:
        path = Path(source).expanduser().resolve()
        if path.suffix.lower() in _LINES or path.stat().st_size > JSON_MOST_BYTES:
            return None
        try:
            document, base = json_parse(path.read_bytes(), name=path.name), ""
        except OSError as error:
            raise _unreadable(path, error) from error
    return (document, base) if isinstance(document, Mapping) and document.get("type") == "Collection" else None


def _items(source: str, wanted: Wanted, cursor: dict[str, Any]) -> Iterator[Found]:
    if is_address(source):
        yield from _address(source, wanted, cursor)
        return
    path = Path(source).expanduser().resolve()
    if not path.is_file():
        raise InvalidInput(_("%(path)s is not a file; name a file or an address.") % {"path": source}, field="source")
    if path.suffix.lower() in _LINES or _is_lines(path):
        yield from _lines(path, cursor)
        return
    try:
        with path.open("rb") as file:
            yield from _document(file, source=str(path), path=path, wanted=wanted, cursor=cursor)
    except OSError as error:
        raise _unreadable(path, error) from error


def _address(url: str, wanted: Wanted, cursor: dict[str, Any]) -> Iterator[Found]:
    if "page" in cursor:  # A search that stopped: its next page says everything.
        yield from search_in.pages(cursor["page"], cursor=cursor)
        return
    with tempfile.TemporaryFile() as file:
        media = download(url, file, most_bytes=DOCUMENT_MOST_BYTES)
        file.seek(0)
        if "ndjson" in media or "json-seq" in media or url.partition("?")[0].lower().endswith(_LINES):
            yield from _lines_of(file, name=url.partition("?")[0], cursor=cursor, base=url)
            return
        yield from _document(file, source=url, path=None, wanted=wanted, cursor=cursor)


def _document(
    file: BinaryIO, *, source: str, path: Path | None, wanted: Wanted, cursor: dict[str, Any]
) -> Iterator[Found]:
    """Yield what one JSON document holds or leads to, told by its ``type``."""
    name = path.name if path else source.partition("?")[0]
    document: dict[str, Any] = {}
    place: dict[str, Any] = {"file": path, "root": path.parent} if path else {"base": source}
    passed = int(cursor.get("items", 0))
    number = 0
    for key, value in members(file, name=name):
        if key != "features":
            document[key] = value
            continue
        number += 1
        if number > passed:
            yield Found(where=_named(value, f"{name}, item {number}"), item=value, cursor={"items": number}, **place)
    kind = document.get("type")
    if kind == "Feature":
        if not passed:
            yield Found(where=_named(document, name), item=document, cursor={"items": 1}, **place)
    elif kind == "FeatureCollection" or (number and kind is None):
        if path is None and (page := search_in.next_page(document, base=source)):
            yield from search_in.pages(page)
    elif kind in _CONTAINERS or (kind is None and "links" in document):
        if path is None and search_in.is_api(document):
            yield from search_in.pages(search_in.first_page(source, document, wanted))
        else:
            for step in catalogue.walk(document, path or source, passed=passed):
                yield Found(**step)
    else:
        raise InvalidInput(
            _("%(name)s is no STAC item, collection of items or catalogue (its type is %(kind)s).")
            % {"name": name, "kind": str(kind)[:40]},
            field="source",
        )


def _is_lines(path: Path) -> bool:
    """Return whether a file holds one item a line, whatever it is called: its first line is one, and more follow."""
    try:
        with path.open("rb") as file:
            first = file.readline(_LINE_MOST_BYTES)
            if not first.endswith(b"\n") or not file.readline(_LINE_MOST_BYTES).strip():
                return False
            item = json_parse(first, name=path.name)
    except (OSError, RsportalError):
        return False
    return isinstance(item, dict) and item.get("type") == "Feature"


def _lines(path: Path, cursor: dict[str, Any]) -> Iterator[Found]:
    try:
        with path.open("rb") as file:
            yield from _lines_of(file, name=path.name, cursor=cursor, file=path, root=path.parent)
    except OSError as error:
        raise _unreadable(path, error) from error


def _lines_of(lines: BinaryIO, *, name: str, cursor: dict[str, Any], **place: Any) -> Iterator[Found]:
    """Yield one item a line; empty lines are passed, one that is too long is refused and passed."""
    number, position = int(cursor.get("line", 0)), int(cursor.get("byte", 0))
    lines.seek(position)
    base = place.pop("base", "")
    while line := lines.readline(_LINE_MOST_BYTES):
        number += 1
        too_long = not line.endswith(b"\n") and len(line) == _LINE_MOST_BYTES
        while too_long and (rest := lines.readline(_LINE_MOST_BYTES)) and not rest.endswith(b"\n"):
            pass
        here: dict[str, Any] = {"cursor": {"line": number, "byte": lines.tell()}, "base": base, **place}
        where = f"{name}, line {number}"
        if too_long:
            reason = _("The line is longer than %(limit)d bytes.") % {"limit": _LINE_MOST_BYTES}
            yield Found(where=where, error=reason, **here)
        elif line.strip(b" \t\r\n\x1e"):
            try:
                item = json_parse(line.strip(b"\x1e\r\n"), name=where)
            except RsportalError as error:
                yield Found(where=where, error=error.message, **here)
                continue
            yield Found(where=_named(item, where), item=item, **here)


def _named(item: Any, where: str) -> str:
    name = item.get("id") if isinstance(item, Mapping) else None
    return f"{name[:200]} ({where})" if isinstance(name, str) and name else where


def _unreadable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        _("%(file)s cannot be opened: %(reason)s.") % {"file": path.name, "reason": error.strerror or error},
        field="source",
    )


__all__ = ["Found", "NotJson", "items_of"]
