"""Items of STAC 1.0 under the names of STAC 1.1, which is how the portal keeps and writes them.

The rules are those of the specification's change log for 1.1 and of the extensions' own (projection 2.0, eo 2.0,
raster 2.0): ``proj:epsg`` is ``proj:code``, ``eo:bands`` and ``raster:bands`` are one list, ``bands``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from imagery.stac.names import EXTENSIONS, NO_LICENSE, STAC_VERSION

Json = dict[str, Any]

_CORE_BAND_FIELDS: Final = frozenset({"name", "description", "data_type", "nodata", "statistics", "unit"})
"""Fields of ``eo:bands`` and ``raster:bands`` that 1.1 has without a prefix."""
_SCHEMA: Final = re.compile(r"https://stac-extensions\.github\.io/([\w-]+)/v[\w.-]+/schema\.json#?")
_NAMES: Final = {schema.split("/")[3]: schema for schema in EXTENSIONS.values()}


def item_upgraded(item: Mapping[str, Any]) -> Json:
    """Return an item (1.0 or 1.1) under the names of 1.1; what has no new name stays as it is."""
    assets = {key: member_upgraded(asset) for key, asset in item.get("assets", {}).items()}
    return {
        **item,
        "stac_version": STAC_VERSION,
        "stac_extensions": extensions_upgraded(item.get("stac_extensions") or []),
        "properties": member_upgraded(item.get("properties") or {}),
        "assets": assets,
    }


def member_upgraded(member: Mapping[str, Any]) -> Json:
    """Return the properties of an item, or an asset, under the names of 1.1."""
    out = {name: value for name, value in member.items() if name not in {"proj:epsg", "eo:bands", "raster:bands"}}
    if "proj:epsg" in member and "proj:code" not in member:
        number = member["proj:epsg"]
        out["proj:code"] = None if number is None else f"EPSG:{number}"
    if ("eo:bands" in member or "raster:bands" in member) and "bands" not in member:
        out["bands"] = bands_joined(_listed(member.get("eo:bands")), _listed(member.get("raster:bands")))
    if member.get("license") in NO_LICENSE:
        out["license"] = "other"
    return out


def bands_joined(eo_bands: list[Any], raster_bands: list[Any]) -> list[Json]:
    """Return ``bands`` of 1.1 for the two lists of 1.0, which describe the same bands in the same order."""
    count = max(len(eo_bands), len(raster_bands))
    bands: list[Json] = []
    for position in range(count):
        band: Json = {}
        for prefix, older in (("eo:", eo_bands), ("raster:", raster_bands)):
            described = older[position] if position < len(older) and isinstance(older[position], Mapping) else {}
            for name, value in described.items():
                plain = name in _CORE_BAND_FIELDS or ":" in name
                band.setdefault(name if plain else f"{prefix}{name}", value)
        bands.append(band)
    return bands


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def extensions_upgraded(schemas: list[Any]) -> list[str]:
    """Return the extensions with those the portal writes itself in its version; each once, others as they are."""
    out: list[str] = []
    for schema in schemas:
        known = _SCHEMA.fullmatch(schema) if isinstance(schema, str) else None
        name = _NAMES.get(known[1], schema) if known else schema
        if isinstance(name, str) and name not in out:
            out.append(name)
    return out
