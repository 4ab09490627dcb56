"""Fields of the filters of a search."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from search.filter_values import MAX_NAMES

_SCHEMA = {
    "oneOf": [
        {"type": "string", "examples": ["-76.4,36,-75,37.2"]},
        {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
    ]
}


@extend_schema_field(_SCHEMA)
class BoxField(serializers.Field):
    """A bounding box that is asked for: a text with four numbers, or a list of them; the numbers are checked later."""

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str):
            return data
        if isinstance(data, list | tuple) and all(isinstance(value, float | int) for value in data):
            return ",".join(str(value) for value in data)
        raise serializers.ValidationError(
            _("bbox is four numbers: west,south,east,north in degrees, such as -76.4,36,-75,37.")
        )

    def to_representation(self, value: Any) -> Any:
        return value


class AreaField(serializers.JSONField):
    """An area that is asked for: GeoJSON as an object or as a text; it is checked later."""

    def to_internal_value(self, data: Any) -> Any:
        return data if isinstance(data, str) else super().to_internal_value(data)


class OnUnlessSaidField(serializers.BooleanField):
    """A switch that is on unless it is said to be off, also in an address (where a form's empty box is off)."""

    default_empty_html = True


def names_field(help_text: str) -> serializers.ListField:
    """Return a field of names, of which one is enough."""
    child = serializers.CharField(allow_blank=True)
    return serializers.ListField(child=child, required=False, max_length=MAX_NAMES, help_text=help_text)
