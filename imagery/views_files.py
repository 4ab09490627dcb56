"""Files of scenes, each after a permission check. Whoever may not see the scene gets 404, as if it did not exist."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from imagery.file_responses import asset_response
from imagery.models import Asset
from imagery.selectors import asset_get
from imagery.storage import AssetMissing


@require_safe
def thumbnail(request: HttpRequest, scene_id: UUID) -> HttpResponseBase:
    """The small picture of a scene (WebP)."""
    return _preview(request, scene_id, "thumbnail")


@require_safe
def overview(request: HttpRequest, scene_id: UUID) -> HttpResponseBase:
    """The full view of a scene, scaled to the screen (WebP)."""
    return _preview(request, scene_id, "overview")


@require_safe
def original(request: HttpRequest, scene_id: UUID, key: str) -> HttpResponseBase:
    """An original file, when the licence lets everybody have it or the person edits the collection."""
    asset = _asset_or_404(request, scene_id, key)
    if asset.role != Asset.Role.DATA:
        raise Http404
    try:
        return asset_response(request, user=request.user, asset=asset)
    except AssetMissing as error:
        return render(request, "errors/expected.html", {"error": error}, status=404)


def _preview(request: HttpRequest, scene_id: UUID, key: str) -> HttpResponseBase:
    try:
        return asset_response(request, user=request.user, asset=_asset_or_404(request, scene_id, key))
    except AssetMissing as error:
        raise Http404 from error


def _asset_or_404(request: HttpRequest, scene_id: UUID, key: str) -> Asset:
    try:
        return asset_get(request.user, scene_id, key)
    except Asset.DoesNotExist as error:
        raise Http404 from error
