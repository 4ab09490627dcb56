"""Runs of a judged set in the administration: measuring, the curves, two runs side by side, the history."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, RsportalError
from rsportal.web import request_user
from search.admin.judged_page import frame, judged_set_or_404
from search.judged.compare import RunComparison, runs_compare
from search.judged.configuration import ACTIVE, configuration_parse
from search.judged.curves import history_plot, paired_plot, precision_plot, recall_plot, run_names
from search.judged.plots import MOST_SERIES
from search.judged.scope import set_requests
from search.judged.summary import COMPARED
from search.models import JudgedSet, RankingRun
from search.selectors_judged import query_texts
from search.services.ranking_runs import ranking_run_make

_MOST_ASKED: Final = 400
"""Queries times configurations that a page waits for; the command line takes any number."""
_LISTED: Final = 100
_CHANGES: Final = 20
TITLES: Final = {
    "ndcg10": "nDCG@10",
    "map": "MAP",
    "recall10": "R@10",
    "recall100": "R@100",
    "recall1000": "R@1000",
    "judged10": gettext_lazy("judged@10"),
    "ndcg10_condensed": gettext_lazy("nDCG@10, condensed"),
    "map_condensed": gettext_lazy("MAP, condensed"),
}


class RunForm(forms.Form):
    """What to measure."""

    configurations = forms.CharField(
        label=gettext_lazy("Configurations"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One a line: an encoder, perhaps with ranking stages changed, such as builtin:diffuse=off,normalise=on. "
            "Empty: the active encoder as it is."
        ),
    )

    def texts(self) -> list[str]:
        """Return the configurations, each once."""
        lines = (line.strip() for line in self.cleaned_data["configurations"].splitlines())
        return list(dict.fromkeys(line for line in lines if line)) or [ACTIVE]


def runs_view(request: HttpRequest, pk: int, *, site: Any, opts: Any) -> HttpResponse:
    """Show chosen runs (GET, ``run`` repeated; the latest of each configuration by default) and measure (POST)."""
    judged_set = judged_set_or_404(request, pk)
    user = request_user(request)
    context = frame(request, site=site, opts=opts, judged_set=judged_set, title=_("Runs and curves"))
    may_run = request.user.has_perm("search.add_rankingrun")
    form = RunForm(request.POST or None)
    if request.method == "POST":
        if not may_run:
            raise PermissionDenied
        if form.is_valid() and (made := _measure(request, form, judged_set, user)):
            answer = redirect("admin:search_judged_runs", judged_set.pk)
            answer["Location"] += "?" + "&".join(f"run={run.pk}" for run in made[:MOST_SERIES])
            return answer
    # The scores of every query are read of the shown runs only.
    runs = list(
        RankingRun.objects.visible_to(user)
        .filter(judged_set=judged_set)
        .select_related("user")
        .defer("scores")[:_LISTED]
    )
    chosen = _chosen(request, runs)
    texts = query_texts(judged_set)
    compared = [_compared(chosen[0], run, texts) for run in chosen[1:]]
    context |= {
        "form": form,
        "may_run": may_run,
        "runs": [_listed(run, chosen, user) for run in runs],
        "chosen": list(zip(run_names(chosen), chosen, strict=True)),
        "scores": _scores(chosen),
        "plots": [precision_plot(chosen), recall_plot(chosen)] if chosen else [],
        "history": history_plot(list(reversed(runs)), chosen=chosen),
        "compared": [each for each in compared if each],
        "most": MOST_SERIES,
    }
    return TemplateResponse(request, "admin/search/judged/runs.html", context)


def _measure(request: HttpRequest, form: RunForm, judged_set: JudgedSet, user: User) -> list[RankingRun]:
    try:
        configurations = [configuration_parse(text) for text in form.texts()]
        searches = len(configurations) * judged_set.queries.count()
        if searches > _MOST_ASKED:
            raise InvalidInput(
                _(
                    "These are %(found)d searches; this page waits for %(most)d at most. Run “manage.py "
                    "evaluate_rankings --set %(name)s”: what it finds is shown here."
                )
                % {"found": searches, "most": _MOST_ASKED, "name": judged_set.name}
            )
        requests = set_requests(judged_set, user)
        made = []
        for configuration in configurations:
            run, measured = ranking_run_make(
                judged_set=judged_set, configuration=configuration, requests=requests, user=user
            )
            made.append(run)
            for remark in measured.remarks:
                messages.warning(request, f"{configuration.name}: {remark}")
    except RsportalError as error:
        form.add_error("configurations", error.message)
        return []
    return made


def _chosen(request: HttpRequest, runs: list[RankingRun]) -> list[RankingRun]:
    """Return the runs asked for, oldest first; without any the latest of each of the latest configurations."""
    wanted = set(request.GET.getlist("run"))
    usable = [run for run in runs if "measures" in run.summary]
    if wanted:
        found = [run for run in usable if str(run.pk) in wanted]
    else:
        latest: dict[str, RankingRun] = {}
        for run in usable:
            latest.setdefault(run.configuration, run)
        found = list(latest.values())
    return sorted(found[:MOST_SERIES], key=lambda run: (run.created_at, run.pk))


def _listed(run: RankingRun, chosen: list[RankingRun], user: User) -> dict[str, Any]:
    own = run.user_id == user.pk or user.is_superuser
    return {
        "run": run,
        "chosen": run in chosen,
        "measures": {name: run.summary.get("measures", {}).get(name) for name in ("ndcg10", "map")},
        "by": (run.user.get_username() if run.user else "–") if own else _("not shown"),
    }


def _scores(chosen: list[RankingRun]) -> list[dict[str, Any]]:
    """Return a row of each measure: its title and [mean, low, high] by run."""
    return [
        {"title": title, "values": [run.summary["measures"][name] for run in chosen]} for name, title in TITLES.items()
    ]


def _compared(first: RankingRun, second: RankingRun, texts: dict[str, str]) -> dict[str, Any] | None:
    comparison: RunComparison | None = runs_compare(first, second, texts=texts)
    if comparison is None:
        return None
    return {
        "comparison": comparison,
        "names": run_names([first, second]),
        "differences": [{"title": TITLES[name], "difference": comparison.differences[name]} for name in COMPARED],
        "plot": paired_plot(comparison),
        "changes": [change for change in comparison.changes[:_CHANGES] if change.gain],
        "told": ngettext(
            "better for %(better)d, worse for %(worse)d of %(number)d query",
            "better for %(better)d, worse for %(worse)d of %(number)d queries",
            comparison.queries,
        )
        % {"better": comparison.better, "worse": comparison.worse, "number": comparison.queries},
    }
