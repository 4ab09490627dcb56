"""A collection as a STAC 1.1 Collection, and the catalogue of all that somebody may see: pure mappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from imagery.citation import cited
from imagery.models import Collection
from imagery.querysets import BBox
from imagery.stac.assets_out import is_public
from imagery.stac.extensions import extensions_used
from imagery.stac.item_out import links_joined, moment
from imagery.stac.licenses import license_links, spdx_license
from imagery.stac.names import (
    OWN_PREFIX,
    STAC_ASSETS,
    STAC_EXTENSIONS,
    STAC_LINKS,
    STAC_OTHERS,
    STAC_SOURCE,
    STAC_VERSION,
)

Json = dict[str, Any]

WHOLE_EARTH: Final = (-180.0, -90.0, 180.0, 90.0)
"""The specification wants a box also of a collection whose scenes have no place: then no smaller one is true."""
_COUNT: Final = f"{OWN_PREFIX}scene_count"


@dataclass(frozen=True)
class CollectionFacts:
    """What a reader's scenes of a collection have in common (``services.stac_facts`` counts it).

    ``bbox`` in degrees WGS 84, west > east across the antimeridian; ``interval`` is (earliest, latest), None where
    open or unknown; ``summaries`` are STAC's.
    """

    count: int = 0
    bbox: BBox | None = None
    interval: tuple[datetime | None, datetime | None] = (None, None)
    summaries: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CollectionPlaces:
    """Addresses; an empty one is left out."""

    self_href: str = ""
    root: str = ""
    parent: str = ""
    page: str = ""
    links: tuple[Json, ...] = ()
    assets: Mapping[str, Json] = field(default_factory=dict)


def collection_document(collection: Collection, *, facts: CollectionFacts, places: CollectionPlaces) -> Json:
    """Return a collection as a STAC Collection; what an imported one said beside comes with it."""
    source, known = collection.stac, cited(collection)
    others = source.get(STAC_OTHERS) if isinstance(source.get(STAC_OTHERS), Mapping) else {}
    out: Json = {name: value for name, value in others.items() if name not in {"extent", "summaries"}}
    out |= {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": [],
        "id": collection.slug,
        "title": collection.title,
        "description": collection.description or collection.title,
        "license": spdx_license(collection.license),
        "extent": _extent(facts),
        _COUNT: facts.count,
    }
    for name, value in (
        ("keywords", known.keywords),
        ("providers", known.providers),
        ("sci:doi", known.doi),
        ("sci:citation", known.citation),
        (f"{OWN_PREFIX}attribution", collection.attribution),
        ("summaries", {**(others.get("summaries") or {}), **facts.summaries}),
    ):
        if value:
            out[name] = value
    if collection.license and out["license"] == "other":
        out[f"{OWN_PREFIX}license"] = collection.license
    assets = source.get(STAC_ASSETS)
    kept = assets if isinstance(assets, Mapping) else {}
    if files := {key: each for key, each in kept.items() if is_public(each.get("href"))} | dict(places.assets):
        out["assets"] = files
    out["links"] = _links(collection, places)
    members = [out, out.get("summaries", {}), *out.get("assets", {}).values(), *(out.get("item_assets") or {}).values()]
    out["stac_extensions"] = extensions_used(members, named=source.get(STAC_EXTENSIONS) or [])
    return out


def catalog_document(*, id: str, title: str, description: str, links: Iterable[Json]) -> Json:
    """Return a STAC Catalog."""
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": id,
        "title": title,
        "description": description,
        "links": list(links),
    }


def _extent(facts: CollectionFacts) -> Json:
    first, last = facts.interval
    interval = [moment(first) if first else None, moment(last) if last else None]
    return {"spatial": {"bbox": [list(facts.bbox or WHOLE_EARTH)]}, "temporal": {"interval": [interval]}}


def _links(collection: Collection, places: CollectionPlaces) -> list[Json]:
    links: list[Json] = []
    for rel, href, type in (
        ("self", places.self_href, "application/json"),
        ("root", places.root, "application/json"),
        ("parent", places.parent or places.root, "application/json"),
        ("alternate", places.page, "text/html"),
        ("via", collection.stac.get(STAC_SOURCE, ""), "application/json"),
    ):
        if href and (rel != "via" or is_public(href)):
            links.append({"rel": rel, "href": href, "type": type})
    links += license_links(collection)
    links += places.links
    return links_joined(links, collection.stac.get(STAC_LINKS))
