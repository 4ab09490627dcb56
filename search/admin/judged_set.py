"""Judged query sets in the administration: the sets, and the way to their pages."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from imagery.admin.base import PermittedAdmin, VisibleRelatedFilter
from imagery.models import Collection
from rsportal.errors import RsportalError
from rsportal.web import request_user
from search.admin.base import hidden, link
from search.admin.judged_judge import judge_view
from search.admin.judged_runs import runs_view
from search.admin.judged_transfer import export_view, import_view
from search.models import JudgedSet, Sharing
from search.selectors_judged import judged_sets_list
from search.services.judged_sets import (
    configurations_check,
    judged_set_create,
    judged_set_delete,
    judged_set_update,
)


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial) != self.to_python(data))


class JudgedSetForm(forms.ModelForm):
    """What the owner of a set writes; ``viewer`` is set by the admin."""

    viewer: Any = None
    configurations = LinesField(
        label=gettext_lazy("configurations of the pool"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One a line: an encoder, perhaps with ranking stages changed, such as builtin or builtin:diffuse=off. "
            "Empty: the active encoder. Their first hits are what is judged."
        ),
    )

    class Meta:
        model = JudgedSet
        fields = ("name", "description", "collection", "sharing", "configurations", "depth", "class_property")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "configurations" in self.fields:
            self.fields["configurations"].label = capfirst(self.fields["configurations"].label)
        if "collection" not in self.fields:
            return
        field: Any = self.fields["collection"]
        field.queryset = Collection.objects.visible_to(self.viewer).order_by("title")
        field.empty_label = gettext_lazy("everything that the person who asks may see")

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        owner = self.instance.owner_id if self.instance.pk else self.viewer.pk
        if JudgedSet.objects.filter(owner=owner, name=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("You have a judged query set of this name already."))
        return name

    def clean_configurations(self) -> list[str]:
        try:
            return configurations_check(self.cleaned_data["configurations"])
        except RsportalError as error:
            raise forms.ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        collection = given.get("collection", self.instance.collection)
        if given.get("sharing", Sharing.PRIVATE) != Sharing.PRIVATE and collection is None:
            text = _("Only a set that is bound to a collection can be shared: choose one, or keep the set to yourself.")
            self.add_error("sharing", text)
        return given


@admin.register(JudgedSet)
class JudgedSetAdmin(PermittedAdmin):
    """Sets that are the person's own or shared with them; only the owner and superusers change one."""

    form = JudgedSetForm
    change_form_template = "admin/search/judged/set.html"
    list_display = ("name", "owner_name", "scope", "query_list", "judgements", "sharing", "runs", "judge")
    list_filter = ("sharing", ("collection", VisibleRelatedFilter))
    search_fields = ("name", "description")
    ordering = ("name", "pk")
    fieldsets = (
        (None, {"fields": ("name", "description", "collection", "sharing")}),
        (gettext_lazy("Judging"), {"fields": ("configurations", "depth", "class_property")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return judged_sets_list(request_user(request)).order_by("name", "pk")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change=change, **kwargs)
        return type(made.__name__, (made,), {"viewer": request_user(request)})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave the collection out where the owner may not see it any more; it stays as it is."""
        if obj is None or obj.collection_id is None or obj.scope_seen:
            return self.fieldsets
        (_none, basics), *rest = self.fieldsets
        return [(None, {**basics, "fields": tuple(f for f in basics["fields"] if f != "collection")}), *rest]

    def get_urls(self) -> list[URLPattern]:
        def page(view: Any) -> Any:
            return self.admin_site.admin_view(partial(view, site=self.admin_site, opts=self.opts))

        return [
            path("<int:pk>/judge/", page(judge_view), name="search_judged_start"),
            path("<int:pk>/judge/<int:query_id>/", page(judge_view), name="search_judged_judge"),
            path("<int:pk>/import/", page(import_view), name="search_judged_import"),
            path("<int:pk>/export/<slug:what>/", page(export_view), name="search_judged_export"),
            path("<int:pk>/runs/", page(runs_view), name="search_judged_runs"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the set with the way to its pages."""
        judged_set = self.get_object(request, object_id)
        user = request_user(request)
        context: dict[str, Any] = {**(extra_context or {}), "judged_set": judged_set}
        if isinstance(judged_set, JudgedSet):
            context["may_judge"] = JudgedSet.objects.judgeable_by(user).filter(pk=judged_set.pk).exists()
            context["may_change"] = self.has_change_permission(request, judged_set)
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=gettext_lazy("owner"), ordering="owner__username")
    def owner_name(self, judged_set: JudgedSet) -> str:
        return judged_set.owner.get_username() if judged_set.owner else "–"

    @admin.display(description=gettext_lazy("collection"), ordering="collection__title")
    def scope(self, judged_set: Any) -> str:
        """Name the collection; a set of one's own may be bound to one that is hidden by now."""
        if judged_set.collection is None:
            return _("everything")
        return judged_set.collection.title if judged_set.scope_seen else hidden()

    @admin.display(description=gettext_lazy("queries"), ordering="query_count")
    def query_list(self, judged_set: Any) -> SafeString:
        return link(
            "search_judgedquery_changelist", judged_set.query_count, query=f"?judged_set__id__exact={judged_set.pk}"
        )

    @admin.display(description=gettext_lazy("judgements"), ordering="judgement_count")
    def judgements(self, judged_set: Any) -> int:
        return int(judged_set.judgement_count)

    @admin.display(description=gettext_lazy("runs and curves"), ordering="last_run")
    def runs(self, judged_set: Any) -> SafeString:
        return link("search_judged_runs", _("runs and curves"), judged_set.pk)

    @admin.display(description=gettext_lazy("judge"))
    def judge(self, judged_set: Any) -> SafeString:
        return link("search_judged_start", _("judge"), judged_set.pk)

    def save_model(self, request: HttpRequest, obj: JudgedSet, form: Any, change: bool) -> None:
        user = request_user(request)
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            if changes:
                judged_set_update(judged_set=obj, user=user, **changes)
            return
        made = judged_set_create(user=user, **{name: form.cleaned_data[name] for name in form.fields})
        obj.pk, obj.owner = made.pk, made.owner
        obj._state.adding = False

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """Name the sets only: what hangs on them may be about scenes that this person may not see."""
        rows = list(objs)
        refused = set()
        if not all(self.has_delete_permission(request, row) for row in rows):
            refused = {str(self.opts.verbose_name)}
        label = ngettext("judged query set", "judged query sets", len(rows))
        names = [_("%(name)s, with its queries, judgements and runs") % {"name": row.name} for row in rows]
        return names, {label: len(rows)}, refused, []

    def delete_model(self, request: HttpRequest, obj: JudgedSet) -> None:
        judged_set_delete(judged_set=obj, user=request_user(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[JudgedSet]) -> None:
        user = request_user(request)
        self.run_each(
            request, queryset, lambda row: judged_set_delete(judged_set=row, user=user), _("%(row)s: deleted")
        )
