"""Files of scenes, each after a permission check. Whoever may not see the scene gets 404, as if it did not exist."""

from typing import Final
from uuid import UUID

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.http import http_date, quote_etag
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from imagery.models import Asset
from imagery.selectors import asset_get, collection_editable
from imagery.storage import AssetMissing, asset_open, asset_path
from rsportal.errors import NotAllowed

_PREVIEW_MAX_AGE_SECONDS: Final = 3600
_ORIGINAL_MAX_AGE_SECONDS: Final = 60


@require_safe
def thumbnail(request: HttpRequest, scene_id: UUID) -> HttpResponse:
    """The small picture of a scene (WebP)."""
    return _preview(request, scene_id, "thumbnail")


@require_safe
def overview(request: HttpRequest, scene_id: UUID) -> HttpResponse:
    """The full view of a scene, scaled to the screen (WebP)."""
    return _preview(request, scene_id, "overview")


@require_safe
def original(request: HttpRequest, scene_id: UUID, key: str) -> HttpResponse:
    """An original file, when the licence lets everybody have it or the person edits the collection."""
    asset = _asset_or_404(request, scene_id, key)
    if asset.role != Asset.Role.DATA:
        raise Http404
    collection = asset.scene.collection
    if not collection.originals_downloadable and not collection_editable(request.user, collection):
        raise NotAllowed(
            _("The licence of “%s” does not allow downloads of the original files. Ask the owner for a copy.") % collection
        )
    try:
        return _file_response(request, asset, max_age=_ORIGINAL_MAX_AGE_SECONDS, attachment=True)
    except AssetMissing as error:
        return render(request, "errors/expected.html", {"error": error}, status=404)


def _preview(request: HttpRequest, scene_id: UUID, key: str) -> HttpResponse:
    asset = _asset_or_404(request, scene_id, key)
    try:
        return _file_response(request, asset, max_age=_PREVIEW_MAX_AGE_SECONDS, attachment=False)
    except AssetMissing as error:
        raise Http404 from error


def _asset_or_404(request: HttpRequest, scene_id: UUID, key: str) -> Asset:
    try:
        return asset_get(request.user, scene_id, key)
    except Asset.DoesNotExist as error:
        raise Http404 from error


def _file_response(request: HttpRequest, asset: Asset, *, max_age: int, attachment: bool) -> HttpResponse:
    etag = quote_etag(asset.sha256)
    changed = int(asset_path(asset).stat().st_mtime)
    response = get_conditional_response(request, etag=etag, last_modified=changed)
    if response is None:
        response = FileResponse(
            asset_open(asset), as_attachment=attachment, filename=asset.filename, content_type=asset.media_type
        )
        response["X-Content-Type-Options"] = "nosniff"
        response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["ETag"] = etag
    response["Last-Modified"] = http_date(changed)
    patch_cache_control(response, private=True, max_age=max_age)
    patch_vary_headers(response, ["Cookie"])
    return response
