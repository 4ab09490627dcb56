"""Map tiles and deep zoom over the API, for map programs with a token (QGIS)."""

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from imagery.api.assets import AnyAccept
from imagery.api.links import link
from imagery.api.viewset import found
from imagery.readers import FileUnavailable, UnreadableImage
from imagery.scene_tiles import Kind, NoTile, SceneTiles
from imagery.storage import AssetMissing
from imagery.tile_descriptions import tilejson
from imagery.tile_responses import tile_response, tile_template

_WEBP = {
    (200, "image/webp"): OpenApiResponse(OpenApiTypes.BINARY, description="256 x 256 px, transparent without data."),
    304: OpenApiResponse(description="Unchanged."),
}


class TileJSONSerializer(serializers.Serializer[Any]):
    """TileJSON 3.0."""

    tilejson = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    version = serializers.CharField()
    attribution = serializers.CharField()
    scheme = serializers.CharField()
    tiles = serializers.ListField(child=serializers.CharField())
    minzoom = serializers.IntegerField()
    maxzoom = serializers.IntegerField()
    bounds = serializers.ListField(child=serializers.FloatField(), min_length=4, max_length=4)
    center = serializers.ListField(child=serializers.FloatField(), min_length=3, max_length=3)


class _TileView(APIView):
    """A square of a scene. Counted apart from other requests: a map asks for dozens at each move."""

    content_negotiation_class = AnyAccept
    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "tiles"

    def tile(self, request: Request, pk: UUID, kind: Kind, place: tuple[int, int, int]) -> HttpResponseBase:
        """Return the tile, or answer 404 where there is none or the person may not see the scene."""
        tiles = found(lambda: SceneTiles.of(user=request.user, scene_id=pk))
        z, x, y = place
        try:
            return tile_response(request._request, tiles, kind=kind, z=z, x=x, y=y)
        except (NoTile, AssetMissing, UnreadableImage, FileUnavailable) as error:
            raise NotFound(error.message, code=error.code) from None


class MapTileView(_TileView):
    """A map tile."""

    @extend_schema(
        tags=["scenes"],
        operation_id="scenes_map_tile",
        summary="A map tile of a scene",
        description="XYZ in Web Mercator (EPSG:3857), zoom 0 to 24. Beside the scene it is transparent. "
        "Answers 304 to an `If-None-Match` that still holds.",
        responses=_WEBP,
    )
    def get(self, request: Request, pk: UUID, z: int, x: int, y: int) -> HttpResponseBase:
        return self.tile(request, pk, Kind.MAP, (z, x, y))


class DeepZoomView(_TileView):
    """A square of the pixels of a scene."""

    @extend_schema(
        tags=["scenes"],
        operation_id="scenes_deepzoom",
        summary="A square of a scene's pixels",
        description="Level n is the scene scaled so that its longest side is at most 2^n px; the last level is full "
        "resolution. Squares of 256 px from the top left corner; those at the right and bottom edge may be smaller. "
        "Needs no georeference.",
        responses=_WEBP,
    )
    def get(self, request: Request, pk: UUID, level: int, x: int, y: int) -> HttpResponseBase:
        return self.tile(request, pk, Kind.PIXELS, (level, x, y))


class TileJSONView(APIView):
    """What a map program needs to show the scene."""

    @extend_schema(
        tags=["scenes"],
        operation_id="scenes_tilejson",
        summary="The map tiles of a scene, described",
        description="TileJSON 3.0 with bounds, zooms and attribution. The tiles want the same token as all else. "
        "404 for a scene that is not georeferenced.",
        responses=TileJSONSerializer,
    )
    def get(self, request: Request, pk: UUID) -> Response:
        tiles = found(lambda: SceneTiles.of(user=request.user, scene_id=pk))
        first = link(request, "scene-map-tile", pk=pk, z=0, x=0, y=0)
        try:
            return Response(tilejson(tiles, address=tile_template(first)))
        except NoTile as error:
            raise NotFound(error.message, code=error.code) from None
