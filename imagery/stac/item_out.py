"""A scene as a STAC 1.1 Item: a pure mapping of its row, its assets' rows and the addresses it is given.

An imported scene goes out as it came in (unknown properties, links, assets and extensions), with what the portal knows
besides. What the specification leaves to choose, docs/stac.md says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from imagery.citation import cited
from imagery.models import Asset, Collection, Scene
from imagery.stac.assets_out import AssetHref, assets_out, is_public
from imagery.stac.extensions import extensions_used
from imagery.stac.licenses import license_links, spdx_license
from imagery.stac.names import (
    CONTENT_HASH,
    NOT_KNOWN,
    SCENE_NAMES,
    SHAPE,
    STAC_BBOX,
    STAC_EXTENSIONS,
    STAC_LINKS,
    STAC_OTHERS,
    STAC_SOURCE,
    STAC_VERSION,
    STRUCTURAL_LINKS,
)

Json = dict[str, Any]

EARLIEST: Final = datetime(1858, 1, 1, tzinfo=UTC)
"""No picture from above is older: in this year Nadar took the first aerial photograph."""
GEOJSON: Final = "application/geo+json"
_MOMENTS: Final = ("datetime", "start_datetime", "end_datetime")


@dataclass(frozen=True)
class ItemPlaces:
    """Where an item and what belongs to it can be read; an empty address is left out."""

    asset_href: AssetHref
    self_href: str = ""
    parent: str = ""
    collection: str = ""
    root: str = ""
    page: str = ""
    links: Sequence[Json] = field(default=())
    """Further links of the caller."""


def item_id(scene: Scene) -> str:
    """Return the STAC id of a scene: the one it was imported with, else its primary key."""
    return scene.stac_id or str(scene.pk)


def scene_item(scene: Scene, *, assets: Iterable[Asset], originals: bool, places: ItemPlaces) -> Json:
    """Return a scene (its collection loaded) as a STAC Item.

    ``originals``: whether the reader may have the original files; without, only those that lie at an address of
    somebody else's are named.
    """
    located = scene.footprint is not None and scene.bbox is not None
    properties = _properties(scene)
    members = assets_out(scene, assets=assets, originals=originals, href=places.asset_href)
    item: Json = {
        **_others(scene),
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [],
        "id": item_id(scene),
        "geometry": scene.footprint if located else None,
    }
    if located and scene.bbox is not None:
        item["bbox"] = scene.stac.get(STAC_BBOX) or list(scene.bbox)
    item |= {
        "properties": properties,
        "links": _links(scene, places),
        "assets": members,
        "collection": scene.collection.slug,
    }
    item["stac_extensions"] = extensions_used(
        [properties, *members.values()], named=scene.stac.get(STAC_EXTENSIONS) or []
    )
    return item


def moment(value: datetime) -> str:
    """Return a moment as STAC writes it: RFC 3339 in UTC, without needless zeros."""
    text = value.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")


def _others(scene: Scene) -> Json:
    others = scene.stac.get(STAC_OTHERS)
    return dict(others) if isinstance(others, Mapping) else {}


def _properties(scene: Scene) -> Json:
    properties: Json = {name: value for name, value in scene.properties.items() if _finite(value)}
    for name in SCENE_NAMES:
        value = getattr(scene, name.field)
        if value is None or value in ("", []) or name.field in _MOMENTS:
            continue
        properties[name.property] = moment(value) if isinstance(value, datetime) else value
    if properties.get("title") == scene.stac_id:
        del properties["title"]  # The source gave none.
    if not scene.gsd:
        properties.pop("gsd", None)
    properties |= _moments(scene)
    if scene.width and scene.height:
        properties[SHAPE] = [scene.height, scene.width]
    properties.setdefault("created", moment(scene.created_at))
    properties.setdefault("updated", moment(scene.updated_at))
    properties[CONTENT_HASH] = scene.content_hash
    for key, value in _of_collection(scene.collection).items():
        properties.setdefault(key, value)
    return properties


def _moments(scene: Scene) -> Json:
    """Return ``datetime``, or null with start and end, as the specification wants them.

    What nobody knows is bounded by what is certain (:data:`EARLIEST`, and the day the scene was added) and named in
    NOT_KNOWN, because an item may not say less.
    """
    start, end = scene.start_datetime, scene.end_datetime
    out: Json = {"datetime": moment(scene.datetime) if scene.datetime else None}
    if scene.datetime and start is None and end is None:
        return out
    missing = [name for name, value in (("start_datetime", start), ("end_datetime", end)) if value is None]
    earliest = min(filter(None, (EARLIEST, scene.datetime, end)))
    latest = max(filter(None, (scene.created_at, scene.datetime, start)))
    out |= {"start_datetime": moment(start or earliest), "end_datetime": moment(end or latest)}
    return out | ({NOT_KNOWN: missing} if missing else {})


def _of_collection(collection: Collection) -> Json:
    """Return what holds of every scene of a collection and must not get lost when an item travels alone."""
    known = cited(collection)
    out = {"providers": known.providers, "sci:doi": known.doi, "sci:citation": known.citation}
    return {"license": spdx_license(collection.license)} | {name: value for name, value in out.items() if value}


def _links(scene: Scene, places: ItemPlaces) -> list[Json]:
    title = scene.collection.title
    links: list[Json] = []

    def add(rel: str, href: str, type: str, title: str = "") -> None:
        if href:
            links.append({"rel": rel, "href": href, "type": type} | ({"title": title} if title else {}))

    add("self", places.self_href, GEOJSON)
    add("root", places.root, "application/json")
    add("parent", places.parent or places.collection, "application/json", title)
    add("collection", places.collection, "application/json", title)
    add("alternate", places.page, "text/html", scene.title)
    source = scene.stac.get(STAC_SOURCE)
    if isinstance(source, str) and is_public(source):
        add("via", source, GEOJSON)
    links += license_links(scene.collection)
    links += places.links
    return links_joined(links, scene.stac.get(STAC_LINKS))


def links_joined(links: list[Json], imported: object) -> list[Json]:
    """Return ``links`` and those of the source that do not say where it stood in its catalogue, each once."""
    out = list(links)
    seen = {(link["rel"], link["href"]) for link in out}
    for link in imported if isinstance(imported, list) else []:
        key = (link.get("rel"), link.get("href"))
        if isinstance(key[0], str) and is_public(key[1]) and key[0] not in STRUCTURAL_LINKS and key not in seen:
            seen.add(key)
            out.append(link)
    return out


def _finite(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
