"""Encoders in the administration: what there is, how far a fill is, and the buttons of a change of model."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, URLPattern, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.admin.base import ReadOnly
from imagery.admin.encoder_index import index_words
from imagery.admin.encoder_steer import EncoderSteering, steps_for
from imagery.fill_progress import fill_eta, fill_rate, fill_silent
from imagery.models import Encoder, EncoderFill, FillItem, Scene
from imagery.models.encoder import HEAVY_FIELDS
from imagery.selectors_encoders import Stored, vectors_stored
from imagery.services.adapters import adapter_line
from imagery.services.runtime import encoder_runtime_line
from imagery.services.selftest import selftest_lines
from imagery.services.sketches import bridge_line

_FAILED_SHOWN = 20


@admin.register(Encoder)
class EncoderAdmin(EncoderSteering, ReadOnly, admin.ModelAdmin):
    """Encoders with the size of what is stored of them; the vectors are never read here.

    Counts over the whole archive are for those who may steer encoders: others see only part of the archive.
    """

    list_display = ("name", "state", "kind", "dimension", "vectors", "progress", "activated_at")
    list_filter = ("state", "kind")
    search_fields = ("name", "source")
    list_select_related = ("fill",)
    show_full_result_count = False
    actions = None
    fieldsets = (
        (None, {"fields": ("name", "state", "kind", "source", "revision", "resolved_revision", "checksum")}),
        (
            gettext_lazy("Model"),
            {
                "fields": (
                    "dimension",
                    "image_size",
                    "languages",
                    "prompts",
                    "calibration",
                    "runs_as",
                    "means_at",
                    "adapted",
                    "sketches",
                    "self_test",
                )
            },
        ),
        (gettext_lazy("Use"), {"fields": ("vectors", "vector_index", "created_at", "activated_at", "previous")}),
    )
    readonly_fields = ("vectors", "vector_index", "runs_as", "adapted", "sketches", "self_test")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Encoder]:
        rows: QuerySet[Encoder] = super().get_queryset(request).defer(*HEAVY_FIELDS).select_related("fill", "previous")
        return rows

    def get_urls(self) -> list[URLPattern]:
        return [*self.steering_urls(), *super().get_urls()]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Look up the sizes of all rows of the page at once."""
        listed = super().get_changelist_instance(request)
        listed.result_list = list(listed.result_list)
        self._look_up(request, listed.result_list)
        return listed

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), **self._links(request)})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show an encoder with its fill and the buttons of what can be done with it now."""
        encoder = self.get_object(request, object_id)
        context: dict[str, Any] = {**(extra_context or {}), **self._links(request)}
        if encoder is not None and self.has_steer_permission(request):
            fill = getattr(encoder, "fill", None)
            context |= {"steps": steps_for(encoder, fill), "encoder": encoder, "stages_url": _stages_url(encoder)}
            if fill is not None:
                context |= {"fill": fill, "fill_facts": fill_facts(fill), **_failures(request, fill)}
        return super().change_view(request, object_id, form_url, context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Encoder | None:
        encoder: Encoder | None = super().get_object(request, object_id, from_field)
        if encoder is not None:
            self._look_up(request, [encoder])
        return encoder

    def _look_up(self, request: HttpRequest, encoders: list[Encoder]) -> None:
        stored = vectors_stored(encoders) if self.has_steer_permission(request) else {}
        for encoder in encoders:
            encoder.stored_now = stored.get(encoder.pk)  # type: ignore[attr-defined]
            encoder.steered = self.has_steer_permission(request)  # type: ignore[attr-defined]

    def _links(self, request: HttpRequest) -> dict[str, Any]:
        if not self.has_steer_permission(request):
            return {}
        try:
            compare = reverse("admin:search_compare")  # Another app's page: the catalogue does without it.
        except NoReverseMatch:
            compare = ""
        return {"compare_url": compare, "register_url": reverse("admin:imagery_encoder_register")}

    @admin.display(description=gettext_lazy("vectors"))
    def vectors(self, encoder: Encoder) -> str:
        """Number of vectors; from the size on disk, and marked so, where counting would take long."""
        stored: Stored | None = getattr(encoder, "stored_now", None)
        if stored is None:
            return "–"
        number = number_format(stored.vectors, force_grouping=True)
        return _("about %(number)s") % {"number": number} if stored.estimated else number

    @admin.display(description=gettext_lazy("index over the vectors"))
    def vector_index(self, encoder: Encoder) -> SafeString | str:
        """What index there is, or how far its build is."""
        if not getattr(encoder, "steered", False):
            return "–"
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in index_words(encoder)))

    @admin.display(description=gettext_lazy("fill"))
    def progress(self, encoder: Encoder) -> SafeString | str:
        """How far the encoder's fill is."""
        fill = getattr(encoder, "fill", None)
        if fill is None or not getattr(encoder, "steered", False):
            return "–"
        return progress_bar(fill)

    @admin.display(description=gettext_lazy("runs as"))
    def runs_as(self, encoder: Encoder) -> str:
        """Library, precision and device."""
        return encoder_runtime_line(encoder)

    @admin.display(description=gettext_lazy("self-test"))
    def self_test(self, encoder: Encoder) -> SafeString:
        """What the last self-test of each tower found, where and when."""
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in selftest_lines(encoder)))

    @admin.display(description=gettext_lazy("adapter"), empty_value="-")
    def adapted(self, encoder: Encoder) -> str:
        """What the adapter gains, or nothing."""
        return adapter_line(encoder)

    @admin.display(description=gettext_lazy("sketches"))
    def sketches(self, encoder: Encoder) -> str:
        """How well it reads sketches."""
        return bridge_line(encoder) or _("It has not learned to read them: they are compared as pictures are.")


def _stages_url(encoder: Encoder) -> str:
    try:
        return reverse("admin:search_encoder_stages", args=[encoder.pk])  # Another app's page, as the comparison is.
    except NoReverseMatch:
        return ""


def progress_bar(fill: EncoderFill) -> SafeString:
    """Return the bar of a fill with its counts in words."""
    told = _("%(state)s: %(done)s of %(total)s scenes") % {
        "state": fill.get_state_display(),
        "done": number_format(fill.done, force_grouping=True),
        "total": number_format(fill.total, force_grouping=True),
    }
    return format_html(
        '<progress max="100" value="{}" aria-label="{}">{} %</progress> <span>{}</span>',
        fill.percent, _("fill"), fill.percent, told,
    )  # fmt: skip


def fill_facts(fill: EncoderFill) -> dict[str, Any]:
    """Return what the template shows of a fill."""
    now = timezone.now()
    return {
        "bar": progress_bar(fill),
        "planning": fill.planned_at is None and fill.state == EncoderFill.State.RUNNING,
        "rate": fill_rate(fill),
        "left": timesince(now, now + eta) if (eta := fill_eta(fill, now)) else "",
        "silent": fill_silent(fill),
    }


def _failures(request: HttpRequest, fill: EncoderFill) -> dict[str, Any]:
    """Return failed scenes that the viewer may see, and how many there are in all."""
    failed = FillItem.objects.filter(fill=fill, state=FillItem.State.FAILED)
    mine = failed.filter(scene__in=Scene.objects.visible_to(request.user).values("pk"))
    shown = list(mine.select_related("scene").order_by("pk")[:_FAILED_SHOWN])
    return {"failures": shown, "failures_more": max(0, fill.failed - len(shown))}
