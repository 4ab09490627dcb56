"""Vectors of windows as GeoParquet 1.1: the columns, the metadata and what a file must say to be read back.

https://geoparquet.org/releases/v1.1.0/. One row is one window: its outline on Earth as WKB (longitude, latitude;
OGC:CRS84, which the specification takes where no ``crs`` is named), null for scenes without a place.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from imagery.models import Encoder

if TYPE_CHECKING:
    import pyarrow as pa

MEDIA_TYPE: Final = "application/vnd.apache.parquet"
KEY: Final = b"rsportal:embeddings"
"""Of the file's key-value metadata: the encoder of all rows, as JSON."""
GEO_KEY: Final = b"geo"
NAMES: Final = ("id", "content_hash")
"""Columns that tell the scene."""
WINDOW: Final = ("level", "x", "y", "width", "height")
"""Columns that tell the window: level 0 is the whole scene; x, y, width, height in its pixels, y downwards."""
VECTOR: Final = "vector"
REGIONS: Final = "regions"
"""The vectors of the window's quarters in 8 bits (``imagery.encoders.regions``), where the encoder gives them."""


def embeddings_schema(encoder: Encoder) -> pa.Schema:
    """Return the columns of a file of this encoder's vectors."""
    import pyarrow as pa

    same = pa.dictionary(pa.int32(), pa.string())
    whole, short = pa.int32(), pa.int16()
    edges = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])
    return pa.schema(
        [
            ("id", pa.string()),
            ("collection", same),
            ("scene", pa.string()),
            ("content_hash", pa.string()),
            ("level", short),
            *((name, whole) for name in WINDOW[1:]),
            ("encoder", same),
            ("encoder_revision", same),
            ("encoder_checksum", same),
            ("dimension", whole),
            ("dtype", same),
            (VECTOR, pa.list_(pa.field("element", pa.float32(), nullable=False), encoder.dimension)),
            (REGIONS, pa.binary()),
            ("geometry", pa.binary()),
            ("bbox", edges),
        ]
    ).with_metadata({KEY: json.dumps(encoder_facts(encoder)).encode()})


def encoder_facts(encoder: Encoder) -> dict[str, Any]:
    """Return what tells an encoder's vectors from those of any other."""
    return {
        "encoder": encoder.name,
        "kind": str(encoder.kind),
        "source": "" if encoder.source.startswith(("/", ".", "~")) else encoder.source,  # No path of this server.
        "revision": encoder.resolved_revision or encoder.revision,
        "checksum": encoder.checksum,
        "dimension": encoder.dimension,
        "dtype": "float32",
        "precision": "float16",
        "length": 1,
        "image_size": encoder.image_size,
    }


def geo_metadata(*, kinds: set[str], bbox: tuple[float, float, float, float] | None) -> bytes:
    """Return the value of the ``geo`` key for these geometry types and this bounding box of all rows."""
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted(kinds),
        "orientation": "counterclockwise",
        "edges": "planar",
        "covering": {"bbox": {name: ["bbox", name] for name in ("xmin", "ymin", "xmax", "ymax")}},
    }
    if bbox is not None:
        column["bbox"] = list(bbox)
    return json.dumps({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}).encode()
