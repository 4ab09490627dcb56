"""Ranker trials in the administration: writing one, starting and ending it, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.admin.base import PermittedAdmin
from rsportal.errors import InvalidInput, RsportalError
from rsportal.web import request_user
from search.admin.base import link
from search.admin.trial_results import results_view
from search.models import RankerTrial
from search.services.trials import (
    trial_create,
    trial_delete,
    trial_ranking_check,
    trial_start,
    trial_stop,
    trial_update,
)


class TrialForm(forms.ModelForm):
    """A trial as it is written."""

    ranking = forms.JSONField(
        label=gettext_lazy("Stage settings of B"),
        required=False,
        initial=dict,
        widget=forms.Textarea(attrs={"rows": 6, "cols": 60, "spellcheck": "false"}),
        help_text=gettext_lazy(
            'As on an encoder\'s page of ranking stages, in place of its own: {"diffuse": {"on": false}}. What is not '
            "named is as the kind of encoder has it at first."
        ),
    )

    class Meta:
        model = RankerTrial
        fields = ("name", "ranking", "share")

    def clean_ranking(self) -> dict[str, Any]:
        ranking = self.cleaned_data["ranking"] or {}
        try:
            trial_ranking_check(ranking)
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error
        return ranking


@admin.register(RankerTrial)
class RankerTrialAdmin(PermittedAdmin):
    """Whoever may change trials sees all of them; there is nothing in them that belongs to a person."""

    form = TrialForm
    change_form_template = "admin/search/trial.html"
    list_display = ("name", "state", "share", "started_at", "ended_at", "results")
    list_filter = ("state",)
    search_fields = ("name",)
    fields = ("name", "ranking", "share", "state", "created_by", "started_at", "ended_at")
    readonly_fields = ("state", "created_by", "started_at", "ended_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return admin.ModelAdmin.get_queryset(self, request).select_related("created_by")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_view_permission(self, request, obj)

    def editable(self, request: HttpRequest, obj: Any) -> bool:
        return True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What was compared stays what it says."""
        started = obj is not None and obj.state != RankerTrial.State.DRAFT
        return (*self.readonly_fields, *(("ranking", "share") if started else ()))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        running = obj is not None and obj.state == RankerTrial.State.RUNNING
        return super().has_delete_permission(request, obj) and not running

    def get_urls(self) -> list[URLPattern]:
        results = partial(results_view, site=self.admin_site, opts=self.opts)
        return [
            path("<int:pk>/results/", self.admin_site.admin_view(results), name="search_trial_results"),
            path("<int:pk>/start/", self.admin_site.admin_view(self.start_view), name="search_trial_start"),
            path("<int:pk>/end/", self.admin_site.admin_view(self.end_view), name="search_trial_end"),
            *super().get_urls(),
        ]

    def start_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Start a trial (POST)."""
        return self._steer(request, pk, trial_start, _("The trial has begun."))

    def end_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End a trial (POST)."""
        return self._steer(request, pk, trial_stop, _("The trial has ended."))

    @admin.display(description=gettext_lazy("results"))
    def results(self, trial: RankerTrial) -> SafeString | str:
        if trial.state == RankerTrial.State.DRAFT:
            return "–"
        return link("search_trial_results", _("results"), trial.pk)

    def save_model(self, request: HttpRequest, obj: RankerTrial, form: Any, change: bool) -> None:
        given = {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}
        if change:
            if given:
                trial_update(trial=obj, **given)
            return
        made = trial_create(user=request_user(request), **{name: form.cleaned_data[name] for name in form.fields})
        obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: RankerTrial) -> None:
        trial_delete(trial=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RankerTrial]) -> None:
        self.run_each(request, queryset, lambda row: trial_delete(trial=row), _("%(row)s: deleted"))

    def _steer(self, request: HttpRequest, pk: int, service: Callable[..., RankerTrial], done: str) -> HttpResponse:
        if request.method != "POST":
            return redirect("admin:search_rankertrial_change", pk)
        if not request.user.has_perm("search.change_rankertrial"):
            raise PermissionDenied
        trial = RankerTrial.objects.filter(pk=pk).first()
        if trial is None:
            raise Http404
        try:
            service(trial=trial)
            messages.success(request, done)
        except RsportalError as error:
            messages.error(request, error.message)
        return redirect("admin:search_rankertrial_change", pk)
