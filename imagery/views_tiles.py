"""Map tiles and deep zoom for pages. Whoever may not see the scene gets 404, as if it did not exist."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from imagery.models import Scene
from imagery.readers import FileUnavailable, UnreadableImage
from imagery.scene_tiles import Kind, NoTile, SceneTiles
from imagery.storage import AssetMissing
from imagery.tile_descriptions import tilejson
from imagery.tile_responses import absolute, places_response, tile_response, tile_template

_NO_PICTURE = (NoTile, AssetMissing, UnreadableImage, FileUnavailable)


@require_safe
def map_tile(request: HttpRequest, scene_id: UUID, z: int, x: int, y: int) -> HttpResponseBase:
    """One square of the scene on the map (XYZ, Web Mercator, WebP)."""
    return _tile(request, scene_id, Kind.MAP, z, x, y)


@require_safe
def deepzoom(request: HttpRequest, scene_id: UUID, level: int, x: int, y: int) -> HttpResponseBase:
    """One square of the scene's pixels at a level of its pyramid (WebP)."""
    return _tile(request, scene_id, Kind.PIXELS, level, x, y)


@require_safe
def tile_description(request: HttpRequest, scene_id: UUID) -> HttpResponseBase:
    """The scene's map tiles, described (TileJSON 3.0)."""
    tiles = _tiles_or_404(request, scene_id)
    first = reverse("imagery:map_tile", args=[scene_id, 0, 0, 0])
    try:
        return JsonResponse(tilejson(tiles, address=absolute(request, tile_template(first))))
    except NoTile as error:
        raise Http404 from error


@require_safe
def places(request: HttpRequest, scene_id: UUID) -> HttpResponseBase:
    """Where the scene's pixels lie on Earth, for the coordinates, scale and north of the deep view."""
    try:
        return places_response(request, _tiles_or_404(request, scene_id))
    except _NO_PICTURE as error:
        raise Http404 from error


def _tile(request: HttpRequest, scene_id: UUID, kind: Kind, z: int, x: int, y: int) -> HttpResponseBase:
    try:
        return tile_response(request, _tiles_or_404(request, scene_id), kind=kind, z=z, x=x, y=y)
    except _NO_PICTURE as error:
        raise Http404 from error


def _tiles_or_404(request: HttpRequest, scene_id: UUID) -> SceneTiles:
    try:
        return SceneTiles.of(user=request.user, scene_id=scene_id)
    except Scene.DoesNotExist as error:
        raise Http404 from error
