"""Queries of judged sets in the administration."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from imagery.admin.base import PermittedAdmin, VisibleRelatedFilter
from rsportal.errors import RsportalError
from rsportal.web import request_user
from search.admin.base import link
from search.judged.scope import request_parse
from search.models import JudgedQuery, JudgedSet
from search.selectors_judged import judged_queries_list
from search.services.judged_sets import judged_query_create, judged_query_delete, judged_query_update

_TEXT_LENGTH = 80  # characters in the list


class JudgedQueryForm(forms.ModelForm):
    """What the owner of a set writes of a query; ``viewer`` is set by the admin."""

    viewer: Any = None
    key = forms.CharField(
        label=gettext_lazy("number"),
        required=False,
        max_length=60,
        help_text=gettext_lazy("How TREC files call the query. Empty: the next free number."),
    )
    filters = forms.JSONField(
        label=gettext_lazy("filters"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy(
            'Those of a search, for example {"start": "2024-01-01", "cloud_cover_max": 20}. Empty: none.'
        ),
        error_messages={"invalid": gettext_lazy("This is no JSON. Mind the double quotes and the commas.")},
    )

    class Meta:
        model = JudgedQuery
        fields = ("judged_set", "text", "language", "filters", "key", "scene_class")
        widgets = {"text": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.label = capfirst(field.label)
        if "judged_set" in self.fields:
            self.fields["judged_set"].queryset = JudgedSet.objects.editable_by(self.viewer)  # type: ignore[attr-defined]

    def clean_filters(self) -> dict[str, Any]:
        return self.cleaned_data["filters"] or {}

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if {"text", "filters"} <= set(given):
            try:
                request_parse(user=self.viewer, text=given["text"], filters=given["filters"], collections=[])
            except RsportalError as error:
                self.add_error("text" if error.field == "text" else "filters", error.message)
        judged_set = given.get("judged_set") or getattr(self.instance, "judged_set", None)
        key = given.get("key")
        if judged_set and key:
            rows = JudgedQuery.objects.filter(judged_set=judged_set, key=key).exclude(pk=self.instance.pk)
            if rows.exists():
                self.add_error("key", _("The set has a query of this number already."))
        return given


@admin.register(JudgedQuery)
class JudgedQueryAdmin(PermittedAdmin):
    """Queries of the sets that the person may see; the set's owner and superusers change them."""

    form = JudgedQueryForm
    list_display = ("words", "key", "judged_set", "language", "scene_class", "judgements", "relevant", "judge")
    list_filter = (("judged_set", VisibleRelatedFilter), "language")
    list_select_related = ("judged_set",)
    search_fields = ("text", "key", "scene_class")
    ordering = ("judged_set", "pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return judged_queries_list(request_user(request)).order_by("judged_set", "pk")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change=change, **kwargs)
        return type(made.__name__, (made,), {"viewer": request_user(request)})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("judged_set",) if obj is not None else ()

    def editable(self, request: HttpRequest, obj: Model | None) -> bool:
        return obj is None or JudgedQuery.objects.editable_by(request.user).filter(pk=obj.pk).exists()

    @admin.display(description=gettext_lazy("text"), ordering="text")
    def words(self, query: JudgedQuery) -> str:
        return Truncator(query.text).chars(_TEXT_LENGTH)

    @admin.display(description=gettext_lazy("judgements"), ordering="judgement_count")
    def judgements(self, query: Any) -> int:
        return int(query.judgement_count)

    @admin.display(description=gettext_lazy("relevant"), ordering="relevant_count")
    def relevant(self, query: Any) -> int:
        return int(query.relevant_count)

    @admin.display(description=gettext_lazy("judge"))
    def judge(self, query: JudgedQuery) -> SafeString:
        return link("search_judged_judge", _("judge"), query.judged_set_id, query.pk)

    def save_model(self, request: HttpRequest, obj: JudgedQuery, form: Any, change: bool) -> None:
        user, given = request_user(request), form.cleaned_data
        if change:
            changes = {name: given[name] for name in form.changed_data if name != "key" or given["key"]}
            if changes:
                judged_query_update(query=obj, user=user, **changes)
            return
        made = judged_query_create(user=user, **{name: given[name] for name in form.fields})
        obj.pk, obj.key = made.pk, made.key
        obj._state.adding = False

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """Name the queries only: their judgements may be of scenes that this person may not see."""
        rows = list(objs)
        refused = set()
        if not all(self.has_delete_permission(request, row) for row in rows):
            refused = {str(self.opts.verbose_name)}
        label = ngettext("judged query", "judged queries", len(rows))
        return [str(row) for row in rows], {label: len(rows)}, refused, []

    def delete_model(self, request: HttpRequest, obj: JudgedQuery) -> None:
        judged_query_delete(query=obj, user=request_user(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[JudgedQuery]) -> None:
        user = request_user(request)
        self.run_each(request, queryset, lambda row: judged_query_delete(query=row, user=user), _("%(row)s: deleted"))
