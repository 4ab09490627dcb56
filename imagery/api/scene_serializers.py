"""How scenes travel: STAC names, addresses that check the reader's rights."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from imagery.api.fields import BandsField, GeometryField, JsonObjectField, NamesField, ObjectField
from imagery.api.links import link
from imagery.api.schemas import BBOX_SCHEMA, SHAPE_SCHEMA
from imagery.models import Asset, Scene
from imagery.stac.fields_in import no_pixels

# The first two bytes say "SHA2-256, 32 bytes" (multihash, which STAC's file extension asks for).
_MULTIHASH_SHA256: Final = "1220"


class AssetSerializer(serializers.Serializer):
    """A file of a scene."""

    href = serializers.URLField(help_text="Answers to the same token or session as this request.")
    title = serializers.CharField(help_text="The name of the file.")
    type = serializers.CharField(help_text="Media type.")
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Asset.Role.choices))

    def get_fields(self) -> dict[str, serializers.Field]:
        size = serializers.IntegerField(help_text="Bytes.")
        checksum = serializers.CharField(
            required=False, help_text="SHA-256 as a multihash; absent for files that are read at another archive."
        )
        return {**super().get_fields(), "file:size": size, "file:checksum": checksum}


class SceneLinksSerializer(serializers.Serializer):
    """Where to go from a scene."""

    self = serializers.URLField()
    collection = serializers.URLField()
    stac = serializers.URLField()


class SceneSerializer(serializers.Serializer):
    """A scene; its collection and assets must be loaded. ``editable`` in the context holds the primary keys of the
    collections the reader may change: an original is listed only for those who may download it."""

    id = serializers.UUIDField()
    collection = serializers.CharField(source="collection.slug", help_text="Slug of its collection.")
    title = serializers.CharField()
    status = serializers.ChoiceField(choices=Scene.Status.choices)
    no_pixels = serializers.SerializerMethodField(
        help_text="Why the pixels of an imported scene could not be reached (status metadata); else empty."
    )
    datetime = serializers.DateTimeField(allow_null=True, help_text="When it was taken.")
    start_datetime = serializers.DateTimeField(allow_null=True)
    end_datetime = serializers.DateTimeField(allow_null=True)
    platform = serializers.CharField(allow_blank=True)
    instruments = NamesField()
    gsd = serializers.FloatField(allow_null=True, help_text="Ground sample distance in metres.")
    bands = BandsField()
    bbox = serializers.SerializerMethodField()
    geometry = GeometryField(source="footprint")
    properties = ObjectField(help_text="Everything else known.")
    created = serializers.DateTimeField(source="created_at")
    updated = serializers.DateTimeField(source="updated_at")
    assets = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    def get_fields(self) -> dict[str, serializers.Field]:
        cloud = serializers.FloatField(source="cloud_cover", allow_null=True, help_text="Per cent.")
        code = serializers.CharField(source="proj_code", allow_blank=True, help_text="Such as EPSG:32618.")
        shape = serializers.SerializerMethodField(method_name="get_shape")
        return {**super().get_fields(), "eo:cloud_cover": cloud, "proj:code": code, "proj:shape": shape}

    def get_no_pixels(self, scene: Scene) -> str:
        return no_pixels(scene)

    @extend_schema_field(BBOX_SCHEMA)
    def get_bbox(self, scene: Scene) -> list[float] | None:
        return list(scene.bbox) if scene.bbox else None

    @extend_schema_field(SHAPE_SCHEMA)
    def get_shape(self, scene: Scene) -> list[int]:
        return [scene.height, scene.width]

    @extend_schema_field(serializers.DictField(child=AssetSerializer()))
    def get_assets(self, scene: Scene) -> dict[str, Any]:
        originals = scene.collection.originals_downloadable or scene.collection_id in self.context["editable"]
        shown = [asset for asset in scene.assets.all() if originals or asset.role != Asset.Role.DATA]
        return {asset.key: self._asset(scene, asset) for asset in shown}

    def _asset(self, scene: Scene, asset: Asset) -> dict[str, Any]:
        return {
            "href": link(self.context["request"], "scene-asset", pk=scene.pk, key=asset.key),
            "title": asset.filename,
            "type": asset.media_type,
            "roles": [asset.role],
            "file:size": asset.size,
            **({"file:checksum": _MULTIHASH_SHA256 + asset.sha256} if asset.sha256 else {}),
        }

    @extend_schema_field(SceneLinksSerializer)
    def get_links(self, scene: Scene) -> dict[str, str]:
        request = self.context["request"]
        return {
            "self": link(request, "scene-detail", pk=scene.pk),
            "collection": link(request, "collection-detail", slug=scene.collection.slug),
            "stac": link(request, "scene-stac", pk=scene.pk),
        }


class SceneUploadSerializer(serializers.Serializer):
    """A file to ingest."""

    file = serializers.FileField(
        allow_empty_file=True, help_text="PNG, JPEG, WebP, GeoTIFF or JPEG 2000.", max_length=300
    )
    collection = serializers.SlugField(max_length=80, help_text="Slug of a collection you may add to.")
    title = serializers.CharField(
        required=False, allow_blank=True, max_length=300, default="", help_text="Empty: the name of the file."
    )
    properties = JsonObjectField(required=False, help_text="A JSON object of further properties, kept with the scene.")
    batch = serializers.UUIDField(required=False, help_text="The same for files that belong together.")
