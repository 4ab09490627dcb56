"""What a trial of two rankers came to, in the administration."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from search.exploration.plots import days_plot
from search.exploration.results import trial_results
from search.exploration.sentences import people_sentence, verdict_sentence
from search.models import RankerTrial


def results_view(request: HttpRequest, pk: int, *, site: Any, opts: Any) -> HttpResponse:
    """Show wins, losses and ties, who is preferred and how sure that is, and the days."""
    if not request.user.has_perm("search.view_rankertrial"):
        raise PermissionDenied
    trial = RankerTrial.objects.filter(pk=pk).first()
    if trial is None:
        raise Http404
    results = trial_results(trial)
    context = {
        **site.each_context(request),
        "opts": opts,
        "title": _("Results of %(name)s") % {"name": trial.name},
        "trial": trial,
        "results": results,
        "said": verdict_sentence(results),
        "said_by_person": people_sentence(results),
        "plot": days_plot(results.days),
        "versions": sorted(results.versions.items()) if len(results.versions) > 1 else [],
    }
    return TemplateResponse(request, "admin/search/trial_results.html", context)
