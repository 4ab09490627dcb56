"""The windows of a scene that are searched, and where they lie on Earth."""

from typing import Any, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from imagery.api.fields import OutlineField, WindowField
from imagery.api.viewset import found
from imagery.models import Tile
from imagery.scene_outlines import window_outlines
from imagery.selectors import scene_get
from rsportal.accounts.models import User
from rsportal.api.pagination import KeysetPagination


class SceneWindowSerializer(serializers.Serializer[Any]):
    """A window of a scene."""

    level = serializers.IntegerField(help_text="0: the whole scene; higher levels are finer.")
    window = WindowField()
    geometry = OutlineField()


class SceneWindowsView(GenericAPIView):
    """Windows of a scene, coarse to fine, row by row as they were cut."""

    queryset = Tile.objects.none()
    serializer_class = SceneWindowSerializer
    pagination_class = KeysetPagination
    filter_backends = []
    keyset = ("level", "id")
    problem_codes = {"": ("400", "404")}

    @extend_schema(
        tags=["scenes"],
        operation_id="scene_windows",
        summary="The windows of a scene that searches find",
        description="What was cut from the scene and encoded: the whole (level 0), then square windows of 256 x 2^n "
        "pixels, coarse to fine. A result of a search names one of them.",
        responses=SceneWindowSerializer(many=True),
    )
    def get(self, request: Request, pk: UUID) -> Response:
        scene = found(lambda: scene_get(cast(User, request.user), pk))
        tiles = self.paginate_queryset(scene.tiles.all()) or []
        outlines = window_outlines(scene, [tile.window for tile in tiles])
        rows = [
            {"level": tile.level, "window": tile.window, "geometry": outline}
            for tile, outline in zip(tiles, outlines, strict=True)
        ]
        return self.get_paginated_response(SceneWindowSerializer(rows, many=True).data)
