"""The page of one scene."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from imagery.citation import bibtex, cited
from imagery.deep_view import deep_view, map_tiles
from imagery.duplicates import duplicates_of
from imagery.models import Asset, Scene
from imagery.scene_tiles import SceneTiles
from imagery.selectors import collection_editable, scene_get, scene_originals
from imagery.services.scene_store import NOTE_PROPERTY
from imagery.services.scenes import scene_delete
from imagery.stac.fields_in import no_pixels
from imagery.storage import AssetMissing, asset_location
from rsportal.errors import NotAllowed
from rsportal.maps.view import footprint_map
from rsportal.web import request_user

Pixels = tuple[int, int, int, int]
_LONGEST_WORDS = 300
"""Longer properties are for programs (a reference system spelt out); they are in the STAC document."""


@require_safe
def scene(request: HttpRequest, scene_id: UUID) -> HttpResponse:
    """Full view, metadata, map and files; ``?window=x,y,w,h`` (px) outlines a match, ``?t=`` is its signed token."""
    shown = _scene_or_404(request, scene_id)
    editable = collection_editable(request.user, shown.collection)
    originals = scene_originals(shown)
    overview = _overview(shown)
    ready = shown.status == Scene.Status.READY and min(shown.width, shown.height) > 0
    tiles = SceneTiles(shown, tuple(originals))
    context = {
        "scene": shown,
        "editable": editable,
        "downloadable": editable or shown.collection.originals_downloadable,
        "originals": [(asset, _missing(asset)) for asset in originals],
        "has_overview": overview is not None,
        "deep": deep_view(tiles, overview=overview) if overview and ready else None,
        **(map_tiles(tiles, request) if ready and shown.bbox else {}),
        "no_pixels": no_pixels(shown),
        "window": _window(request.GET.get("window", ""), shown),
        "token": request.GET.get("t", ""),
        "map": footprint_map(shown.footprint, shown.bbox) if shown.footprint and shown.bbox else None,
        "geojson": _geojson(shown),
        "cited": cited(shown.collection),
        "bibtex": bibtex(
            shown.collection, scene=shown, address=request.build_absolute_uri(reverse("imagery:scene", args=[shown.pk]))
        ),
        "bands": [_band_name(band) for band in shown.bands],
        "duplicates": duplicates_of(shown, request.user),
        "properties": sorted((name, _said(name, value)) for name, value in shown.properties.items() if _plain(value)),
    }
    return render(request, "imagery/scene.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def scene_delete_confirm(request: HttpRequest, scene_id: UUID) -> HttpResponse:
    """Ask, then delete the scene and the portal's copies of its files (an operator's archive is left alone)."""
    shown = _scene_or_404(request, scene_id)
    if not collection_editable(request.user, shown.collection):
        raise NotAllowed(_("Only the owner and the editors of “%s” can delete its scenes.") % shown.collection)
    if request.method == "POST":
        scene_delete(scene=shown, user=request_user(request))
        messages.success(request, _("“%s” was deleted.") % shown.title)
        return redirect("imagery:collection", slug=shown.collection.slug)
    return render(request, "imagery/scene_delete.html", {"scene": shown, "originals": scene_originals(shown)})


def _scene_or_404(request: HttpRequest, scene_id: UUID) -> Scene:
    try:
        return scene_get(request.user, scene_id)
    except Scene.DoesNotExist as error:
        raise Http404 from error


def _window(text: str, scene: Scene) -> Pixels | None:
    """Return ``x,y,w,h`` when it is a true part of the scene, else None (a whole scene needs no outline)."""
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        return None
    inside = min(x, y) >= 0 and min(width, height) > 0 and x + width <= scene.width and y + height <= scene.height
    whole = (width, height) == (scene.width, scene.height)
    return (x, y, width, height) if inside and not whole else None


def _missing(asset: Asset) -> bool:
    try:
        asset_location(asset)
    except AssetMissing:
        return True
    return False


def _overview(scene: Scene) -> Asset | None:
    asset = Asset.objects.filter(scene=scene, role=Asset.Role.OVERVIEW).first()
    return None if asset is None or _missing(asset) else asset


def _band_name(band: Any) -> str:
    """Return a band's name: bands are names, or STAC objects with one."""
    return str(band.get("name") or band.get("description") or "?") if isinstance(band, dict) else str(band)


def _plain(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and 0 < len(str(value)) <= _LONGEST_WORDS


def _said(name: str, value: Any) -> Any:
    return _(value) if name == NOTE_PROPERTY and isinstance(value, str) else value


def _geojson(scene: Scene) -> str:
    feature: dict[str, Any] = {
        "type": "Feature",
        "id": str(scene.pk),
        "bbox": scene.bbox,
        "geometry": scene.footprint,
        "properties": {
            "title": scene.title,
            "collection": scene.collection.slug,
            "datetime": scene.datetime.isoformat().replace("+00:00", "Z") if scene.datetime else None,
        },
    }
    return json.dumps(feature, ensure_ascii=False, indent=2) if scene.footprint else ""
