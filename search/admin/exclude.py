"""Excluding feedback in the administration: chosen in the lists of people and scenes, with a reason."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.admin.scene import SceneAdmin
from imagery.models import Scene
from rsportal.accounts.admin import UserAdmin
from rsportal.accounts.models import User
from rsportal.errors import RsportalError
from rsportal.web import request_user
from search.services.exclusions import MOST_REASON, feedback_exclude

MOST_AT_ONCE: Final = 100


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=MOST_REASON, widget=forms.Textarea(attrs={"rows": 3})
    )


def exclude_view(request: HttpRequest, *, site: Any, opts: Any) -> HttpResponse:
    """Name the people (``?user=``) or scenes (``?scene=``), ask why (GET), and exclude them (POST)."""
    user = request_user(request)
    if not user.has_perm("search.add_feedbackexclusion"):
        raise PermissionDenied
    people, scenes = _chosen(request, user)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        _exclude(request, [*people, *scenes], form.cleaned_data["reason"])
        return redirect("admin:search_feedbackexclusion_changelist")
    context = {
        **site.each_context(request),
        "opts": opts,
        "title": _("Exclude feedback"),
        "form": form,
        "people": people,
        "scenes": scenes,
    }
    return TemplateResponse(request, "admin/search/exclude.html", context)


def _chosen(request: HttpRequest, user: User) -> tuple[list[User], list[Scene]]:
    """Whom or what the address names, as far as this person may exclude it; Http404 if that is nothing."""
    people: list[User] = []
    try:
        if user.is_superuser:
            people = list(User.objects.filter(pk__in=request.GET.getlist("user")[:MOST_AT_ONCE]).order_by("username"))
        rows = Scene.objects.editable_by(user).filter(pk__in=request.GET.getlist("scene")[:MOST_AT_ONCE])
        scenes = list(rows.order_by("title").only("pk", "title"))
    except (ValueError, ValidationError):
        raise Http404 from None
    if not people and not scenes:
        raise Http404
    return people, scenes


def _exclude(request: HttpRequest, chosen: list[User | Scene], reason: str) -> None:
    done = 0
    for each in chosen:
        whom = {"person": each} if isinstance(each, User) else {"scene": each}
        try:
            feedback_exclude(user=request_user(request), reason=reason, **whom)
            done += 1
        except RsportalError as error:
            messages.error(request, error.message)
    if done:
        told = _("Excluded: %(count)d. Rankings are made without it from the next search on.") % {"count": done}
        messages.success(request, told)


def _asked(request: HttpRequest, queryset: QuerySet[Any], name: str) -> HttpResponse | None:
    chosen = list(queryset.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    if len(chosen) > MOST_AT_ONCE:
        messages.error(request, _("Choose at most %(most)d at once.") % {"most": MOST_AT_ONCE})
        return None
    address = reverse("admin:search_feedback_exclude")
    return HttpResponseRedirect(f"{address}?{urlencode([(name, pk) for pk in chosen])}")


@admin.action(description=gettext_lazy("Exclude feedback of these people"))
def exclude_people(_page: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
    """Ask why, then exclude."""
    return _asked(request, queryset, "user")


@admin.action(description=gettext_lazy("Exclude feedback on these scenes"))
def exclude_scenes(_page: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
    """Ask why, then exclude."""
    return _asked(request, queryset, "scene")


# Offered from here, because neither accounts nor the catalogue know of searching.
UserAdmin.actions = [*(UserAdmin.actions or ()), exclude_people]  # type: ignore[misc]
SceneAdmin.actions = [*(SceneAdmin.actions or ()), exclude_scenes]  # type: ignore[misc]
