"""The page of a collection's band recipe: form, preview on its own scenes, encoding it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from imagery.admin.recipe_form import RecipeForm, recipe_fields
from imagery.models import Asset, Collection, IngestJob, Scene
from imagery.readers import fit_within
from imagery.rendering_recipe import BandRecipe, recipe_parse
from imagery.selectors_bands import collection_bands, scenes_to_try
from imagery.services.again import (
    AgainProgress,
    again_progress,
    collection_encode_again,
    collection_encode_again_cancel,
)
from imagery.services.collections import collection_update
from imagery.services.rendering_preview import MEDIA_TYPE, PREVIEW_SIDE_PIXELS, preview_picture, preview_refusal
from rsportal.errors import RsportalError
from rsportal.web import request_user

if TYPE_CHECKING:
    _Base = Any
else:
    _Base = object

_SCENES_TRIED: Final = 3
_PREVIEW_MAX_AGE_SECONDS: Final = 600
_FAILURES_SHOWN: Final = 10
PAGE: Final = "admin:imagery_collection_rendering"
PICTURE: Final = "admin:imagery_collection_rendering_picture"


class RenderingPages(_Base):
    """Mixed into the collection's administration; for whoever may change the collection."""

    def rendering_urls(self) -> list[URLPattern]:
        """Return the addresses; they stand before those of the administration, which take any path."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/rendering/", wrap(self.rendering_view), name="imagery_collection_rendering"),
            path(
                "<int:pk>/rendering/scenes/<uuid:scene_id>.webp",
                wrap(require_safe(self.rendering_picture)),
                name="imagery_collection_rendering_picture",
            ),
            path(
                "<int:pk>/rendering/stop/",
                wrap(require_POST(self.rendering_stop)),
                name="imagery_collection_rendering_stop",
            ),
        ]

    def rendering_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET tries what the form says on some scenes; POST keeps it, and with ``encode`` has all encoded again."""
        collection = self._collection(request, pk)
        stored = recipe_parse(collection.rendering)
        asked = request.POST if request.method == "POST" else request.GET
        bound = request.method == "POST" or "stretch" in request.GET
        bands = collection_bands(collection)
        form = RecipeForm(asked if bound else None, bands=bands, recipe=stored)
        if request.method == "POST" and form.is_valid():
            try:
                return self._save(request, collection, form.recipe)
            except RsportalError as error:
                form.add_error(None, error.message)
        valid = not bound or form.is_valid()
        tries = self._tries(request, collection, form.recipe) if valid else []
        context = {
            **self.admin_site.each_context(request),
            "title": _("Band recipe"),
            "opts": self.opts,
            "collection": collection,
            "form": form,
            "changed": valid and form.recipe != stored,
            "looked_at": bands.looked_at,
            "tries": tries,
            "after": asked.get("after", ""),
            "others": _others(form.recipe, tries),
            "scenes": Scene.objects.ready().filter(collection=collection).count(),
            **_progress(again_progress(collection)),
        }
        status = 400 if bound and not valid and request.method == "POST" else 200
        return TemplateResponse(request, "admin/imagery/collection/rendering.html", context, status=status)

    def rendering_picture(self, request: HttpRequest, pk: int, scene_id: UUID) -> HttpResponse:
        """A scene of the collection by the recipe in the query."""
        collection = self._collection(request, pk)
        scene = Scene.objects.ready().filter(collection=collection, pk=scene_id).first()
        stored = recipe_parse(collection.rendering)
        form = RecipeForm(request.GET, bands=collection_bands(collection), recipe=stored)
        if scene is None or not form.is_valid():
            raise Http404
        assets = list(Asset.objects.filter(scene=scene, role=Asset.Role.DATA))
        try:
            content = preview_picture(assets=assets, recipe=form.recipe)
        except RsportalError as error:
            return HttpResponse(error.message, content_type="text/plain; charset=utf-8", status=422)
        response = HttpResponse(content, content_type=MEDIA_TYPE)
        patch_cache_control(response, private=True, max_age=_PREVIEW_MAX_AGE_SECONDS)
        return response

    def rendering_stop(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take back what is not encoded again yet."""
        collection = self._collection(request, pk)
        try:
            count = collection_encode_again_cancel(collection=collection, user=request_user(request))
        except RsportalError as error:
            messages.error(request, error.message)
        else:
            told = ngettext(
                "%(count)d scene keeps the look it has.", "%(count)d scenes keep the look they have.", count
            )
            messages.success(request, told % {"count": count})
        return redirect(PAGE, pk)

    def _save(self, request: HttpRequest, collection: Collection, recipe: BandRecipe) -> HttpResponse:
        user = request_user(request)
        collection_update(collection=collection, user=user, rendering=recipe.as_json())
        messages.success(request, _("The band recipe is kept; scenes added from now on are drawn by it."))
        if "encode" in request.POST:
            _batch, count = collection_encode_again(collection=collection, user=user)
            told = ngettext(
                "%(count)d scene is encoded again; until then searches find it as it was.",
                "%(count)d scenes are encoded again; until then searches find them as they were.",
                count,
            )
            messages.success(request, told % {"count": count})
        return redirect(PAGE, collection.pk)

    def _tries(self, request: HttpRequest, collection: Collection, recipe: BandRecipe) -> list[dict[str, Any]]:
        query = _query(recipe)
        return [
            {
                "scene": scene,
                "bands": ", ".join(scene.stretch.get("bands", ())),
                "size": fit_within((scene.width, scene.height), PREVIEW_SIDE_PIXELS),
                "refusal": preview_refusal(assets=assets, recipe=recipe),
                # Browsers keep thumbnails for an hour: another address once the scene has changed.
                "before": f"{reverse('imagery:thumbnail', args=[scene.pk])}?at={scene.updated_at.timestamp():.0f}",
                "after": f"{reverse(PICTURE, args=[collection.pk, scene.pk])}?{query}",
            }
            for scene, assets in scenes_to_try(collection, most=_SCENES_TRIED, after=_after(request))
        ]

    def _collection(self, request: HttpRequest, pk: int) -> Collection:
        collection = self.get_object(request, str(pk))
        if collection is None:
            raise Http404
        if not self.has_change_permission(request, collection):
            raise PermissionDenied
        found: Collection = collection
        return found


def _query(recipe: BandRecipe) -> str:
    """Return a recipe as the query of the form."""
    fields = {name: value for name, value in recipe_fields(recipe).items() if value not in {"", None, False}}
    return urlencode(fields)


def _others(recipe: BandRecipe, tries: Sequence[dict[str, Any]]) -> str:
    """Return the query that tries the recipe on other scenes; empty where there can be none."""
    if len(tries) < _SCENES_TRIED:
        return ""
    return f"{_query(recipe)}&{urlencode({'after': tries[-1]['scene'].pk})}"


def _after(request: HttpRequest) -> UUID | None:
    """Return the last scene that was tried before, as the address or the form says."""
    asked = request.POST if request.method == "POST" else request.GET
    try:
        return UUID(asked["after"]) if asked.get("after") else None
    except ValueError as error:
        raise Http404 from error


def _progress(progress: AgainProgress | None) -> dict[str, Any]:
    """Return what the page shows of the last run."""
    if progress is None:
        return {}
    failed = IngestJob.objects.filter(batch=progress.batch, again=True, state=IngestJob.State.FAILED)
    return {
        "progress": progress,
        "failures": list(failed.order_by("source_name").values("source_name", "reason")[:_FAILURES_SHOWN]),
        "failures_more": max(0, progress.failed - _FAILURES_SHOWN),
        "jobs_url": f"{reverse('imagery:jobs')}?{urlencode({'batch': progress.batch})}",
    }
