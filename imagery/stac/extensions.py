"""Which extensions a document uses: told by the prefixes of its fields, never by habit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from imagery.stac.names import EXTENSIONS
from imagery.stac.upgrade import extensions_upgraded


def extensions_used(members: Iterable[Mapping[str, Any]], *, named: list[Any]) -> list[str]:
    """Return the schemas of the extensions whose fields stand in ``members`` or in their bands, sorted.

    ``named`` are those of the source: kept when the portal does not write their fields itself.
    """
    own = set(EXTENSIONS.values())
    found = {schema for schema in extensions_upgraded(named) if schema not in own}
    prefixes = {prefix for member in members for prefix in _prefixes(member)}
    return sorted(found | {schema for prefix, schema in EXTENSIONS.items() if prefix in prefixes})


def _prefixes(member: Mapping[str, Any]) -> set[str]:
    names = set(member)
    bands = member.get("bands")
    for band in bands if isinstance(bands, list) else []:
        names |= set(band) if isinstance(band, Mapping) else set()
    return {name.split(":", 1)[0] + ":" for name in names if ":" in name}
