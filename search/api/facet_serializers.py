"""How the counts of an answer's filters travel."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from search.facets import FacetCount, Facets


class FacetValueSerializer(serializers.Serializer):
    """How many scenes have a value."""

    value = serializers.CharField(allow_null=True, help_text="What to filter by; null: not known of these scenes.")
    title = serializers.CharField(required=False, help_text="Of a collection.")
    count = serializers.IntegerField(min_value=0)


class FacetYearSerializer(serializers.Serializer):
    """How many scenes were acquired in a year (UTC)."""

    value = serializers.IntegerField(allow_null=True, help_text="Null: not known of these scenes.")
    count = serializers.IntegerField(min_value=0)


class FacetClassSerializer(serializers.Serializer):
    """How many scenes lie in a class; without both ends: those of which it is not known."""

    above = serializers.FloatField(allow_null=True, help_text="Lower end, not included; null: none.")
    to = serializers.FloatField(allow_null=True, help_text="Upper end, included; null: none.")
    known = serializers.BooleanField(help_text="False for the scenes of which it is not known.")
    count = serializers.IntegerField(min_value=0)


class FacetsSerializer(serializers.Serializer):
    """How many of the scenes that you may see and that pass the other filters have each value."""

    total = serializers.IntegerField(help_text="Scenes that pass all filters.")
    estimated = serializers.ListField(
        child=serializers.CharField(), help_text="What was estimated from a sample: of more than 10,000 scenes."
    )
    collections = FacetValueSerializer(many=True)
    year = FacetYearSerializer(many=True)
    platform = FacetValueSerializer(many=True)
    instruments = FacetValueSerializer(many=True)
    license = FacetValueSerializer(many=True)
    gsd = FacetClassSerializer(many=True, help_text="Metres.")
    cloud_cover = FacetClassSerializer(many=True, help_text="Per cent.")


def facets_body(facets: Facets) -> dict[str, Any]:
    """Return facets as FacetsSerializer takes them."""
    values = facets.values
    return {
        "total": facets.total,
        "estimated": sorted("collections" if name == "collection" else name for name in facets.estimated),
        "collections": [{"value": row.value, "title": row.label, "count": row.count} for row in values["collection"]],
        "year": [{"value": row.value, "count": row.count} for row in values["year"]],
        **{name: _values(values[name]) for name in ("platform", "instruments", "license")},
        **{name: _classes(values[name]) for name in ("gsd", "cloud_cover")},
    }


def _values(rows: Sequence[FacetCount]) -> list[dict[str, Any]]:
    return [{"value": row.value, "count": row.count} for row in rows]


def _classes(rows: Sequence[FacetCount]) -> list[dict[str, Any]]:
    return [{"above": row.above, "to": row.to, "known": row.value is not None, "count": row.count} for row in rows]
