"""Concepts in the administration: what is shared with whom; read-only, for superusers."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.admin.base import count_of
from search.admin.base import LogAdmin, scene_link
from search.models import Concept, ConceptExample


@admin.register(Concept)
class ConceptAdmin(LogAdmin):
    """Concepts of everybody; only superusers see them, and only the owner changes one, on its page."""

    list_display = ("name", "owner", "collection", "examples", "updated_at")
    list_select_related = ("owner", "collection")
    list_filter = ("updated_at",)
    search_fields = ("name", "text", "description", "owner__username")
    fields = (
        "name", "owner", "text", "description", "collection", "example_list", "created_at", "updated_at",
    )  # fmt: skip
    readonly_fields = ("example_list", "created_at", "updated_at")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).order_by("-updated_at", "-pk")
        if not self.has_module_permission(request):  # So that what is there answers like what is not.
            rows = rows.none()
        return rows.annotate(example_count=count_of(ConceptExample, path="concept"))

    @admin.display(description=gettext_lazy("examples"))
    def examples(self, concept: Concept) -> int:
        return int(getattr(concept, "example_count", 0))

    @admin.display(description=gettext_lazy("examples"))
    def example_list(self, concept: Concept) -> SafeString | str:
        rows = concept.examples.select_related("scene", "image").defer("image__picture")
        lines = [
            (
                scene_link(row.scene.title, row.scene_id) if row.scene else row.image,
                row.window or "",
                f"×{row.weight:g}",
            )
            for row in rows
        ]
        return format_html_join("", "<div>{} {} {}</div>", lines) or _("none")
