"""What feedback does, in the administration: how much of it there is, and a query ranked with and without it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.services.encoders import encoder_active
from rsportal.errors import RsportalError, Unavailable
from rsportal.web import request_user
from search.feedback.counts import DAYS, days_told, queries_most
from search.feedback.effect import Effect, effect_of
from search.query import search_request_parse

_GATES = {
    "voters": gettext_lazy("only one person voted for it"),
    "matching": gettext_lazy("it does not match the query better than most"),
    "agreeing": gettext_lazy("it is unlike what others voted for, or fewer than three are left"),
}


class EffectForm(forms.Form):
    """The query."""

    q = forms.CharField(label=gettext_lazy("Query"), required=False)


def effect_view(request: HttpRequest, *, site: Any, opts: Any) -> HttpResponse:
    """Show the numbers, and the query ``?q=`` ranked with and without what others did.

    Words and numbers of everybody are for superusers. Curators see the days of scenes they may change. Everybody's
    rankings have the scenes that they themselves may see.
    """
    user = request_user(request)
    if not user.has_perm("search.view_feedbackexclusion"):
        raise PermissionDenied
    form = EffectForm(request.GET)
    effect: Effect | None = None
    text = request.GET.get("q", "").strip()
    if text and form.is_valid():
        try:
            effect = effect_of(request=search_request_parse(user=user, text=text), user=user)
        except RsportalError as error:
            form.add_error("q", error.message)
    context = {
        **site.each_context(request),
        "opts": opts,
        "title": _("What feedback does"),
        "form": form,
        "days": days_told(user),
        "most_days": DAYS,
        "queries": _queries() if user.is_superuser else None,
        "effect": effect,
        "sides": _sides(effect) if effect else [],
        "gates": _gates(effect) if effect and user.is_superuser else [],
    }
    return TemplateResponse(request, "admin/search/effect.html", context)


def _queries() -> Any:
    try:
        return queries_most(encoder_active())
    except Unavailable:
        return []


def _sides(effect: Effect) -> list[tuple[str, Any]]:
    return [(_("Without feedback of others"), effect.without), (_("With it"), effect.with_votes)]


def _gates(effect: Effect) -> list[tuple[Any, int]]:
    return [(_GATES.get(name, name), count) for name, count in effect.gates.dropped.items()]
