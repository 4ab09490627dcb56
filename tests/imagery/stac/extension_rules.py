"""Rules for the fields of the extensions that the portal writes, from their published tables of fields."""

from typing import Any

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_POSITIVE: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0}
_PER_CENT: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 100}
_DOI: dict[str, Any] = {"type": "string", "pattern": r"^10\.[0-9a-zA-Z]{4,}/[^\s]+$"}


def _numbers(*lengths: int, kind: str = "number") -> dict[str, Any]:
    return {
        "type": "array",
        "items": {"type": kind},
        "oneOf": [{"minItems": length, "maxItems": length} for length in lengths],
    }


_COMMON_NAMES = [
    *("pan", "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075"),
    *("rededge078", "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12"),
]

RULES: dict[str, dict[str, Any]] = {
    "eo:": {
        "eo:cloud_cover": _PER_CENT,
        "eo:snow_cover": _PER_CENT,
        "eo:common_name": {"enum": _COMMON_NAMES},
        "eo:center_wavelength": _POSITIVE,
        "eo:full_width_half_max": _POSITIVE,
        "eo:solar_illumination": {"type": "number", "minimum": 0},
    },
    "file:": {
        "file:size": {"type": "integer", "minimum": 0},
        "file:checksum": {"type": "string", "pattern": "^1220[0-9a-f]{64}$"},
        "file:header_size": {"type": "integer", "minimum": 0},
        "file:byte_order": {"enum": ["big-endian", "little-endian"]},
        "file:local_path": _TEXT,
        "file:values": {"type": "array"},
    },
    "processing:": {
        "processing:lineage": _TEXT,
        "processing:level": _TEXT,
        "processing:facility": _TEXT,
        "processing:version": _TEXT,
        "processing:datetime": _TEXT,
        "processing:expression": {"type": "object", "required": ["format", "expression"]},
        "processing:software": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "proj:": {
        "proj:code": {"type": ["string", "null"], "pattern": "^[^:]+:[^:]+$"},
        "proj:wkt2": {"type": ["string", "null"]},
        "proj:projjson": {"type": ["object", "null"]},
        "proj:geometry": {"type": "object"},
        "proj:bbox": _numbers(4, 6),
        "proj:shape": _numbers(2, kind="integer"),
        "proj:transform": _numbers(6, 9),
        "proj:centroid": {
            "type": "object",
            "required": ["lat", "lon"],
            "properties": {
                "lat": {"type": "number", "minimum": -90, "maximum": 90},
                "lon": {"type": "number", "minimum": -180, "maximum": 180},
            },
        },
    },
    "raster:": {
        "raster:sampling": {"enum": ["area", "point"]},
        "raster:bits_per_sample": {"type": "integer"},
        "raster:spatial_resolution": _POSITIVE,
        "raster:scale": {"type": "number"},
        "raster:offset": {"type": "number"},
        "raster:histogram": {"type": "object"},
    },
    "sci:": {"sci:doi": _DOI, "sci:citation": _TEXT, "sci:publications": {"type": "array"}},
}
