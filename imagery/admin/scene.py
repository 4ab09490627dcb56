"""Scenes in the administration."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from imagery.admin.base import PermittedAdmin, VisibleRelatedFilter
from imagery.admin.scene_duplicates import FixityFilter, SceneDuplicates
from imagery.models import Asset, Scene
from imagery.services.properties import scene_fields
from imagery.services.scenes import ACQUISITION_FIELDS, CHANGEABLE_FIELDS, scene_delete, scene_update
from rsportal.errors import InvalidInput
from rsportal.web import request_user

_ALT = gettext_lazy("picture")


class SceneForm(forms.ModelForm):
    """The title and the acquisition of a scene, by the rules of an upload."""

    class Meta:
        model = Scene
        fields = CHANGEABLE_FIELDS

    def clean_instruments(self) -> Any:
        """An emptied box means no instruments."""
        return self.cleaned_data["instruments"] or []

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        try:
            scene_fields({name: data[name] for name in ACQUISITION_FIELDS if name in data})
        except InvalidInput as error:
            self.add_error(error.field, error.message)
        return data


@admin.register(Scene)
class SceneAdmin(SceneDuplicates, PermittedAdmin):
    """Scenes: metadata can be put right; pictures, place and checksum come from the file and stay."""

    form = SceneForm
    list_display = ("picture", "title", "collection", "status", "datetime", "platform", "gsd_m", "created_at")
    list_display_links = ("title",)
    list_select_related = ("collection",)
    list_filter = (
        ("collection", VisibleRelatedFilter),
        "status",
        "datetime",
        ("platform", admin.AllValuesFieldListFilter),
        FixityFilter,
    )
    search_fields = ("title",)
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    fieldsets = (
        (None, {"fields": ("picture", "title", "collection", "status", "on_portal")}),
        (
            gettext_lazy("Acquisition"),
            {
                "fields": (
                    "datetime",
                    ("start_datetime", "end_datetime"),
                    ("platform", "instruments"),
                    ("gsd", "cloud_cover"),
                )
            },
        ),
        (gettext_lazy("Search"), {"fields": ("embargo_until",)}),
        (
            gettext_lazy("Read from the file"),
            {"fields": ("size", "proj_code", "bounds", "footprint", "files", "content_hash")},
        ),
        (gettext_lazy("Record"), {"fields": ("id", "added_by", "created_at", "updated_at")}),
    )
    readonly_fields = (
        "picture", "collection", "status", "on_portal", "size", "proj_code", "bounds", "footprint", "files",
        "content_hash", "id", "added_by", "created_at", "updated_at",
    )  # fmt: skip

    @admin.display(description=gettext_lazy("GSD (m)"), ordering="gsd")
    def gsd_m(self, scene: Scene) -> float | None:
        """The ground sample distance under a heading that leaves room for the other columns."""
        return scene.gsd

    def get_urls(self) -> list[URLPattern]:
        return [*self.duplicates_urls(), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Scene]:
        thumbnails = Asset.objects.filter(scene=OuterRef("pk"), role=Asset.Role.THUMBNAIL)
        return (
            super()
            .get_queryset(request)
            .annotate(has_picture=Exists(thumbnails))
            .defer("placeholder", "properties", "bands", "footprint")
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Scenes arrive by ingest, never by typing."""
        return False

    @admin.display(description=_ALT)
    def picture(self, scene: Scene) -> SafeString | str:
        """Show the thumbnail through the permission-checked address."""
        if not getattr(scene, "has_picture", False):
            return "–"
        return format_html(
            '<img class="rs-thumb" src="{}" alt="" width="96" height="72" loading="lazy">',
            reverse("imagery:thumbnail", args=[scene.pk]),
        )

    @admin.display(description=gettext_lazy("in the portal"))
    def on_portal(self, scene: Scene) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("imagery:scene", args=[scene.pk]), _("Open the scene's page"))

    @admin.display(description=gettext_lazy("size"))
    def size(self, scene: Scene) -> str:
        return f"{scene.width} × {scene.height} px"

    @admin.display(description=gettext_lazy("bounding box"))
    def bounds(self, scene: Scene) -> str:
        """(west, south, east, north) in degrees WGS 84."""
        if scene.bbox is None:
            return _("Not georeferenced.")
        return _("%(west).5f° to %(east).5f° longitude, %(south).5f° to %(north).5f° latitude (WGS 84)") % dict(
            zip(("west", "south", "east", "north"), scene.bbox, strict=True)
        )

    @admin.display(description=gettext_lazy("added by"))
    def added_by(self, scene: Scene) -> str:
        return scene.created_by.get_username() if scene.created_by else "–"

    @admin.display(description=gettext_lazy("files"))
    def files(self, scene: Scene) -> str:
        """The original files, and what the last check said of each."""
        originals = scene.assets.filter(role=Asset.Role.DATA).order_by("key")
        return ", ".join(f"{asset.filename} ({asset.get_fixity_display()})" for asset in originals) or "–"

    def save_model(self, request: HttpRequest, obj: Scene, form: Any, change: bool) -> None:
        changes = {name: value for name, value in form.cleaned_data.items() if value != form.initial[name]}
        scene_update(scene=obj, user=request_user(request), **changes)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """Name the scenes only: what hangs on them (files, tiles, vectors, other people's clicks) stays unread."""
        scenes = list(objs)
        editable = set(
            Scene.objects.editable_by(request.user)
            .filter(pk__in=[scene.pk for scene in scenes])
            .values_list("pk", flat=True)
        )
        refused = {str(Scene._meta.verbose_name)} if any(scene.pk not in editable for scene in scenes) else set()
        if not self.has_delete_permission(request):
            refused.add(str(Scene._meta.verbose_name))
        label = ngettext("scene with its files and vectors", "scenes with their files and vectors", len(scenes))
        return [scene.title for scene in scenes], {label: len(scenes)}, refused, []

    def delete_model(self, request: HttpRequest, obj: Scene) -> None:
        scene_delete(scene=obj, user=request_user(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Scene]) -> None:
        self.run_each(
            request,
            queryset.editable_by(request.user),  # type: ignore[attr-defined]
            lambda scene: scene_delete(scene=scene, user=request_user(request)),
            _("%(row)s: deleted"),
        )
