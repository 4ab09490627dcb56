"""Which scenes may be the same as one, over the API."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from imagery.api.links import link
from imagery.api.viewset import found
from imagery.duplicates import Duplicate, Kind, duplicates_of
from imagery.selectors import scene_get


class DuplicateLinksSerializer(serializers.Serializer[Any]):
    """Where to go from a possible duplicate."""

    scene = serializers.URLField()
    thumbnail = serializers.URLField()


class DuplicateSerializer(serializers.Serializer[Any]):
    """A scene that may be the same."""

    kind = serializers.ChoiceField(
        choices=[(kind.value, kind.value) for kind in Kind],
        help_text="`bytes`: the same original file. `pixels`: the same picture. `place`: another date of it.",
    )
    distance = serializers.IntegerField(allow_null=True, help_text="`pixels`: bits of 64 in which the hashes differ.")
    cosine = serializers.FloatField(allow_null=True, help_text="`pixels`: of the vectors; null: not encoded yet.")
    overlap = serializers.FloatField(allow_null=True, help_text="`place`: share of the larger footprint.")
    days = serializers.FloatField(allow_null=True, help_text="`place`: days later; negative: earlier.")
    scene = serializers.UUIDField(source="scene.pk")
    title = serializers.CharField(source="scene.title")
    collection = serializers.CharField(source="scene.collection.slug")
    datetime = serializers.DateTimeField(source="scene.datetime", allow_null=True)
    links = serializers.SerializerMethodField()

    @extend_schema_field(DuplicateLinksSerializer)
    def get_links(self, duplicate: Duplicate) -> dict[str, str]:
        request, pk = self.context["request"], duplicate.scene.pk
        return {
            "scene": link(request, "scene-detail", pk=pk),
            "thumbnail": link(request, "scene-asset", pk=pk, key="thumbnail"),
        }


class DuplicatesSerializer(serializers.Serializer[Any]):
    """What may be the same as a scene, strongest reasons first."""

    scene = serializers.UUIDField()
    duplicates = DuplicateSerializer(many=True)


class DuplicatesView(APIView):
    """Possible duplicates of a scene."""

    problem_codes: dict[str, tuple[str, ...]] = {}

    @extend_schema(
        tags=["scenes"],
        operation_id="scenes_duplicates",
        summary="Scenes that may be the same",
        description="The same file in another collection, the same picture in another form, the same ground on another "
        "date: at most twelve of each kind, and only what you may see. Nothing is ever merged.",
        responses={200: DuplicatesSerializer},
    )
    def get(self, request: Request, pk: UUID) -> Response:
        scene = found(lambda: scene_get(request.user, pk))
        body = {"scene": scene.pk, "duplicates": duplicates_of(scene, request.user)}
        return Response(DuplicatesSerializer(body, context={"request": request}).data)
