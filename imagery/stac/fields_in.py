"""An item of another archive as fields of a scene: what ``imagery.stac.names`` says, read the other way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from django.utils.translation import gettext as _

from imagery.services.properties import scene_fields
from imagery.stac.geometry_in import place_of
from imagery.stac.names import (
    CONTENT_HASH,
    NOT_KNOWN,
    SCENE_NAMES,
    SHAPE,
    STAC_ASSETS,
    STAC_BBOX,
    STAC_COLLECTION,
    STAC_EXTENSIONS,
    STAC_LINKS,
    STAC_OTHERS,
    STAC_SOURCE,
)
from imagery.stac.upgrade import item_upgraded
from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    from imagery.models import Scene

Json = dict[str, Any]

FINGERPRINT: Final = "fingerprint"
"""Key of ``Scene.stac``: the SHA-256 of the item as it came, by which an unchanged one is known."""
PLACED: Final = "placed"
"""Key of ``Scene.stac``: "pixels" where the scene's files told its place, which then goes before the item's."""
NO_PIXELS: Final = "no_pixels"
"""Key of ``Scene.stac``: the sentence (English) that says why the files of a scene could not be read."""
KEPT_KEYS: Final = (PLACED, NO_PIXELS)
"""Keys of ``Scene.stac`` that are the portal's own, not the item's."""
PLACE_FIELDS: Final = ("footprint", "west", "south", "east", "north", "proj_code", "width", "height", "bands")
"""What the pixels of a scene tell better than its item."""
_NAMED: Final = {
    "type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "properties", "links", "assets", "collection",
}  # fmt: skip
_CONTAINERS: Final[dict[str, type]] = {"properties": dict, "assets": dict, "links": list, "stac_extensions": list}
_LONGEST_ID: Final = 300
_LONGEST_TITLE: Final = 300
_LONGEST_CODE: Final = 40
_MOST_BYTES: Final = 1024 * 1024
_SIDE_MOST: Final = 2**31 - 1
_OWN: Final = (CONTENT_HASH, NOT_KNOWN)


@dataclass(frozen=True)
class ItemIn:
    """An item ready to be stored: its id, the values of a scene's fields, its assets by key (1.1 names)."""

    stac_id: str
    fields: Json
    assets: dict[str, Json]
    fingerprint: str


def item_in(item: Any, *, base: str = "") -> ItemIn:
    """Return what a STAC Item (1.0 or 1.1) says, as fields of a Scene; nothing is asked anywhere.

    ``base`` is the address (or, for a file, nothing) that relative links of an item without a ``self`` link are
    relative to. Raises InvalidInput naming the member at fault.
    """
    _shape_require(item)
    upgraded = item_upgraded({**item, **{name: item.get(name) or kind() for name, kind in _CONTAINERS.items()}})
    stac_id: str = upgraded["id"]
    properties = {name: value for name, value in upgraded["properties"].items() if value is not None}
    for name in properties.pop(NOT_KNOWN, None) or []:
        properties.pop(name, None)
    for name in _OWN:
        properties.pop(name, None)
    fields = _of_properties(properties, stac_id)
    place = place_of(upgraded.get("geometry"), upgraded.get("bbox"))
    west, south, east, north = place.bbox if place else (None, None, None, None)
    fields |= {
        "stac_id": stac_id,
        "footprint": place.geometry if place else None,
        "west": west,
        "south": south,
        "east": east,
        "north": north,
    }
    source = _source(upgraded, base)
    assets = {key: _located(asset, source or base) for key, asset in upgraded["assets"].items()}
    fingerprint = _fingerprint(item)
    fields["stac"] = _origin(upgraded, assets, source, base) | {FINGERPRINT: fingerprint}
    return ItemIn(stac_id=stac_id, fields=fields, assets=assets, fingerprint=fingerprint)


def grid_fields(assets: Mapping[str, Json]) -> Json:
    """Return what chosen assets say of their grid where the item itself does not: width, height, proj_code, bands."""
    out: Json = {}
    for asset in assets.values():
        if (sides := _sides(asset.get(SHAPE))) and sides["width"] > out.get("width", 0):
            out |= sides
        code = asset.get("proj:code")
        if isinstance(code, str) and len(code) <= _LONGEST_CODE:
            out.setdefault("proj_code", code)
    bands = [band for asset in assets.values() for band in _bands(asset)]
    return out | ({"bands": bands} if bands else {})


def _bands(asset: Json) -> list[Json]:
    bands = asset.get("bands")
    return [band for band in bands if isinstance(band, dict)] if isinstance(bands, list) else []


def _shape_require(item: Any) -> None:
    """Refuse what is no item, so that nothing behind has to ask of what kind a value is."""
    if not isinstance(item, dict) or item.get("type") != "Feature":
        raise InvalidInput(_("It is no STAC item: its type is not Feature."), field="type")
    stac_id = item.get("id")
    if not isinstance(stac_id, str) or not stac_id.strip() or len(stac_id) > _LONGEST_ID:
        raise InvalidInput(_("id must be a text of 1 to %(limit)d characters.") % {"limit": _LONGEST_ID}, field="id")
    for name, kind in _CONTAINERS.items():
        value = item.get(name)
        if value is not None and not isinstance(value, kind):
            words = _("an object") if kind is dict else _("a list")
            raise InvalidInput(_("%(name)s must be %(kind)s.") % {"name": name, "kind": words}, field=name)
    assets = item.get("assets") or {}
    for key, asset in assets.items():
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
            raise InvalidInput(_("The asset “%(key)s” has no href.") % {"key": key[:60]}, field="assets")
    try:
        text = json.dumps(item, allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except UnicodeEncodeError:
        text, size = "\\u0000", 0
    except (ValueError, RecursionError):
        raise InvalidInput(_("It holds a number that is not finite, or is nested too deeply."), field="item") from None
    if size > _MOST_BYTES:
        raise InvalidInput(
            _("It is too long: %(found)d bytes, the limit is %(limit)d.") % {"found": size, "limit": _MOST_BYTES},
            field="item",
        )
    if "\\u0000" in text:
        raise InvalidInput(_("It holds a character that cannot be kept (NUL or half a surrogate pair)."), field="item")


def _of_properties(properties: Json, stac_id: str) -> Json:
    taken: Json = {}
    for name in SCENE_NAMES:
        for spelling in (name.property, *name.older):
            value = properties.pop(spelling, None)
            if value is not None:
                taken.setdefault(name.property, value)
    if isinstance(instrument := taken.get("instruments"), str):
        taken["instruments"] = [instrument]
    title, code = taken.pop("title", None), taken.pop("proj:code", None)
    embargo = taken.pop("rsportal:embargo_until", None)
    if isinstance(code, int) and not isinstance(code, bool):
        code = f"EPSG:{code}"
    shape = _sides(properties.get(SHAPE))
    if shape:
        del properties[SHAPE]
    fields = scene_fields({**taken, **properties})
    fields.setdefault("properties", {})
    if embargo is not None:
        fields["embargo_until"] = scene_fields({"datetime": embargo}).get("datetime")
    fields["title"] = (title if isinstance(title, str) and title.strip() else stac_id)[:_LONGEST_TITLE]
    fields["proj_code"] = code if isinstance(code, str) and len(code) <= _LONGEST_CODE else ""
    return fields | shape


def _sides(shape: Any) -> Json:
    """Return width and height of ``proj:shape``, which is [height, width]."""
    if not isinstance(shape, list) or len(shape) != 2:
        return {}
    if not all(isinstance(side, int) and not isinstance(side, bool) and 0 < side <= _SIDE_MOST for side in shape):
        return {}
    return {"width": shape[1], "height": shape[0]}


def _source(item: Json, base: str) -> str:
    """Return the item's own address: what its ``self`` link says, else where it was read."""
    for link in item.get("links") or []:
        if isinstance(link, dict) and link.get("rel") == "self" and is_address(link.get("href")):
            return str(link["href"])
    return base


def _located(asset: Json, base: str) -> Json:
    return {**asset, "href": absolute(asset["href"], base)}


def _origin(item: Json, assets: dict[str, Json], source: str, base: str) -> Json:
    links = [
        {**link, "href": absolute(link["href"], source or base)}
        for link in item.get("links") or []
        if isinstance(link, dict) and isinstance(link.get("href"), str)
    ]
    collection, bbox = item.get("collection"), item.get("bbox")
    others = {name: value for name, value in item.items() if name not in _NAMED}
    out: Json = {
        STAC_EXTENSIONS: item["stac_extensions"],
        STAC_LINKS: links,
        STAC_ASSETS: assets,
        STAC_COLLECTION: collection if isinstance(collection, str) else None,
        STAC_OTHERS: others,
        STAC_SOURCE: source,
        STAC_BBOX: bbox if isinstance(bbox, list) and len(bbox) == 6 else None,
    }
    return {name: value for name, value in out.items() if value}


def no_pixels(scene: Scene) -> str:
    """Return why the pixels of an imported scene could not be reached (English); empty for every other scene."""
    said = scene.stac.get(NO_PIXELS) if scene.status == scene.Status.METADATA else ""
    return said if isinstance(said, str) else ""


def metadata_hash(stac_id: str) -> str:
    """Return what stands for the checksum of the source as long as a scene has no pixels."""
    return hashlib.sha256(f"stac:{stac_id}".encode()).hexdigest()


def absolute(href: str, base: str) -> str:
    """Return an address against its base; one that stands for itself, or a path of a file without base, as it is."""
    try:
        return urljoin(base, href) if base and not urlsplit(href).scheme else href
    except ValueError:
        return href


def is_address(href: Any) -> bool:
    """Return whether ``href`` is an http or https address."""
    return isinstance(href, str) and href.lower().startswith(("http://", "https://"))


def _fingerprint(item: Json) -> str:
    text = json.dumps(item, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
