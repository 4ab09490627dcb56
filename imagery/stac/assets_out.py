"""The files of a scene as STAC Assets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from django.conf import settings

from imagery.models import Asset, Scene
from imagery.stac.names import STAC_ASSETS

Json = dict[str, Any]
AssetHref = Callable[[Asset], str]
"""Where a file of the portal can be had, or an empty text where it cannot."""

MULTIHASH_SHA256: Final = "1220"
"""The first two bytes of a multihash: SHA2-256, 32 bytes long (https://multiformats.io/multihash/)."""
COMMON_NAMES: Final = frozenset(
    {
        *("pan", "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075"),
        *("rededge078", "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12"),
    }
)
"""Of the EO extension 2.0."""
_OWN_PICTURES: Final = {
    Asset.Role.THUMBNAIL: "Small picture in natural or chosen colours, drawn from the original files.",
    Asset.Role.OVERVIEW: "The whole scene in natural or chosen colours, drawn from the original files.",
}
_PREFIX: Final = "portal_"


def assets_out(scene: Scene, *, assets: Iterable[Asset], originals: bool, href: AssetHref) -> dict[str, Json]:
    """Return the assets of an item by key: those of the source as they were, and those the portal keeps.

    A file that the portal only reads at somebody else's address stays that address. A picture the portal drew never
    takes the key of one of the source's.
    """
    source = scene.stac.get(STAC_ASSETS)
    imported = source if isinstance(source, Mapping) else {}
    out: dict[str, Json] = {key: dict(asset) for key, asset in imported.items() if is_public(asset.get("href"))}
    rows = sorted(assets, key=lambda row: row.key)
    data = [row for row in rows if row.role == Asset.Role.DATA]
    for row in rows:
        drawn = row.role in _OWN_PICTURES
        known = {} if drawn else dict(imported.get(row.key, {}))
        address = row.href or (href(row) if drawn or originals else "")
        if not address:
            continue
        key = f"{_PREFIX}{row.key}" if drawn and row.key in out else row.key
        bands = row.bands or (scene.bands if data == [row] else [])
        out[key] = _file(row, address) | _grid(scene, row, known) | known | {"href": address}
        if bands and "bands" not in out[key]:
            out[key]["bands"] = [_band(band) for band in bands]
    return out


def is_public(href: object) -> bool:
    """Return whether an address means the same to everybody: not a path of this server or of its network."""
    scheme, found, _rest = href.partition("://") if isinstance(href, str) else ("", "", "")
    return bool(found) and scheme.isalnum() and scheme.lower() != "file"


def _file(row: Asset, address: str) -> Json:
    out: Json = {"href": address, "title": row.filename, "type": row.media_type, "roles": [str(row.role)]}
    if row.size:
        out["file:size"] = row.size
    if row.sha256:
        out["file:checksum"] = MULTIHASH_SHA256 + row.sha256
    if row.role in _OWN_PICTURES:
        out["processing:lineage"] = _OWN_PICTURES[Asset.Role(row.role)]
        out["processing:software"] = {"rsportal": settings.SPECTACULAR_SETTINGS["VERSION"]}
    return {name: value for name, value in out.items() if value}


def _grid(scene: Scene, row: Asset, known: Json) -> Json:
    """Return what is true of an original's own pixels: several files of one scene may be of several resolutions."""
    if row.role != Asset.Role.DATA or known:
        return {}
    out: Json = {}
    if row.width and scene.width and (row.width, row.height) != (scene.width, scene.height):
        out["proj:shape"] = [row.height, row.width]
    if scene.gsd and scene.footprint is not None and scene.width:
        share = row.width / scene.width if row.width else 1.0
        out["raster:spatial_resolution"] = round(scene.gsd / share, 6)
    return out


def _band(band: Any) -> Json:
    """Return a band with its common name, where its name is one."""
    if not isinstance(band, Mapping):
        return {"name": str(band)}
    name = str(band.get("name", "")).lower()
    return {**band} | ({"eo:common_name": name} if name in COMMON_NAMES and "eo:common_name" not in band else {})
