"""Which files of an item show it: by name or role where somebody says so, else what can be read and seen."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from imagery.readers.bands import COLOURS, COMMON_NAMES, band_code
from imagery.readers.formats import Format, format_of_extension
from imagery.readers.sidecars import SIDECAR_KEYS

Json = dict[str, Any]

_VISUAL: Final = ("visual", "tci", "true-color", "true_color", "truecolor", "visual_10m", "rgb")
"""Keys and roles of pictures in natural colours."""
_PREFERRED: Final = ("data", "image", "analytic", "ortho", "orthophoto", "main")
_UNSEEN_ROLES: Final = frozenset(
    {"thumbnail", "overview", "metadata", "tiles", "cloud", "cloud-shadow", "snow-ice", "water-mask", "saturation",
     "data-mask", "angles", "iso-19115", "mask", "auxiliary"}
)  # fmt: skip
"""Roles of files that are no picture of the ground at full resolution."""
_MEDIA: Final = {
    "image/tiff": Format.TIFF,
    "image/vnd.stac.geotiff": Format.TIFF,
    "image/geotiff": Format.TIFF,
    "image/jp2": Format.JPEG2000,
    "image/jpx": Format.JPEG2000,
    "image/png": Format.PNG,
    "image/jpeg": Format.JPEG,
    "image/webp": Format.WEBP,
}
_LONGEST_KEY: Final = 60
_OWN_KEYS: Final = frozenset({"thumbnail", "overview", *SIDECAR_KEYS})


def assets_choose(
    assets: Mapping[str, Json], *, wanted: Sequence[str] = (), recipe: Sequence[str] = ()
) -> dict[str, Json]:
    """Return the assets to read, by the key they get here; empty when none can be read.

    ``wanted``: keys or roles; all that fit are taken, keys before roles. Otherwise, in this order: the files of the
    bands that the collection's ``recipe`` shows, one in natural colours, one file each for red, green and blue, the
    one with the role ``data`` (the likeliest of several).
    """
    readable = {key: asset for key, asset in assets.items() if asset_format(asset) is not None}
    if wanted:
        return _keyed(_named(readable, wanted))
    seen = {key: asset for key, asset in readable.items() if not _roles(asset) & _UNSEEN_ROLES}
    if recipe and (bands := _bands_of(seen, recipe)):
        return _keyed(bands)
    for key, asset in seen.items():
        if key.casefold() in _VISUAL or _roles(asset) & {"visual"}:
            return _keyed({key: asset})
    if colours := _bands_of(seen, COLOURS):
        return _keyed(colours)
    rasters = {key: asset for key, asset in seen.items() if asset_format(asset) in {Format.TIFF, Format.JPEG2000}}
    data = {key: asset for key, asset in (rasters or seen).items() if "data" in _roles(asset)} or rasters or seen
    if not data:
        return {}
    best = min(data, key=lambda key: (_rank(key), -len(_bands(data[key])), list(data).index(key)))
    return _keyed({best: data[best]})


def asset_format(asset: Json) -> Format | None:
    """Return the format that an asset's media type or the name in its address promises, or None."""
    media = str(asset.get("type") or "").split(";")[0].strip().lower()
    return _MEDIA.get(media) or (format_of_extension(asset_filename(asset)) if not media else None)


def asset_filename(asset: Json) -> str:
    """Return the file's name in an asset's address."""
    try:
        name = posixpath.basename(unquote(urlsplit(asset["href"]).path))
    except ValueError:
        name = ""
    return name.replace("\x00", "") or "asset"


def _named(assets: Mapping[str, Json], wanted: Sequence[str]) -> dict[str, Json]:
    out: dict[str, Json] = {}
    for name in wanted:
        if name in assets:
            out[name] = assets[name]
        else:
            out |= {key: asset for key, asset in assets.items() if name in _roles(asset)}
    return out


def _bands_of(assets: Mapping[str, Json], wanted: Sequence[str]) -> dict[str, Json]:
    """Return one single-band file for each of ``wanted`` (a band's name, common name or key); all, or none at all."""
    out: dict[str, Json] = {}
    for name in wanted:
        fits = [
            key
            for key, asset in assets.items()
            if len(_bands(asset)) == 1 and name.casefold() in {key.casefold(), *_band_names(_bands(asset)[0])}
        ]
        if not fits:
            return {}
        # Of a band at several resolutions, or in two formats, the finest: the first of those equal.
        best = min(fits, key=lambda key: (_gsd(assets[key]), fits.index(key)))
        out[best] = assets[best]
    return out


def _keyed(assets: Mapping[str, Json]) -> dict[str, Json]:
    """Return assets under keys that fit into the table and, of several, that the reader of band files understands."""
    if len(assets) == 1:
        return {_plain(key): asset for key, asset in assets.items()}
    out: dict[str, Json] = {}
    for key, asset in assets.items():
        known = key.casefold() in COMMON_NAMES or bool(band_code(key))
        bands = _bands(asset)
        common = next((name for name in _band_names(bands[0]) if name in COMMON_NAMES), "") if bands else ""
        name = key if known or not common else common
        out[_plain(name) if _plain(name) not in out else f"{_plain(key)[:50]}-{len(out)}"] = asset
    return out


def _plain(key: str) -> str:
    """Return a key that can be part of a file name and address, and is none of the portal's own pictures."""
    name = re.sub(r"[^\w.-]+", "_", key)[:_LONGEST_KEY].strip(".") or "data"
    return f"source_{name}" if name in _OWN_KEYS else name


def _bands(asset: Json) -> list[Json]:
    bands = asset.get("bands")
    return [band for band in bands if isinstance(band, dict)] if isinstance(bands, list) else []


def _band_names(band: Json) -> set[str]:
    return {str(band.get(name) or "").casefold() for name in ("name", "eo:common_name", "common_name")} - {""}


def _roles(asset: Json) -> set[str]:
    roles = asset.get("roles")
    return {str(role).casefold() for role in roles} if isinstance(roles, list) else set()


def _gsd(asset: Json) -> float:
    for name in ("gsd", "raster:spatial_resolution"):
        value = asset.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return float(value)
    return float("inf")


def _rank(key: str) -> int:
    name = key.casefold()
    return _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)
