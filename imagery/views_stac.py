"""STAC documents over the addresses of the pages, for the person who is logged in."""

from uuid import UUID

from django.http import Http404, HttpRequest, JsonResponse
from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views.decorators.http import require_safe

from imagery.models import Asset, Collection, Scene
from imagery.stac.item_out import GEOJSON
from imagery.stac_documents import Addresses, Json, collection_stac, item_document, root_stac


@require_safe
def catalog(request: HttpRequest) -> JsonResponse:
    """All collections this person may see, as a STAC Catalog."""
    return stac_response(root_stac(user=request.user, addresses=_addresses(request)))


@require_safe
def collection(request: HttpRequest, slug: str) -> JsonResponse:
    """One collection as a STAC Collection."""
    try:
        return stac_response(collection_stac(user=request.user, slug=slug, addresses=_addresses(request)))
    except Collection.DoesNotExist as error:
        raise Http404 from error


@require_safe
def item(request: HttpRequest, scene_id: UUID) -> JsonResponse:
    """One scene as a STAC Item."""
    try:
        return stac_response(item_document(user=request.user, scene_id=scene_id, addresses=_addresses(request)))
    except Scene.DoesNotExist as error:
        raise Http404 from error


def stac_response(document: Json) -> JsonResponse:
    """Return a document as it travels; what it says depends on who asks."""
    media_type = GEOJSON if document["type"] == "Feature" else "application/json"
    parameters = {"ensure_ascii": False, "indent": 2}
    response = JsonResponse(document, content_type=media_type, json_dumps_params=parameters)
    patch_cache_control(response, private=True, no_cache=True)
    patch_vary_headers(response, ["Authorization", "Cookie", "Accept-Language"])
    return response


def _addresses(request: HttpRequest) -> Addresses:
    def address(name: str, *args: object) -> str:
        return request.build_absolute_uri(reverse(f"imagery:{name}", args=args))

    def asset(row: Asset) -> str:
        if row.key in {"thumbnail", "overview"} and row.role != Asset.Role.DATA:
            return address(row.key, row.scene_id)
        return address("original", row.scene_id, row.key) if row.role == Asset.Role.DATA else ""

    return Addresses(
        root=address("stac_catalog"),
        item=lambda scene: address("scene_stac", scene.pk),
        collection=lambda row: address("collection_stac", row.slug),
        asset=asset,
        scene_page=lambda scene: address("scene", scene.pk),
        collection_page=lambda row: address("collection", row.slug),
    )
