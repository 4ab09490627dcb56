"""Runs over judged sets in the administration: what was measured, when, and what came out."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from imagery.admin.base import PermittedAdmin, ReadOnly, VisibleRelatedFilter
from rsportal.web import request_user
from search.admin.base import link
from search.models import RankingRun
from search.services.ranking_runs import ranking_run_delete


@admin.register(RankingRun)
class RankingRunAdmin(ReadOnly, PermittedAdmin):
    """Runs that the person may see; who made one, and the set's owner, may delete it."""

    list_display = ("configuration", "judged_set", "ndcg", "precision", "searched", "seconds", "created_at", "curves")
    list_filter = (("judged_set", VisibleRelatedFilter), "created_at")
    list_select_related = ("judged_set",)
    search_fields = ("configuration",)
    date_hierarchy = "created_at"
    fields = (
        "configuration", "judged_set", "ndcg", "precision", "searched", "seconds", "measured", "created_at", "curves",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("scores").order_by("-created_at", "-pk")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not request.user.has_perm("search.delete_rankingrun"):
            return False
        user = request_user(request)
        return obj is None or user.is_superuser or user.pk in {obj.user_id, obj.judged_set.owner_id}

    @admin.display(description="nDCG@10")
    def ndcg(self, run: RankingRun) -> str:
        return _interval(run, "ndcg10")

    @admin.display(description="MAP")
    def precision(self, run: RankingRun) -> str:
        return _interval(run, "map")

    @admin.display(description=gettext_lazy("versions"))
    def measured(self, run: RankingRun) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(run.versions, indent=2, ensure_ascii=False))

    @admin.display(description=gettext_lazy("runs and curves"))
    def curves(self, run: RankingRun) -> SafeString:
        return link("search_judged_runs", _("runs and curves"), run.judged_set_id, query=f"?run={run.pk}")

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        rows = list(objs)
        refused = set()
        if not all(self.has_delete_permission(request, row) for row in rows):
            refused = {str(self.opts.verbose_name)}
        return [str(row) for row in rows], {ngettext("ranking run", "ranking runs", len(rows)): len(rows)}, refused, []

    def delete_model(self, request: HttpRequest, obj: RankingRun) -> None:
        ranking_run_delete(run=obj, user=request_user(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RankingRun]) -> None:
        user = request_user(request)
        self.run_each(request, queryset, lambda row: ranking_run_delete(run=row, user=user), _("%(row)s: deleted"))


def _interval(run: RankingRun, name: str) -> str:
    found = run.summary.get("measures", {}).get(name)
    return f"{found[0]:.3f} [{found[1]:.3f}, {found[2]:.3f}]" if found else "–"
