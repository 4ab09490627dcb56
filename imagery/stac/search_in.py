"""Searching another archive's STAC API (and paging through its items), with the next page as what to go on with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from django.conf import settings
from django.utils.translation import gettext as _

from imagery.stac.filters_in import Wanted
from imagery.stac.http import JSON_MOST_BYTES, RemoteRefused, download, json_parse, session_make
from rsportal.errors import RsportalError

if TYPE_CHECKING:
    from imagery.stac.source import Found

PAGE_ITEMS: Final = 100
_SEARCH: Final = "item-search"
_PAGES_MOST: Final = 1_000_000

Page = dict[str, Any]
"""A request: ``href``, ``method`` (GET or POST), ``body`` of a POST."""


def is_api(document: Mapping[str, Any]) -> bool:
    """Return whether a catalogue or collection is one of an API: its items are asked for, not linked one by one."""
    return bool(_link(document, "search") or _link(document, "items"))


def first_page(url: str, document: Mapping[str, Any], wanted: Wanted) -> Page:
    """Return the request for the first items: a search of a root catalogue, or the items of a collection."""
    items = _link(document, "items")
    if document.get("type") == "Collection" and items:
        asked: dict[str, Any] = {"limit": PAGE_ITEMS}
        if wanted.bbox:
            asked["bbox"] = ",".join(f"{value:.10g}" for value in wanted.bbox)
        if wanted.datetime:
            asked["datetime"] = wanted.datetime
        return {"href": _with_query(urljoin(url, items["href"]), asked), "method": "GET"}
    return _search(url, wanted)


def _search(url: str, wanted: Wanted) -> Page:
    """Return the first request of a search, as pystac-client words it for what the API says it can."""
    from pystac_client import Client
    from pystac_client.exceptions import APIError
    from pystac_client.stac_api_io import StacApiIO

    io = StacApiIO(timeout=settings.REMOTE_TIMEOUT_SECONDS, max_retries=None)
    io.session = session_make()
    try:
        client = Client.open(url, stac_io=io)
        posts = any(link.rel == "search" and link.extra_fields.get("method") == "POST" for link in client.links)
        search = client.search(
            method="POST" if posts else "GET",
            limit=PAGE_ITEMS,
            bbox=wanted.bbox,
            datetime=wanted.datetime or None,
            collections=list(wanted.collections) or None,
        )
        parameters = search.get_parameters()
    except APIError as error:
        inner = error.__context__
        if isinstance(inner, RsportalError):
            raise inner from error
        raise RemoteRefused(_("%(url)s answers with %(status)s.") % {"url": url, "status": str(error)[:200]}) from error
    except (NotImplementedError, ValueError, TypeError, KeyError) as error:
        raise RemoteRefused(
            _("%(url)s cannot be searched: %(reason)s.") % {"url": url, "reason": str(error)[:200].rstrip(".")}
        ) from error
    if search.method == "POST":
        return {"href": search.url, "method": "POST", "body": parameters}
    return {"href": _with_query(search.url, parameters), "method": "GET"}


def pages(page: Page, *, cursor: Mapping[str, Any] | None = None) -> Iterator[Found]:
    """Yield the items of ``page`` and of all that follow it; ``cursor`` says how many of the first were passed.

    A server whose next page is the page at hand, or one that was, is left: it would never end.
    """
    from imagery.stac.source import Found

    passed = int((cursor or {}).get("of_page", 0))
    asked: set[str] = set()
    for _number in range(_PAGES_MOST):
        mark = repr(sorted(page.items(), key=lambda pair: pair[0]))
        if mark in asked:
            raise RemoteRefused(
                _("%(url)s names a page as the next that was read before; its paging does not end.")
                % {"url": _shown(page)}
            )
        asked.add(mark)
        document = _read(page)
        features = document.get("features")
        if not isinstance(features, list):
            raise RemoteRefused(_("%(url)s holds no list of items (features).") % {"url": _shown(page)})
        following = next_page(document, base=page["href"], before=page)
        for number, item in enumerate(features, start=1):
            if number <= passed:
                continue
            name = item.get("id") if isinstance(item, dict) else None
            last = number == len(features) and following is not None
            yield Found(
                where=str(name)[:200] if name else f"{_shown(page)}, item {number}",
                item=item,
                base=_base(item, page),
                cursor={"page": following} if last else {"page": page, "of_page": number},
            )
        passed = 0
        if following is None or not features:
            return
        page = following


def next_page(document: Mapping[str, Any], *, base: str, before: Page | None = None) -> Page | None:
    """Return the request that a document's ``next`` link asks for (STAC API, paging), or None at the end."""
    link = _link(document, "next")
    if link is None:
        return None
    href = urljoin(base, link["href"])
    if str(link.get("method", "GET")).upper() != "POST":
        return {"href": href, "method": "GET"}
    said = link.get("body")
    body: dict[str, Any] = said if isinstance(said, dict) else {}
    if link.get("merge") and before is not None:
        body = {**before.get("body", {}), **body}
    return {"href": href, "method": "POST", "body": body}


def _read(page: Page) -> dict[str, Any]:
    with tempfile.TemporaryFile() as file:
        body = page.get("body", {}) if page.get("method") == "POST" else None
        download(page["href"], file, most_bytes=JSON_MOST_BYTES, body=body)
        file.seek(0)
        document = json_parse(file.read(), name=_shown(page))
    if not isinstance(document, dict):
        raise RemoteRefused(_("%(url)s holds no list of items (features).") % {"url": _shown(page)})
    return document


def _base(item: Any, page: Page) -> str:
    """Return what an item's relative links are relative to: its own address, where the page is another document."""
    links = item.get("links") if isinstance(item, dict) else None
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "self" and isinstance(link.get("href"), str):
            return urljoin(page["href"], link["href"])
    return str(page["href"])


def _link(document: Mapping[str, Any], rel: str) -> dict[str, Any] | None:
    links = document.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == rel and isinstance(link.get("href"), str):
            return link
    return None


def _with_query(url: str, asked: Mapping[str, Any]) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(dict(asked), safe=",:/"))))
    return urlunsplit(parts._replace(query=query))


def _shown(page: Page) -> str:
    return str(page["href"]).partition("?")[0]
