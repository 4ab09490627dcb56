"""Ingest jobs in the administration: watch, retry, cancel."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.admin.base import PermittedAdmin, ReadOnly, VisibleRelatedFilter
from imagery.models import IngestJob
from imagery.services.ingest import ingest_job_cancel, ingest_job_retry
from rsportal.web import request_user

_REASON_LENGTH = 90  # characters in the list; the job's own page shows all


@admin.register(IngestJob)
class IngestJobAdmin(ReadOnly, PermittedAdmin):
    """Jobs are written by the ingest service alone; curators may retry and cancel."""

    list_display = ("source_name", "state", "progress", "why", "attempts", "heartbeat", "collection", "created_at")
    list_select_related = ("collection",)
    list_filter = ("state", ("collection", VisibleRelatedFilter), "retryable", "created_at")
    search_fields = ("source_name", "reason")
    actions = ("retry", "cancel")
    ordering = ("-created_at", "-id")
    fieldsets = (
        (None, {"fields": ("source_name", "collection", "scene_link", "state", "progress", "reason", "retryable")}),
        (gettext_lazy("Times"), {"fields": ("created_at", "started_at", "heartbeat", "finished_at", "attempts")}),
        (gettext_lazy("Record"), {"fields": ("id", "batch", "started_by")}),
    )
    readonly_fields = ("started_by", "progress", "heartbeat", "scene_link", "why", "id", "created_at")

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may retry and cancel (the services check each job)."""
        return request.user.has_perm("imagery.change_ingestjob")

    def row_name(self, row: IngestJob) -> str:
        return row.source_name

    @admin.display(description=gettext_lazy("progress"))
    def progress(self, job: IngestJob) -> SafeString:
        """Share of tiles encoded."""
        label = f"{job.done}/{job.total}" if job.total else f"{job.percent} %"
        return format_html(
            '<progress max="100" value="{}" aria-label="{}">{} %</progress> {}',
            job.percent, _("progress"), job.percent, label,
        )  # fmt: skip

    @admin.display(description=gettext_lazy("last sign of life"), ordering="heartbeat_at")
    def heartbeat(self, job: IngestJob) -> str:
        if job.heartbeat_at is None:
            return "–"
        return _("%(age)s ago") % {"age": timesince(job.heartbeat_at, timezone.now())}

    @admin.display(description=gettext_lazy("started by"))
    def started_by(self, job: IngestJob) -> str:
        return job.created_by.get_username() if job.created_by else "–"

    @admin.display(description=gettext_lazy("reason"))
    def why(self, job: IngestJob) -> str:
        return Truncator(job.reason).chars(_REASON_LENGTH)

    @admin.display(description=gettext_lazy("scene"))
    def scene_link(self, job: IngestJob) -> SafeString | str:
        if job.scene_id is None:
            return "–"
        return format_html('<a href="{}">{}</a>', reverse("admin:imagery_scene_change", args=[job.scene_id]), job.scene)

    @admin.action(description=gettext_lazy("Retry the chosen jobs"), permissions=["steer"])
    def retry(self, request: HttpRequest, queryset: QuerySet[IngestJob]) -> None:
        self.run_each(
            request,
            queryset,
            lambda job: ingest_job_retry(job=job, user=request_user(request)),
            _("%(row)s – queued again"),
        )

    @admin.action(description=gettext_lazy("Cancel the chosen jobs"), permissions=["steer"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[IngestJob]) -> None:
        self.run_each(
            request,
            queryset,
            lambda job: ingest_job_cancel(job=job, user=request_user(request)),
            _("%(row)s – cancelled"),
        )
