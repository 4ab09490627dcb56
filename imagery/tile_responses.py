"""How map tiles go out, over a page's address or the API's: one rule, one set of headers."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.http import quote_etag

from imagery.scene_places import scene_places
from imagery.scene_tiles import Kind, SceneTiles
from imagery.thumbnails import MEDIA_TYPE

_MAX_AGE_SECONDS: Final = 3600
_FIRST_TILE: Final = "/0/0/0.webp"


def tile_response(request: HttpRequest, tiles: SceneTiles, *, kind: Kind, z: int, x: int, y: int) -> HttpResponseBase:
    """Return a tile of a scene that the person may see, or 304 when theirs is still right (nothing is drawn then).

    Raises NoTile, AssetMissing, UnreadableImage, Unavailable.
    """
    key = tiles.key(kind, z, x, y)
    etag = quote_etag(f"{key.style}-{kind}-{z}-{x}-{y}")
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    if response is None:
        response = HttpResponse(tiles.tile(key), content_type=MEDIA_TYPE)
    return _private(response, etag)


def places_response(request: HttpRequest, tiles: SceneTiles) -> HttpResponseBase:
    """Return the table of places of a scene (``imagery.scene_places``), or 304.

    Raises NoTile without a place, AssetMissing, UnreadableImage.
    """
    tiles.map_require()
    etag = quote_etag(f"{tiles.style}-places")
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    if response is None:
        with tiles.renderer() as renderer:
            response = JsonResponse(scene_places(renderer.reader) or {})
    return _private(response, etag)


def tile_template(first: str) -> str:
    """Return the template of map tile addresses, with {z}, {x} and {y}, from the address of tile 0/0/0."""
    assert first.endswith(_FIRST_TILE)
    return first.removesuffix(_FIRST_TILE) + "/{z}/{x}/{y}.webp"


def absolute(request: HttpRequest, template: str) -> str:
    """Return a template of addresses with the portal's own name before it (its braces stay braces)."""
    return request.build_absolute_uri("/").rstrip("/") + template


def _private(response: HttpResponseBase, etag: str) -> HttpResponseBase:
    response["ETag"] = etag
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    patch_cache_control(response, private=True, max_age=_MAX_AGE_SECONDS)
    patch_vary_headers(response, ["Authorization", "Cookie"])
    return response
