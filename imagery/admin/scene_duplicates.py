"""Pages of the administration on what became of scenes: possible duplicates; a filter by the check of originals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.models import Asset, Collection, Scene
from imagery.selectors import collections_list
from imagery.selectors_duplicates import duplicates_page
from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    _Base = Any
else:
    _Base = object


class FixityFilter(SimpleListFilter):
    """Scenes by what the last check said of their original files."""

    title = gettext_lazy("check of originals")
    parameter_name = "fixity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value or "unknown", label) for value, label in Asset.Fixity.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Scene]) -> QuerySet[Scene]:
        value = self.value()
        if value not in {"unknown", *Asset.Fixity.values} or not value:
            return queryset
        fixity = "" if value == "unknown" else value
        return queryset.filter(Exists(Asset.objects.filter(scene=OuterRef("pk"), role=Asset.Role.DATA, fixity=fixity)))


class SceneDuplicates(_Base):
    """The list of possible duplicates; mixed into the scenes' admin."""

    def duplicates_urls(self) -> list[URLPattern]:
        """Return its address; it stands before Django's own."""
        wrap = self.admin_site.admin_view
        return [path("duplicates/", wrap(self.duplicates_view), name="imagery_scene_duplicates")]

    def duplicates_view(self, request: HttpRequest) -> HttpResponse:
        """Show scenes that may be the same as older ones, some hundred scenes a page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = request.GET.get("collection", "")
        collections = list(collections_list(request.user))
        collection = next((each for each in collections if each.slug == chosen), None)
        try:
            page = duplicates_page(request.user, collection=collection, after=request.GET.get("after", ""))
        except InvalidInput:
            page = duplicates_page(request.user, collection=collection)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Possible duplicates"),
            "page": page,
            "collections": collections,
            "chosen": _slug(collection),
        }
        return TemplateResponse(request, "admin/imagery/scene/duplicates.html", context)


def _slug(collection: Collection | None) -> str:
    return collection.slug if collection else ""
