"""Rankings in the administration."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.admin.base import count_of
from imagery.models import Scene
from rsportal.web import request_user
from search.admin.base import LogAdmin, link, scene_link
from search.admin.compare import compare_view
from search.admin.scope import own_log
from search.admin.stages import stages_view
from search.models import Event, Impression, Query, Ranking

_TOP = 30  # hits on a ranking's page


@admin.register(Ranking)
class RankingAdmin(LogAdmin):
    """Rankings: the answer to a query, with links to what was shown and opened."""

    list_display = (
        "words",
        "asker",
        "encoder",
        "ranker",
        "hits",
        "searched",
        "total_ms",
        "shown",
        "events",
        "created_at",
    )
    list_select_related = ("encoder",)
    list_filter = ("ranker", "created_at")
    plain_lookups = ("ranker", "created_at")
    own_lookups = {"query": Query}
    fields = (
        "words", "asker", "encoder", "ranker", "searched", "hits", "took_ms", "shown", "events", "top", "created_at",
    )  # fmt: skip
    readonly_fields = ("words", "asker", "hits", "shown", "events", "top", "created_at")

    def get_urls(self) -> list[URLPattern]:
        compare = partial(compare_view, site=self.admin_site, opts=self.opts)
        stages = partial(stages_view, site=self.admin_site, opts=self.opts)
        return [
            path("compare/", self.admin_site.admin_view(compare), name="search_compare"),
            path("encoder/<int:pk>/", self.admin_site.admin_view(stages), name="search_encoder_stages"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = own_log(Ranking, request_user(request)).order_by("-created_at")
        return rows.defer("scene_ids", "tile_ids", "scores").annotate(
            asked=F("query__text"),
            asker=F("query__user__username"),
            hit_count=F("scene_ids__len"),
            shown_count=count_of(Impression, path="ranking"),
            event_count=count_of(Event, path="impression__ranking"),
        )

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Ranking | None:
        """Remember who looks: the top hits are cut to what this person may still see."""
        ranking: Ranking | None = super().get_object(request, object_id, from_field)
        if ranking is not None:
            ranking.viewer = request_user(request)  # type: ignore[attr-defined]
        return ranking

    @admin.display(description=gettext_lazy("query"))
    def words(self, ranking: Ranking) -> SafeString:
        return link("search_query_change", getattr(ranking, "asked", ""), ranking.query_id)

    @admin.display(description=gettext_lazy("user"))
    def asker(self, ranking: Ranking) -> str:
        return str(getattr(ranking, "asker", ""))

    @admin.display(description=gettext_lazy("hits"))
    def hits(self, ranking: Ranking) -> int:
        return int(getattr(ranking, "hit_count", None) or 0)

    @admin.display(description=gettext_lazy("time (ms)"))
    def total_ms(self, ranking: Ranking) -> str:
        total = ranking.took_ms.get("total")
        return "–" if total is None else f"{total:.0f}"

    @admin.display(description=gettext_lazy("shown"))
    def shown(self, ranking: Ranking) -> SafeString:
        count = getattr(ranking, "shown_count", 0)
        return link("search_impression_changelist", count, query=f"?ranking={ranking.pk}")

    @admin.display(description=gettext_lazy("events"))
    def events(self, ranking: Ranking) -> SafeString:
        count = getattr(ranking, "event_count", 0)
        return link("search_event_changelist", count, query=f"?impression__ranking={ranking.pk}")

    @admin.display(description=gettext_lazy("first hits"))
    def top(self, ranking: Ranking) -> SafeString | str:
        """List the first hits with their scores, leaving out scenes this person may not see (any more)."""
        ids = ranking.scene_ids[:_TOP]
        seen = Scene.objects.visible_to(ranking.viewer).filter(pk__in=ids)  # type: ignore[attr-defined]
        titles = dict(seen.values_list("pk", "title"))
        rows = [
            (rank, scene_link(titles[scene], scene), f"{score:.3f}")
            for rank, (scene, score) in enumerate(zip(ids, ranking.scores, strict=False), start=1)
            if scene in titles
        ]
        if not rows:
            return _("No hits.")
        return format_html("<ol>{}</ol>", format_html_join("", '<li value="{}">{} ({})</li>', rows))
