"""Collections in the administration: text, licence, visibility, members and counts."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from imagery.admin.base import PermittedAdmin, count_of
from imagery.admin.collection_rendering import RenderingPages
from imagery.admin.member import MemberInline
from imagery.form_fields import PROVIDERS_HELP, KeywordsField, ProvidersField
from imagery.models import Collection, CollectionMember, Scene
from imagery.services.collections import (
    collection_create,
    collection_delete,
    collection_member_remove,
    collection_member_set,
    collection_owned_by,
    collection_update,
)
from rsportal.web import request_user

_TEXTS = ("title", "description", "license", "license_url", "attribution", "visibility")
_CITED = ("providers", "keywords", "doi", "citation")
_TILING = ("tile_overlap", "tile_gsd_min", "tile_gsd_max", "tile_most")


class CollectionForm(forms.ModelForm):
    """The fields a curator writes; the address may stay empty and is then made from the title."""

    slug = forms.SlugField(
        max_length=70,
        required=False,
        label=gettext_lazy("slug"),
        help_text=gettext_lazy("The last part of the collection's address. Empty: made from the title. It stays."),
    )
    providers = ProvidersField(label=gettext_lazy("Providers"), required=False, help_text=PROVIDERS_HELP)
    keywords = KeywordsField(
        label=gettext_lazy("Keywords"), required=False, help_text=gettext_lazy("With commas between them.")
    )

    class Meta:
        model = Collection
        fields = ("slug", *_TEXTS, *_CITED, *_TILING)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"tile_overlap", "tile_most"} & set(self.fields):
            self.fields[name].required = False  # Empty leaves it as it is, or at the usual value.

    def clean_tile_overlap(self) -> float:
        given: float | None = self.cleaned_data["tile_overlap"]
        return self.instance.tile_overlap if given is None else given

    def clean_tile_most(self) -> int:
        given: int | None = self.cleaned_data["tile_most"]
        return self.instance.tile_most if given is None else given


@admin.register(Collection)
class CollectionAdmin(RenderingPages, PermittedAdmin):
    """Collections; only the owner and superusers change one, and only an empty one can be deleted."""

    form = CollectionForm
    inlines = (MemberInline,)
    list_display = ("title", "slug", "visibility", "license", "owner_name", "scene_list", "member_count", "created_at")
    list_select_related = ("owner",)
    list_filter = ("visibility",)
    search_fields = ("title", "slug")
    ordering = ("title",)
    fieldsets = (
        (None, {"fields": ("title", "slug", "description", "owner_name")}),
        (gettext_lazy("Who sees it"), {"fields": ("visibility",)}),
        (gettext_lazy("Licence"), {"fields": ("license", "license_url", "attribution", *_CITED)}),
        (
            gettext_lazy("Windows"),
            {
                "fields": _TILING,
                "description": gettext_lazy(
                    "How scenes are cut into the windows that are found; it holds for scenes added from now on. "
                    "“manage.py ingest --dry-run” tells what it costs."
                ),
            },
        ),
        (gettext_lazy("Record"), {"fields": ("scene_list", "created_at", "updated_at")}),
    )

    def get_urls(self) -> list[URLPattern]:
        return [*self.rendering_urls(), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                scene_count=count_of(Scene, path="collection"),
                people_count=count_of(CollectionMember, path="collection"),
            )
        )

    def editable(self, request: HttpRequest, obj: Model | None) -> bool:
        """Editors of a collection change its scenes; the collection itself belongs to its owner."""
        if not isinstance(obj, Collection):
            return True
        return collection_owned_by(collection=obj, user=request_user(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fixed = ("owner_name", "scene_list", "created_at", "updated_at")
        return fixed if obj is None else (*fixed, "slug")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return self.fieldsets
        return [
            (name, {**o, "fields": tuple(f for f in o["fields"] if f != "owner_name")})
            for name, o in self.fieldsets[:-1]
        ]

    @admin.display(description=gettext_lazy("owner"), ordering="owner__username")
    def owner_name(self, collection: Collection) -> str:
        """Show the name only: a link would lead curators to an account they may not open."""
        return collection.owner.get_username()

    @admin.display(description=gettext_lazy("scenes"), ordering="scene_count")
    def scene_list(self, collection: Collection) -> SafeString:
        address = reverse("admin:imagery_scene_changelist")
        return format_html(
            '<a href="{}?collection__id__exact={}">{}</a>',
            address,
            collection.pk,
            getattr(collection, "scene_count", 0),
        )

    @admin.display(description=gettext_lazy("members"), ordering="people_count")
    def member_count(self, collection: Collection) -> int:
        return int(getattr(collection, "people_count", 0))

    def save_model(self, request: HttpRequest, obj: Collection, form: Any, change: bool) -> None:
        if change:
            written = {*_TEXTS, *_CITED, *_TILING}
            changes = {name: form.cleaned_data[name] for name in form.changed_data if name in written}
            if changes:
                collection_update(collection=obj, user=request_user(request), **changes)
            return
        texts = {name: form.cleaned_data[name] for name in (*_TEXTS, *_CITED, *_TILING)}
        made = collection_create(user=request_user(request), slug=form.cleaned_data["slug"], **texts)
        obj.pk, obj.slug, obj.owner = made.pk, made.slug, made.owner
        obj._state.adding = False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Give and take back members' rights through the services."""
        collection: Collection = form.instance
        user = request_user(request)
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        for row in formset.deleted_forms:
            if row.instance.pk:
                collection_member_remove(collection=collection, user=user, member_id=row.instance.user_id)
                formset.deleted_objects.append(row.instance)
        for row in formset.forms:
            if row in formset.deleted_forms or not row.has_changed():
                continue
            role, name = row.cleaned_data["role"], row.cleaned_data["username"]
            new = row.instance.pk is None
            member = collection_member_set(collection=collection, user=user, username=name, role=role)
            (formset.new_objects.append(member) if new else formset.changed_objects.append((member, row.changed_data)))

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """Name the collections; those that still hold scenes are protected."""
        collections = list(objs)
        kind = str(Collection._meta.verbose_name)
        refused = {kind} if not all(self.has_delete_permission(request, row) for row in collections) else set()
        full = {row.pk: row.scenes.count() for row in collections}
        protected = [
            ngettext("“%(title)s” holds %(count)d scene", "“%(title)s” holds %(count)d scenes", full[row.pk])
            % {"title": row.title, "count": full[row.pk]}
            for row in collections
            if full[row.pk]
        ]
        label = ngettext("collection", "collections", len(collections))
        return [row.title for row in collections], {label: len(collections)}, refused, protected

    def delete_model(self, request: HttpRequest, obj: Collection) -> None:
        collection_delete(collection=obj, user=request_user(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Collection]) -> None:
        self.run_each(
            request,
            queryset,
            lambda row: collection_delete(collection=row, user=request_user(request)),
            _("%(row)s: deleted"),
        )
