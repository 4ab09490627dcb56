"""Impressions in the administration."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from imagery.admin.base import VisibleRelatedFilter, count_of
from rsportal.web import request_user
from search.admin.base import LogAdmin, hidden, link, scene_link
from search.admin.scope import shown_log
from search.models import Event, Impression, Ranking


class ShownColumns:
    """The columns an impression and its events share (annotated by ``scope.shown_log``)."""

    @admin.display(description=gettext_lazy("scene"))
    def scene_title(self, row: Any) -> SafeString:
        return scene_link(row.scene_title, row.scene_pk)

    @admin.display(description=gettext_lazy("query"))
    def words(self, row: Any) -> SafeString | str:
        if row.ranking_pk is None:
            return hidden()
        return link("search_ranking_change", row.asked, row.ranking_pk)

    @admin.display(description=gettext_lazy("user"))
    def asker(self, row: Any) -> str:
        return hidden() if row.asker is None else str(row.asker)


@admin.register(Impression)
class ImpressionAdmin(ShownColumns, LogAdmin):
    """What was shown, at which rank."""

    list_display = ("scene_title", "rank", "words", "asker", "events", "shown_at")
    list_filter = (("scene__collection", VisibleRelatedFilter), "shown_at")
    plain_lookups = ("scene__collection__id__exact", "shown_at")
    own_lookups = {"ranking": Ranking}
    search_fields = ("scene__title",)
    fields = ("scene_title", "rank", "words", "asker", "events", "shown_at")
    readonly_fields = ("scene_title", "words", "asker", "events", "shown_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = shown_log(Impression, request_user(request), path="")
        return rows.annotate(event_count=count_of(Event, path="impression")).order_by("-shown_at", "rank")

    @admin.display(description=gettext_lazy("events"))
    def events(self, impression: Impression) -> SafeString | int:
        count = int(getattr(impression, "event_count", 0))
        return link("search_event_changelist", count, query=f"?impression={impression.pk}") if count else 0
