"""What the pages of the feedback log share: nothing can be written, every filter respects the scope."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from imagery.admin.base import ReadOnly


class LogAdmin(ReadOnly, admin.ModelAdmin):
    """A read-only list of the feedback log.

    ``own_lookups`` are filters of the address bar that reach other tables, with the model whose rows the value
    must name; they work only for rows in the viewer's scope, so that a filter never answers a question about others.
    """

    show_full_result_count = False
    list_per_page = 50
    own_lookups: dict[str, type] = {}

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Let through filters of the page, and links to rows this person may see."""
        if model := self.own_lookups.get(lookup.removesuffix("__exact")):
            related: admin.ModelAdmin = self.admin_site.get_model_admin(model)
            return related.get_object(request, str(value)) is not None
        if request.user.is_superuser:
            return super().lookup_allowed(lookup, value, request)
        return any(lookup.startswith(name) for name in self.plain_lookups)

    plain_lookups: tuple[str, ...] = ()
    """Starts of the filter names that curators may use."""


def link(name: str, text: object, *args: object, query: str = "") -> SafeString:
    """Return a link to a page of the administration."""
    return format_html('<a href="{}{}">{}</a>', reverse(f"admin:{name}", args=args), query, text)


def scene_link(title: str, scene_id: object) -> SafeString:
    """Return a link to the scene's page in the administration."""
    return link("imagery_scene_change", title, scene_id)


def hidden() -> str:
    """Return what stands where somebody else's words or name would be."""
    return _("not shown")
