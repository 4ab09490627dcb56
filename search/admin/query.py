"""Queries in the administration."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy

from imagery.admin.base import count_of
from rsportal.web import request_user
from search.admin.base import LogAdmin, link
from search.admin.scope import own_log
from search.models import Event, Query, Ranking

_TEXT_LENGTH = 80  # characters in the list


@admin.register(Query)
class QueryAdmin(LogAdmin):
    """Queries, newest first, with links to what they were answered with."""

    list_display = ("words", "user", "channel", "ranking_list", "events", "created_at")
    list_select_related = ("user",)
    list_filter = ("channel", "created_at")
    plain_lookups = ("channel", "created_at")
    date_hierarchy = "created_at"
    search_fields = ("text",)
    fields = (
        "text", "translation", "untranslated", "filters", "user", "channel", "ranking_list", "events", "created_at",
    )  # fmt: skip
    readonly_fields = ("ranking_list", "events", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = own_log(Query, request_user(request)).order_by("-created_at", "-id")
        return rows.annotate(
            ranking_count=count_of(Ranking, path="query"),
            event_count=count_of(Event, path="impression__ranking__query"),
        )

    @admin.display(description=gettext_lazy("text"), ordering="text")
    def words(self, query: Query) -> str:
        return Truncator(query.title).chars(_TEXT_LENGTH)

    @admin.display(description=gettext_lazy("rankings"))
    def ranking_list(self, query: Query) -> SafeString:
        count = getattr(query, "ranking_count", 0)
        return link("search_ranking_changelist", count, query=f"?query={query.pk}")

    @admin.display(description=gettext_lazy("events"))
    def events(self, query: Query) -> int:
        return int(getattr(query, "event_count", 0))
