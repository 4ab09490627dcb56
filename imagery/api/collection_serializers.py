"""How collections travel."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from imagery.api.extents import CollectionExtent
from imagery.api.fields import NamesField, ProvidersField, RenderingField
from imagery.api.links import link
from imagery.api.schemas import BBOX_SCHEMA, INTERVAL_SCHEMA
from imagery.models import Collection
from imagery.models.collection import Visibility
from imagery.tiling import DEFAULT_RULE


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
    stac = serializers.URLField()


class CollectionSerializer(serializers.ModelSerializer):
    """A collection as it is read; ``extents`` in the context maps its primary key to its extent."""

    owner = serializers.CharField(source="owner.username")
    scene_count = serializers.IntegerField(help_text="Scenes that are ready.")
    originals_downloadable = serializers.BooleanField(
        help_text="Whether the licence lets every viewer download the original files."
    )
    providers = ProvidersField(help_text="STAC providers.")
    rendering = RenderingField(help_text="Its band recipe; empty: found scene by scene.")
    keywords = NamesField()
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
            "providers",
            "keywords",
            "doi",
            "citation",
            "visibility",
            "tile_overlap",
            "tile_gsd_min",
            "tile_gsd_max",
            "tile_most",
            "rendering",
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
            "stac": link(request, "collection-stac", slug=collection.slug),
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
    providers = ProvidersField(
        required=False,
        help_text="STAC providers: objects with name, roles (producer, licensor, processor, host) and url.",
    )
    keywords = NamesField(required=False)
    doi = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")
    citation = serializers.CharField(required=False, allow_blank=True, default="")
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False, default=Visibility.PRIVATE)
    tile_overlap = serializers.FloatField(
        required=False,
        default=DEFAULT_RULE.overlap,
        help_text="How much neighbouring windows of a scene overlap, as a share of their side: .25 to .5.",
    )
    tile_gsd_min = serializers.FloatField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Windows are not cut finer than this many metres per pixel. Null: down to full resolution.",
    )
    tile_gsd_max = serializers.FloatField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Besides the whole scene, no windows coarser than this many metres per pixel. Null: no limit.",
    )
    tile_most = serializers.IntegerField(
        required=False,
        default=DEFAULT_RULE.most,
        help_text="Most windows of a scene; larger scenes end at a coarser level.",
    )
    rendering = RenderingField(
        required=False, default=dict, help_text="Its band recipe, for scenes added from then on; empty: found."
    )


class CollectionWriteSerializer(CollectionUpdateSerializer):
    """A collection as it is created."""

    slug = serializers.SlugField(
        required=False,
        max_length=80,
        help_text="Its name in addresses, which cannot be changed later; without it one is made from the title.",
    )
