"""What a scene's samples are, and a picture of it with bands and range of choice, by the names that TiTiler uses."""

import io
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from PIL import Image
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from imagery.api.assets import AnyAccept
from imagery.api.viewset import found
from imagery.readers import FileUnavailable, MismatchedBands, fit_within
from imagery.rendering_recipe import BandRecipe, recipe_parse
from imagery.scene_numbers import scene_info, scene_statistics
from imagery.scene_tiles import NoTile, SceneTiles
from imagery.storage import AssetMissing
from imagery.thumbnails import MEDIA_TYPE, OVERVIEW_SIDE_PIXELS
from rsportal.errors import InvalidInput

_DEFAULT_SIDE: Final = 1024
_NO_PICTURE: Final = (NoTile, AssetMissing, FileUnavailable)
_NUMBER: Final = {"type": ["number", "null"]}
_NUMBERS: Final = ("min", "max", "mean", "std", "median", "percentile_2", "percentile_98")
_STATISTICS_SCHEMA: Final = {
    "type": "object",
    "description": "By the name of the band; numbers are null for a band without data.",
    "additionalProperties": {
        "type": "object",
        "properties": {
            "count": {"type": "integer", "description": "Samples with data in the reading."},
            "valid_percent": {"type": "number"},
            **dict.fromkeys(_NUMBERS, _NUMBER),
            "histogram": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "number"}},
                "description": "Counts, and the edges between them.",
            },
        },
        "required": ["count", "valid_percent", *_NUMBERS, "histogram"],
    },
}


class SceneInfoSerializer(serializers.Serializer[Any]):
    """A scene as its files have it."""

    width = serializers.IntegerField()
    height = serializers.IntegerField()
    count = serializers.IntegerField(help_text="How many bands.")
    dtype = serializers.CharField()
    band_descriptions = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(allow_blank=True)), help_text="Name and description."
    )
    crs = serializers.CharField(allow_null=True)
    bounds = serializers.ListField(child=serializers.FloatField(), allow_null=True, help_text="Degrees, WGS 84.")
    minzoom = serializers.IntegerField(allow_null=True)
    maxzoom = serializers.IntegerField(allow_null=True)
    levels = serializers.IntegerField(help_text="The last level of its pixel pyramid.")


class _OpenedView(APIView):
    """A view that opens the scene's files."""

    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "tiles"

    def tiles(self, request: Request, pk: UUID) -> SceneTiles:
        """Return the scene. Answers 404 where it has no pixels or the person may not see it."""
        tiles = found(lambda: SceneTiles.of(user=request.user, scene_id=pk))
        try:
            tiles.picture_require()
        except NoTile as error:
            raise NotFound(error.message, code=error.code) from None
        return tiles

    def handle_exception(self, exc: Exception) -> Response:
        """A file that is gone is "not found", as for its tiles."""
        if isinstance(exc, _NO_PICTURE):
            exc = NotFound(exc.message, code=exc.code)
        return super().handle_exception(exc)


class SceneInfoView(_OpenedView):
    """Size, bands, type."""

    @extend_schema(
        tags=["scenes"],
        operation_id="scenes_info",
        summary="What a scene's samples are",
        responses=SceneInfoSerializer,
    )
    def get(self, request: Request, pk: UUID) -> Response:
        tiles = self.tiles(request, pk)
        with tiles.opened() as renderer:
            return Response(scene_info(tiles, renderer.reader))


class SceneStatisticsView(_OpenedView):
    """Statistics of the bands."""

    @extend_schema(
        tags=["scenes"],
        operation_id="scenes_statistics",
        summary="Statistics of every band",
        description="By the band's name, measured on a reading of at most 1,024 pixels.",
        responses={200: _STATISTICS_SCHEMA},
    )
    def get(self, request: Request, pk: UUID) -> Response:
        with self.tiles(request, pk).opened() as renderer:
            return Response(scene_statistics(renderer.reader))


class ScenePreviewView(_OpenedView):
    """A picture with bands and range of choice."""

    content_negotiation_class = AnyAccept

    @extend_schema(
        tags=["scenes"],
        operation_id="scenes_preview",
        summary="A picture of a scene, with bands and range of choice",
        description="Without parameters, the scene as the portal shows it.",
        parameters=[
            OpenApiParameter("max_size", int, description="Longest side in pixels, 1 to 2048; 1024 by default."),
            OpenApiParameter("bands", str, description="One band (grey) or three, by name: `B08,B04,B03`."),
            OpenApiParameter("rescale", str, description="Samples shown as black and as white: `0,3000`."),
            OpenApiParameter("gamma", float, description="Above 1 brightens."),
        ],
        responses={(200, MEDIA_TYPE): OpenApiResponse(OpenApiTypes.BINARY, description="The picture (WebP).")},
    )
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        size, recipe = preview_parse(request.query_params)
        tiles = self.tiles(request, pk)
        try:
            with tiles.opened(recipe=recipe) as renderer:
                picture = renderer.render(None, fit_within((renderer.reader.width, renderer.reader.height), size))
        except MismatchedBands:
            known = ", ".join(str(band.get("name", "")) for band in tiles.scene.bands)
            raise InvalidInput(
                _("The scene has no such bands; it has %(bands)s.") % {"bands": known}, field="bands"
            ) from None
        out = io.BytesIO()
        Image.fromarray(picture.array).save(out, format="WEBP", quality=82, method=2)
        return HttpResponse(out.getvalue(), content_type=MEDIA_TYPE)


def preview_parse(params: QueryDict) -> tuple[int, BandRecipe | None]:
    """Return the longest side and the recipe (None: as the scene is shown). Raises InvalidInput with the parameter."""
    asked = params.get("max_size", str(_DEFAULT_SIDE))
    size = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 0
    if not 1 <= size <= OVERVIEW_SIDE_PIXELS:
        raise InvalidInput(_("max_size is 1 to %(most)d pixels.") % {"most": OVERVIEW_SIDE_PIXELS}, field="max_size")
    rescale, bands, gamma = (params.get(name, "").strip() for name in ("rescale", "bands", "gamma"))
    if not (rescale or bands or gamma):
        return size, None
    value: dict[str, Any] = {}
    if bands:
        value["bands"] = [name.strip() for name in bands.split(",")]
    if gamma:
        value["gamma"] = _number(gamma, "gamma")
    if rescale:
        ends = [_number(end, "rescale") for end in rescale.split(",")]
        if len(ends) != 2:
            raise InvalidInput(_("rescale is two numbers: the samples shown as black and as white."), field="rescale")
        value |= {"stretch": "range", "range": [ends]}
    try:
        return size, recipe_parse(value)
    except InvalidInput as error:
        field = "rescale" if error.field == "range" else error.field
        raise InvalidInput(error.message, field=field) from None


def _number(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(_("“%(value)s” is no number.") % {"value": text[:40]}, field=field) from None
