"""How collections travel."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from imagery.api.extents import CollectionExtent
from imagery.api.links import link
from imagery.api.schemas import BBOX_SCHEMA, INTERVAL_SCHEMA
from imagery.models import Collection
from imagery.models.collection import Visibility


class ExtentSerializer(serializers.Serializer):
    """Where and when the scenes of a collection lie; null where unknown."""

    bbox = serializers.SerializerMethodField()
    interval = serializers.SerializerMethodField()

    @extend_schema_field(BBOX_SCHEMA)
    def get_bbox(self, extent: CollectionExtent) -> list[float] | None:
        return list(extent.bbox) if extent.bbox else None

    @extend_schema_field(INTERVAL_SCHEMA)
    def get_interval(self, extent: CollectionExtent) -> list[str] | None:
        if extent.interval is None:
            return None
        field = serializers.DateTimeField()
        return [str(field.to_representation(moment)) for moment in extent.interval]


class CollectionLinksSerializer(serializers.Serializer):
    """Where to go from a collection."""

    self = serializers.URLField()
    scenes = serializers.URLField()


class CollectionSerializer(serializers.ModelSerializer):
    """A collection as it is read; ``extents`` in the context maps its primary key to its extent."""

    owner = serializers.CharField(source="owner.username")
    scene_count = serializers.IntegerField(help_text="Scenes that are ready.")
    originals_downloadable = serializers.BooleanField(
        help_text="Whether the licence lets every viewer download the original files."
    )
    extent = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = Collection
        fields = [
            "slug",
            "title",
            "description",
            "license",
            "license_url",
            "attribution",
            "visibility",
            "owner",
            "scene_count",
            "originals_downloadable",
            "extent",
            "created_at",
            "updated_at",
            "links",
        ]
        read_only_fields = fields

    @extend_schema_field(ExtentSerializer)
    def get_extent(self, collection: Collection) -> dict[str, Any]:
        return dict(ExtentSerializer(self.context["extents"].get(collection.pk, CollectionExtent())).data)

    @extend_schema_field(CollectionLinksSerializer)
    def get_links(self, collection: Collection) -> dict[str, str]:
        request = self.context["request"]
        return {
            "self": link(request, "collection-detail", slug=collection.slug),
            "scenes": f"{link(request, 'scene-list')}?collection={collection.slug}",
        }


class CollectionUpdateSerializer(serializers.Serializer):
    """What can be changed of a collection; the service checks what the format does not."""

    title = serializers.CharField(max_length=200)
    description = serializers.CharField(required=False, allow_blank=True, default="")
    license = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        default="",
        help_text="An SPDX identifier such as CC-BY-4.0, or the licence in words. Empty: all rights reserved.",
    )
    license_url = serializers.URLField(required=False, allow_blank=True, default="")
    attribution = serializers.CharField(required=False, allow_blank=True, max_length=300, default="")
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False, default=Visibility.PRIVATE)


class CollectionWriteSerializer(CollectionUpdateSerializer):
    """A collection as it is created."""

    slug = serializers.SlugField(
        required=False,
        max_length=80,
        help_text="Its name in addresses, which cannot be changed later; without it one is made from the title.",
    )
