"""Fields of values that are JSON in the database; each class carries its schema.

The schema must sit on a class of its own: REST framework copies fields when it makes a serializer and drops what was
put on an instance.
"""

import json
from typing import Any, Final

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from imagery.api.schemas import (
    BANDS_SCHEMA,
    BBOX_SCHEMA,
    GEOMETRY_SCHEMA,
    OBJECT_SCHEMA,
    OUTLINE_SCHEMA,
    RENDERING_SCHEMA,
    STRINGS_SCHEMA,
    WINDOW_SCHEMA,
)

_MAX_PROPERTIES_BYTES: Final = 65_536


@extend_schema_field(BBOX_SCHEMA)
class BBoxField(serializers.JSONField):
    """(west, south, east, north) in degrees WGS 84."""


@extend_schema_field(WINDOW_SCHEMA)
class WindowField(serializers.JSONField):
    """(x, y, width, height) in pixels, y downwards."""


@extend_schema_field(GEOMETRY_SCHEMA)
class GeometryField(serializers.JSONField):
    """A GeoJSON geometry (lon, lat; WGS 84)."""


@extend_schema_field(OUTLINE_SCHEMA)
class OutlineField(serializers.JSONField):
    """A GeoJSON geometry (lon, lat; WGS 84) of a window."""


@extend_schema_field(STRINGS_SCHEMA)
class NamesField(serializers.JSONField):
    """A list of names."""


@extend_schema_field(BANDS_SCHEMA)
class ProvidersField(serializers.JSONField):
    """A list of STAC providers."""


@extend_schema_field(BANDS_SCHEMA)
class BandsField(serializers.JSONField):
    """The bands of a scene."""


@extend_schema_field(RENDERING_SCHEMA)
class RenderingField(serializers.JSONField):
    """The band recipe of a collection."""


@extend_schema_field(OBJECT_SCHEMA)
class ObjectField(serializers.JSONField):
    """Any JSON object."""


@extend_schema_field(OBJECT_SCHEMA)
class JsonObjectField(serializers.JSONField):
    """A JSON object, also as text in a form, that the database can keep."""

    default_error_messages = {
        "not_object": _("Write a JSON object: names and values in curly brackets."),
        "unwanted": _("The text in a property holds a character that cannot be kept (NUL or half a surrogate pair)."),
        "too_long": _("The properties are longer than %(limit)d bytes.") % {"limit": _MAX_PROPERTIES_BYTES},
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            value = json.loads(data) if isinstance(data, str) else data
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            size = len(text.encode())
        except UnicodeEncodeError:
            self.fail("unwanted")
        except (ValueError, TypeError, RecursionError):
            self.fail("not_object")
        if not isinstance(value, dict):
            self.fail("not_object")
        if "\\u0000" in text:
            self.fail("unwanted")
        if size > _MAX_PROPERTIES_BYTES:
            self.fail("too_long")
        return value
