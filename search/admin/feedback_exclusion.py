"""Excluded feedback in the administration: whom and what, why, by whom; deleting a row lets it count again."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.admin.base import PermittedAdmin
from rsportal.web import request_user
from search.admin.base import link, scene_link
from search.admin.effect import effect_view
from search.admin.exclude import exclude_view
from search.models import FeedbackExclusion
from search.services.exclusions import feedback_include


@admin.register(FeedbackExclusion)
class FeedbackExclusionAdmin(PermittedAdmin):
    """People are excluded by superusers, scenes by whoever looks after them; in the lists of people and scenes."""

    change_list_template = "admin/search/exclusions.html"
    list_display = ("whom", "reason", "created_by", "created_at")
    list_display_links = ("reason",)
    list_select_related = ("user", "scene", "created_by")
    list_filter = ("created_at",)
    search_fields = ("reason",)
    fields = ("whom", "reason", "created_by", "created_at")
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        exclude = partial(exclude_view, site=self.admin_site, opts=self.opts)
        effect = partial(effect_view, site=self.admin_site, opts=self.opts)
        return [
            path("effect/", self.admin_site.admin_view(effect), name="search_feedback_effect"),
            path("exclude/", self.admin_site.admin_view(exclude), name="search_feedback_exclude"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Exclusions begin in the lists of people and scenes, where one sees whom and what."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("whose feedback, or on what"))
    def whom(self, exclusion: FeedbackExclusion) -> SafeString:
        if exclusion.scene is not None:
            return scene_link(exclusion.scene.title, exclusion.scene_id)
        return link("accounts_user_change", str(exclusion.user), exclusion.user_id)

    def delete_model(self, request: HttpRequest, obj: FeedbackExclusion) -> None:
        feedback_include(user=request_user(request), exclusion=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.run_each(
            request,
            queryset,
            lambda each: feedback_include(user=request_user(request), exclusion=each),
            _("%(row)s: counts again"),
        )
