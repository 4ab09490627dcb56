"""Schemas of values that are JSON in the database."""

BBOX_SCHEMA = {
    "type": ["array", "null"],
    "items": {"type": "number"},
    "minItems": 4,
    "maxItems": 4,
    "description": "west, south, east, north in degrees WGS 84; west > east crosses the antimeridian.",
    "examples": [[-76.4, 36.0, -75.1, 37.1]],
}
INTERVAL_SCHEMA = {
    "type": ["array", "null"],
    "prefixItems": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}],
    "minItems": 2,
    "maxItems": 2,
    "description": "Earliest and latest acquisition.",
    "examples": [["2020-01-04T15:52:01Z", "2021-08-30T16:01:11Z"]],
}
GEOMETRY_SCHEMA = {
    "type": ["object", "null"],
    "required": ["type", "coordinates"],
    "properties": {"type": {"type": "string"}, "coordinates": {"type": "array", "items": {}}},
    "description": "GeoJSON geometry of the footprint (lon, lat; WGS 84); null when not georeferenced.",
}
OUTLINE_SCHEMA = {
    **GEOMETRY_SCHEMA,
    "description": "GeoJSON outline of the window on Earth (lon, lat; WGS 84), a MultiPolygon across the antimeridian; "
    "null when the scene is not georeferenced.",
}
SHAPE_SCHEMA = {
    "type": "array",
    "items": {"type": "integer"},
    "minItems": 2,
    "maxItems": 2,
    "description": "Height and width in pixels.",
}
STRINGS_SCHEMA = {"type": "array", "items": {"type": "string"}}
BANDS_SCHEMA = {"type": "array", "items": {"type": "object", "additionalProperties": True}}
OBJECT_SCHEMA = {"type": "object", "additionalProperties": True}
RENDERING_SCHEMA = {
    "type": "object",
    "properties": {
        "bands": {
            "type": "array",
            "items": {"type": "string"},
            "maxItems": 3,
            "description": "Shown as red, green and blue, or one as grey: names, common names or numbers from 1.",
        },
        "stretch": {"type": "string", "enum": ["auto", "percentile", "range", "none"], "default": "auto"},
        "low": {"type": "number", "default": 2, "description": "Lower percentile of the stretch percentile."},
        "high": {"type": "number", "default": 98, "description": "Upper percentile."},
        "joint": {"type": "boolean", "default": False, "description": "Measured over the three bands together."},
        "range": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            "maxItems": 3,
            "description": "Samples shown black and white: one pair for all bands, or three.",
        },
        "gamma": {"type": ["number", "null"], "description": "0.2 to 5; above 1 brightens."},
    },
    "additionalProperties": False,
    "examples": [{"bands": ["nir", "red", "green"], "stretch": "range", "range": [[0, 3500]], "gamma": 1.5}],
}
WINDOW_SCHEMA = {
    "type": ["array", "null"],
    "items": {"type": "integer"},
    "minItems": 4,
    "maxItems": 4,
    "description": "x, y, width, height of the matching part in pixels of the scene, y downwards; null: the whole.",
    "examples": [[512, 0, 512, 512]],
}
