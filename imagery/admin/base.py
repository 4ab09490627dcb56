"""What every page of the catalogue's administration shares: permission by queryset, errors as messages."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import RelatedFieldListFilter
from django.db.models import Count, Field, IntegerField, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from rsportal.errors import RsportalError

_MAX_MESSAGES = 20  # Messages travel in a cookie or the session; beyond this only a count is told.


class PermittedAdmin(admin.ModelAdmin):
    """Lists what ``visible_to`` the person; a row can be changed when it is ``editable_by`` the person.

    Django's permissions (the curator group) say what kind of thing somebody may do, the querysets to which rows.
    """

    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).visible_to(request.user)  # type: ignore[attr-defined]

    def editable(self, request: HttpRequest, obj: Model | None) -> bool:
        """Tell whether this person may change the row (any row, for None)."""
        if obj is None:
            return True
        rows = self.model._default_manager.editable_by(request.user)
        return bool(rows.filter(pk=obj.pk).exists())

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        allowed = super().has_view_permission(request, obj)
        if obj is None or not allowed:
            return allowed
        rows = self.model._default_manager.visible_to(request.user)
        return bool(rows.filter(pk=obj.pk).exists())

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and self.editable(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self.editable(request, obj)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form; a service's refusal comes back as a message on the same page."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except RsportalError as error:
            return self._refused(request, error)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ask, then delete; a service's refusal comes back as a message."""
        try:
            return super().delete_view(request, *args, **kwargs)
        except RsportalError as error:
            return self._refused(request, error)

    def _refused(self, request: HttpRequest, error: RsportalError) -> HttpResponse:
        self.message_user(request, error.message, messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    def run_each(self, request: HttpRequest, rows: Iterable[Any], service: Callable[[Any], object], done: str) -> None:
        """Call a service for each row and tell the result of each: ``done`` names the row as %(row)s.

        A service's refusal names the row itself.
        """
        told = left = 0
        for row in rows:
            name = self.row_name(row)
            try:
                service(row)
                text, level = done % {"row": name}, messages.SUCCESS
            except RsportalError as error:
                text, level = error.message, messages.ERROR
            if told < _MAX_MESSAGES:
                self.message_user(request, text, level)
                told += 1
            else:
                left += 1
        if left:
            self.message_user(request, _("… and %(count)s more.") % {"count": left}, messages.INFO)

    def row_name(self, row: Any) -> str:
        """Return how a row is called in messages."""
        return str(row)


class ReadOnly:
    """Rows that are written by the portal only: nobody adds, changes or deletes them here."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class VisibleRelatedFilter(RelatedFieldListFilter):
    """A filter whose choices are only the related rows this person may see."""

    def field_choices(self, field: Field, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[Any]:
        rows = field.related_model._default_manager.visible_to(request.user)  # type: ignore[union-attr]
        return [(row.pk, str(row)) for row in rows]


def count_of(model: type[Model], *, path: str) -> Coalesce:
    """Return an annotation: how many rows of ``model`` lead by ``path`` to the outer row (no join, no query a row)."""
    rows = model._default_manager.filter(**{path: OuterRef("pk")}).order_by()
    counted = rows.values(path).annotate(rows=Count("pk")).values("rows")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
