"""Archive folders in the administration: what the last scan found, and a button that has a worker scan again."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.admin.archive_words import report_lines, state_words
from imagery.admin.base import PermittedAdmin, VisibleRelatedFilter
from imagery.models import ArchiveFile, ArchiveFolder, Collection
from imagery.services.archive_folders import (
    CHANGEABLE_FIELDS,
    archive_folder_forget,
    archive_folder_register,
    archive_folder_update,
    archive_scan_request,
)
from rsportal.errors import RsportalError
from rsportal.web import request_user

_SHOWN_STATES = (ArchiveFile.State.CHANGED, ArchiveFile.State.MISSING, ArchiveFile.State.REFUSED)


class ArchiveFolderForm(forms.ModelForm):
    """A folder of the server, and how often it is looked through."""

    class Meta:
        model = ArchiveFolder
        fields = ("collection", "path", *CHANGEABLE_FIELDS)


@admin.register(ArchiveFolder)
class ArchiveFolderAdmin(PermittedAdmin):
    """Who may edit a collection sees its folders and may scan them; only administrators register and change them."""

    form = ArchiveFolderForm
    list_display = ("path", "collection", "now", "present", "to_look_at", "scanned", "every_hours", "active")
    list_select_related = ("collection",)
    list_filter = (("collection", VisibleRelatedFilter), "active")
    search_fields = ("path",)
    ordering = ("path",)
    fieldsets = (
        (None, {"fields": ("collection", "path", "recursive", "every_hours", "active")}),
        (gettext_lazy("Last scan"), {"fields": ("now", "scanned", "found", "files_list")}),
    )
    readonly_fields = ("now", "scanned", "found", "files_list")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                present_count=Count("files", filter=Q(files__state=ArchiveFile.State.PRESENT)),
                trouble_count=Count("files", filter=Q(files__state__in=_SHOWN_STATES)),
            )
        )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj is not None else self.fieldsets[:1]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else (*self.readonly_fields, "collection", "path")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "collection":
            kwargs["queryset"] = Collection.objects.editable_by(request.user).order_by("title")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        scan = path("<int:pk>/scan/", wrap(self.scan_view), name="imagery_archivefolder_scan")
        return [scan, *super().get_urls()]

    def scan_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queue a scan (POST); ``accept_missing``: what is not there is really gone."""
        folder = self.get_queryset(request).filter(pk=pk).first()
        if not self.has_view_permission(request):
            raise PermissionDenied
        if folder is None:
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            archive_scan_request(
                folder=folder, user=request_user(request), accept_missing="accept_missing" in request.POST
            )
            self.message_user(request, _("A worker scans %(path)s as soon as one is free.") % {"path": folder.path})
        except RsportalError as error:
            self.message_user(request, error.message, messages.ERROR)
        return redirect("admin:imagery_archivefolder_change", pk)

    @admin.display(description=gettext_lazy("now"))
    def now(self, folder: ArchiveFolder) -> str:
        return state_words(folder)

    @admin.display(description=gettext_lazy("last scan"), ordering="scanned_at")
    def scanned(self, folder: ArchiveFolder) -> str:
        if folder.scanned_at is None:
            return _("never")
        return _("%(age)s ago") % {"age": timesince(folder.scanned_at, timezone.now())}

    @admin.display(description=gettext_lazy("files as they were"), ordering="present_count")
    def present(self, folder: ArchiveFolder) -> int:
        return int(getattr(folder, "present_count", 0))

    @admin.display(description=gettext_lazy("to look at"), ordering="trouble_count")
    def to_look_at(self, folder: ArchiveFolder) -> SafeString | int:
        """Count changed, missing and refused files, as a link to them."""
        count = int(getattr(folder, "trouble_count", 0))
        if not count:
            return 0
        states = ",".join(_SHOWN_STATES)
        return format_html('<a href="{}&amp;state__in={}">{}</a>', _files_address(folder), states, count)

    @admin.display(description=gettext_lazy("found"))
    def found(self, folder: ArchiveFolder) -> SafeString | str:
        lines = report_lines(folder.report)
        if not lines:
            return "–"
        items = format_html_join("", "<li>{}{}</li>", ((text, _names(names)) for text, names in lines))
        return format_html('<ul class="rs-report">{}</ul>', items)

    @admin.display(description=gettext_lazy("files"))
    def files_list(self, folder: ArchiveFolder) -> SafeString:
        return format_html('<a href="{}">{}</a>', _files_address(folder), _("All files of this folder"))

    def save_model(self, request: HttpRequest, obj: ArchiveFolder, form: Any, change: bool) -> None:
        user = request_user(request)
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data if name in CHANGEABLE_FIELDS}
            archive_folder_update(folder=obj, user=user, **changes)
            return
        values = form.cleaned_data
        made = archive_folder_register(
            path=values["path"],
            collection=values["collection"],
            user=user,
            recursive=values["recursive"],
            every_hours=values["every_hours"],
        )
        obj.pk, obj.path = made.pk, made.path
        obj._state.adding = False

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """Name the folders only: scenes and files stay."""
        folders = list(objs)
        kind = str(ArchiveFolder._meta.verbose_name)
        refused = set() if all(self.has_delete_permission(request, row) for row in folders) else {kind}
        return [folder.path for folder in folders], {kind: len(folders)}, refused, []

    def delete_model(self, request: HttpRequest, obj: ArchiveFolder) -> None:
        archive_folder_forget(folder=obj, user=request_user(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ArchiveFolder]) -> None:
        self.run_each(
            request,
            queryset,
            lambda folder: archive_folder_forget(folder=folder, user=request_user(request)),
            _("%(row)s: forgotten"),
        )

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        folder = kwargs.get("obj")
        if isinstance(folder, ArchiveFolder) and self.editable(request, folder):
            context["scan_url"] = reverse("admin:imagery_archivefolder_scan", args=[folder.pk])
            context["held"] = folder.report.get("state") == "held"
        return super().render_change_form(request, context, *args, **kwargs)


def _files_address(folder: ArchiveFolder) -> str:
    return f"{reverse('admin:imagery_archivefile_changelist')}?folder__id__exact={folder.pk}"


def _names(names: list[str]) -> SafeString:
    if not names:
        return SafeString("")
    items = format_html_join("", "<li>{}</li>", ((name,) for name in names))
    return format_html("<ul>{}</ul>", items)
