"""Position propensities in the administration: the estimate as a plot and a table."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from imagery.admin.base import ReadOnly
from search.exploration.plots import propensity_plot
from search.models import PositionPropensity


@admin.register(PositionPropensity)
class PositionPropensityAdmin(ReadOnly, admin.ModelAdmin):
    """What positions were found to be worth; estimated every day, never written by hand."""

    change_list_template = "admin/search/propensities.html"
    list_display = ("rank", "value", "interval", "shows", "computed_at")
    list_display_links = None
    list_per_page = 100
    fields = ("rank", "value", "interval", "shows", "computed_at")
    readonly_fields = fields

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the plot above the table."""
        context = {
            **(extra_context or {}),
            "title": capfirst(self.opts.verbose_name_plural),
            "plot": propensity_plot(list(PositionPropensity.objects.order_by("rank"))),
            "swap_share": settings.SEARCH_EXPLORE,
        }
        return super().changelist_view(request, context)

    @admin.display(description=gettext_lazy("propensity"), ordering="propensity")
    def value(self, row: PositionPropensity) -> str:
        return f"{row.propensity:.3f}"

    @admin.display(description=gettext_lazy("interval (95 %)"))
    def interval(self, row: PositionPropensity) -> str:
        return f"{row.low:.3f} – {row.high:.3f}"
