"""Which STAC 1.1 property is which field of a scene or collection: one table for both ways.

Out: ``imagery.stac.item_out`` writes ``property``. In: ``imagery.stac.fields_in`` reads ``property``, then each of
``older``. What no table names stays where it is: unknown properties in ``Scene.properties``, everything else of an
imported item or collection in its field ``stac``, of which the keys are below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STAC_VERSION: Final = "1.1.0"


@dataclass(frozen=True)
class Name:
    """``field`` of the model is ``property`` in STAC 1.1; ``older`` are names in items of earlier versions."""

    field: str
    property: str
    older: tuple[str, ...] = ()


SCENE_NAMES: Final = (
    Name("title", "title"),
    Name("datetime", "datetime"),
    Name("start_datetime", "start_datetime"),
    Name("end_datetime", "end_datetime"),
    Name("platform", "platform", ("eo:platform",)),
    Name("instruments", "instruments", ("eo:instrument", "instrument")),
    Name("gsd", "gsd", ("eo:gsd",)),
    Name("cloud_cover", "eo:cloud_cover"),
    Name("proj_code", "proj:code", ("proj:epsg",)),  # An older number 32618 is the code EPSG:32618.
    Name("embargo_until", "rsportal:embargo_until"),
)
"""Item properties. The id is ``stac_id`` (else the primary key), ``geometry`` is ``footprint``, ``bbox`` its box."""

SHAPE: Final = "proj:shape"
"""[height, width] in pixels of a scene; an imported item without pixels has no other source of them."""
TRANSFORM: Final = "proj:transform"
GRID_BBOX: Final = "proj:bbox"
"""Of the scene's pixels in its own reference system; both are kept among the scene's properties."""
NOT_KNOWN: Final = "rsportal:not_known"
"""Names of moments that an exported item only bounds, because the spec asks for them and nobody knows them: whoever
reads the item back leaves these empty."""
CONTENT_HASH: Final = "rsportal:content_hash"
"""``Scene.content_hash`` of an exported item: the SHA-256 by which a scene of the same bytes is known again."""
OWN_PREFIX: Final = "rsportal:"

COLLECTION_NAMES: Final = (
    Name("title", "title"),
    Name("description", "description"),
    Name("license", "license"),
    Name("providers", "providers"),
    Name("keywords", "keywords"),
    Name("doi", "sci:doi"),
    Name("citation", "sci:citation"),
    Name("attribution", "rsportal:attribution"),
)
"""Collection members. The licence's link is ``license_url``; licences that are no SPDX id are ``other`` in STAC."""

NO_LICENSE: Final = ("proprietary", "various", "other")
"""What STAC says where the licence is no SPDX id (1.0: the first two); the link of relation ``license`` has it."""

# Keys of ``Scene.stac`` and ``Collection.stac``. All are optional; without them the row was not imported.
STAC_EXTENSIONS: Final = "stac_extensions"
"""The addresses of the extensions' schemas that the source named."""
STAC_LINKS: Final = "links"
"""All links of the source as they were, ``self`` among them, but with absolute addresses."""
STAC_ASSETS: Final = "assets"
"""All assets of the source by key, with 1.1 names and absolute addresses; those kept here are also rows of Asset
under the same key."""
STAC_COLLECTION: Final = "collection"
"""The source's collection id."""
STAC_OTHERS: Final = "others"
"""Further members of the source beside those that STAC names (foreign members of the GeoJSON feature); of a
collection also ``summaries``, ``item_assets`` and ``extent``."""
STAC_SOURCE: Final = "href"
"""The absolute address of the source itself."""
STAC_BBOX: Final = "bbox"
"""The source's own ``bbox``, where it has heights (6 numbers)."""

STRUCTURAL_LINKS: Final = frozenset({"self", "root", "parent", "collection", "items", "item", "child", "next", "prev"})
"""Relations that say where a document stands in its catalogue: never taken over into another catalogue."""

# Schemas of the extensions whose fields the portal itself writes.
_EXTENSIONS: Final = "https://stac-extensions.github.io"
EXTENSIONS: Final = {
    "eo:": f"{_EXTENSIONS}/eo/v2.0.0/schema.json",
    "file:": f"{_EXTENSIONS}/file/v2.1.0/schema.json",
    "processing:": f"{_EXTENSIONS}/processing/v1.2.0/schema.json",
    "proj:": f"{_EXTENSIONS}/projection/v2.0.0/schema.json",
    "raster:": f"{_EXTENSIONS}/raster/v2.0.0/schema.json",
    "sci:": f"{_EXTENSIONS}/scientific/v1.0.0/schema.json",
}
"""Prefix of the fields -> schema in the version whose names are written."""
