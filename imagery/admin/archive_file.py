"""Files of archive folders in the administration: what is changed, missing or refused, and why."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.admin.base import PermittedAdmin, ReadOnly, VisibleRelatedFilter
from imagery.models import ArchiveFile
from imagery.services.archive_folders import archive_files_take_again
from rsportal.errors import RsportalError
from rsportal.web import request_user


@admin.register(ArchiveFile)
class ArchiveFileAdmin(ReadOnly, PermittedAdmin):
    """Written by scans alone; who edits the collection may have files taken in again as they are now."""

    list_display = ("path", "state", "why", "scene_link", "size", "seen_at", "folder")
    list_select_related = ("folder__collection", "scene")
    list_filter = ("state", ("folder", VisibleRelatedFilter))
    search_fields = ("path", "reason")
    ordering = ("folder", "path")
    actions = ("take_again",)
    fields = ("folder", "path", "state", "reason", "scene_link", "size", "sha256", "seen_at")
    readonly_fields = fields

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "state__in" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def has_take_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may have files taken in again (the service checks each folder)."""
        return request.user.has_perm("imagery.view_archivefile")

    @admin.display(description=gettext_lazy("reason"), ordering="reason")
    def why(self, file: ArchiveFile) -> str:
        return file.reason

    @admin.display(description=gettext_lazy("scene"))
    def scene_link(self, file: ArchiveFile) -> SafeString | str:
        if file.scene is None:
            return "–"
        address = reverse("admin:imagery_scene_change", args=[file.scene_id])
        return format_html('<a href="{}">{}</a>', address, file.scene.title)

    @admin.action(description=gettext_lazy("Take in again as they are now"), permissions=["take"])
    def take_again(self, request: HttpRequest, queryset: QuerySet[ArchiveFile]) -> None:
        try:
            count = archive_files_take_again(files=queryset.select_related("folder"), user=request_user(request))
        except RsportalError as error:
            self.message_user(request, error.message, "error")
            return
        self.message_user(
            request,
            _(
                "The next scan, which is queued, takes %(count)d files as new. Scenes that were made of other bytes "
                "stay; delete those you no longer want."
            )
            % {"count": count},
        )
