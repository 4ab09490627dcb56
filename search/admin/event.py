"""Clicks, looks, likes, dislikes and downloads in the administration."""

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from imagery.admin.base import VisibleRelatedFilter
from rsportal.web import request_user
from search.admin.base import LogAdmin
from search.admin.impression import ShownColumns
from search.admin.scope import shown_log
from search.models import Event, Impression, Ranking


@admin.register(Event)
class EventAdmin(ShownColumns, LogAdmin):
    """What people did with what was shown to them."""

    list_display = ("kind", "seconds", "scene_title", "rank", "words", "asker", "created_at")
    list_filter = ("kind", ("impression__scene__collection", VisibleRelatedFilter), "created_at")
    plain_lookups = ("kind", "impression__scene__collection__id__exact", "created_at")
    own_lookups = {"impression": Impression, "impression__ranking": Ranking}
    search_fields = ("impression__scene__title",)
    date_hierarchy = "created_at"
    fields = ("kind", "seconds", "scene_title", "rank", "words", "asker", "created_at")
    readonly_fields = ("scene_title", "rank", "words", "asker", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = shown_log(Event, request_user(request), path="impression__")
        return rows.annotate(shown_rank=F("impression__rank")).order_by("-created_at", "-id")

    @admin.display(description=gettext_lazy("rank"))
    def rank(self, event: Any) -> int:
        return int(event.shown_rank)
