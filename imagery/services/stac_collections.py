"""What a STAC Collection says, for a collection here: it fills what nobody has written yet, and overrides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError

from imagery.models import Collection
from imagery.stac.fields_in import absolute
from imagery.stac.names import (
    COLLECTION_NAMES,
    NO_LICENSE,
    STAC_ASSETS,
    STAC_COLLECTION,
    STAC_EXTENSIONS,
    STAC_LINKS,
    STAC_OTHERS,
    STAC_SOURCE,
)
from imagery.stac.upgrade import extensions_upgraded, member_upgraded

_OTHERS: Final = ("summaries", "item_assets", "extent")
_KINDS: Final = {"providers": list, "keywords": list}


def stac_collection_take(*, collection: Collection, document: Mapping[str, Any], base: str = "") -> list[str]:
    """Fill the empty fields of ``collection`` from a STAC Collection; return the names of those that changed.

    A value that does not fit (a licence link that is no address) is left out. Asks no permission.
    """
    changed: list[str] = []
    for field, value in _fields(document, base).items():
        if getattr(collection, field) or not value:
            continue
        before = getattr(collection, field)
        setattr(collection, field, value)
        try:
            collection.clean_fields(exclude={each.name for each in Collection._meta.fields} - {field})
        except ValidationError:
            setattr(collection, field, before)
            continue
        changed.append(field)
    if changed:
        collection.save(update_fields=[*changed, "updated_at"])
    return changed


def _fields(document: Mapping[str, Any], base: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in COLLECTION_NAMES:
        value = next((document[each] for each in (name.property, *name.older) if document.get(each)), None)
        kind = _KINDS.get(name.field, str)
        if name.field != "title" and isinstance(value, kind):
            fields[name.field] = value.strip() if isinstance(value, str) else value
    if fields.get("license") in NO_LICENSE:
        del fields["license"]  # Says only that it is in words: those of the link.
    for link in _links(document, base):
        if link.get("rel") == "license":
            fields.setdefault("license_url", link["href"])
            fields.setdefault("license", str(link.get("title") or "")[:200])
    if isinstance(doi := fields.get("doi"), str):
        fields["doi"] = doi.removeprefix("https://doi.org/")
    return fields | {"stac": _origin(document, base)}


def _origin(document: Mapping[str, Any], base: str) -> dict[str, Any]:
    links = _links(document, base)
    assets = document.get("assets")
    out = {
        STAC_COLLECTION: document.get("id") if isinstance(document.get("id"), str) else None,
        STAC_SOURCE: next((link["href"] for link in links if link.get("rel") == "self"), base),
        STAC_EXTENSIONS: extensions_upgraded(_listed(document.get("stac_extensions"))),
        STAC_LINKS: [link for link in links if link.get("rel") not in {"item", "child", "items"}],
        STAC_ASSETS: {
            key: {**member_upgraded(asset), "href": absolute(str(asset.get("href", "")), base)}
            for key, asset in (assets.items() if isinstance(assets, Mapping) else ())
            if isinstance(asset, Mapping)
        },
        STAC_OTHERS: {name: document[name] for name in _OTHERS if isinstance(document.get(name), Mapping)},
    }
    return {name: value for name, value in out.items() if value}


def _links(document: Mapping[str, Any], base: str) -> list[dict[str, Any]]:
    return [
        {**link, "href": absolute(link["href"], base)}
        for link in _listed(document.get("links"))
        if isinstance(link, dict) and isinstance(link.get("href"), str)
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
