"""How a file of a scene goes out, over a page's address or the API's: one rule, one set of headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.http import FileResponse, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.http import http_date, quote_etag
from django.utils.translation import gettext as _

from imagery.models import Asset
from imagery.selectors import collection_editable
from imagery.storage import asset_open, asset_path
from rsportal.errors import NotAllowed

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_PREVIEW_MAX_AGE_SECONDS: Final = 3600
_ORIGINAL_MAX_AGE_SECONDS: Final = 60


def asset_response(request: HttpRequest, *, user: Viewer, asset: Asset) -> HttpResponseBase:
    """Return the bytes of a file that ``user`` may see (``asset_get`` found it), or 304 when they are unchanged.

    Originals go only to those who edit the collection, unless the licence lets everybody have them: raises
    NotAllowed. Raises AssetMissing when the file is gone.
    """
    original = asset.role == Asset.Role.DATA
    if original:
        _original_check(user, asset)
    if asset.href and not asset.path:  # Read where it is: whoever may have it fetches it there.
        return HttpResponseRedirect(asset.href)
    etag = quote_etag(asset.sha256)
    changed = int(asset_path(asset).stat().st_mtime)
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag, last_modified=changed)
    if response is None:
        response = FileResponse(
            asset_open(asset), as_attachment=original, filename=asset.filename, content_type=asset.media_type
        )
        response["X-Content-Type-Options"] = "nosniff"
        response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["ETag"] = etag
    response["Last-Modified"] = http_date(changed)
    max_age = _ORIGINAL_MAX_AGE_SECONDS if original else _PREVIEW_MAX_AGE_SECONDS
    patch_cache_control(response, private=True, max_age=max_age)
    patch_vary_headers(response, ["Authorization", "Cookie"])
    return response


def _original_check(user: Viewer, asset: Asset) -> None:
    collection = asset.scene.collection
    if not collection.originals_downloadable and not collection_editable(user, collection):
        raise NotAllowed(
            _("The licence of “%s” does not allow downloads of the original files. Ask the owner for a copy.")
            % collection
        )
