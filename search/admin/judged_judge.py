"""Judging in the administration: the pooled hits of a query, one click or key for each grade."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput, RsportalError
from rsportal.web import request_user
from search.admin.judged_page import frame, judged_set_or_404
from search.judged.pool import query_pool
from search.models import Grade, JudgedQuery, JudgedSet
from search.selectors_judged import judged_queries_list
from search.services.judgements import judgement_record, judgement_withdraw


def judge_view(request: HttpRequest, pk: int, query_id: int | None = None, *, site: Any, opts: Any) -> HttpResponse:
    """Show the pool of a query (GET) and record a grade (POST ``scene``, ``grade``; an empty grade takes it back).

    Without a query: go to the first one that nothing is judged of.
    """
    judged_set = judged_set_or_404(request, pk)
    queries = list(judged_queries_list(request_user(request)).filter(judged_set=judged_set).order_by("pk"))
    if query_id is None:
        return _start(request, judged_set, queries)
    place = next((place for place, query in enumerate(queries) if query.pk == query_id), None)
    if place is None:
        raise Http404
    query = queries[place]
    if request.method == "POST":
        return _judge(request, judged_set, query)
    pool = query_pool(query=query, user=request_user(request))
    later = [*queries[place + 1 :], *queries[:place]]
    context = {
        **frame(request, site=site, opts=opts, judged_set=judged_set, title=_("Judge")),
        "query": query,
        "number": place + 1,
        "queries": len(queries),
        "previous": queries[place - 1] if place else None,
        "next": queries[place + 1] if place + 1 < len(queries) else None,
        "next_unjudged": next((each for each in later if not each.judgement_count), None),
        "pool": pool,
        "grades": Grade,
    }
    return TemplateResponse(request, "admin/search/judged/judge.html", context)


def _start(request: HttpRequest, judged_set: JudgedSet, queries: list[Any]) -> HttpResponse:
    if not queries:
        messages.info(request, _("“%(name)s” has no queries yet. Add some first.") % {"name": judged_set.name})
        return redirect("admin:search_judgedset_change", judged_set.pk)
    first = next((query for query in queries if not query.judgement_count), queries[0])
    return redirect("admin:search_judged_judge", judged_set.pk, first.pk)


def _judge(request: HttpRequest, judged_set: JudgedSet, query: JudgedQuery) -> HttpResponse:
    if not request.user.has_perm("search.change_judgedset"):
        raise PermissionDenied
    background = request.headers.get("X-Requested-With") == "judge"
    scene, refusal = request.POST.get("scene", ""), ""
    try:
        _record(request, query, scene, request.POST.get("grade", ""))
    except RsportalError as error:
        refusal = error.message
    if background:
        return JsonResponse({"error": refusal}, status=400 if refusal else 200)
    if refusal:
        messages.error(request, refusal)
        return redirect("admin:search_judged_judge", judged_set.pk, query.pk)
    answer = redirect("admin:search_judged_judge", judged_set.pk, query.pk)
    answer["Location"] += f"#scene-{scene}"  # Back to where the person was.
    return answer


def _record(request: HttpRequest, query: JudgedQuery, scene: str, grade: str) -> None:
    user = request_user(request)
    try:
        scene_id = UUID(scene)
    except ValueError:
        raise InvalidInput(
            _("There is no such scene in this set's collection, or you may not see it."), field="scene"
        ) from None
    if not grade:
        judgement_withdraw(query=query, user=user, scene_id=scene_id)
        return
    if grade not in {str(each) for each in Grade.values}:
        raise InvalidInput(
            _("The grade is %(grade)s; it must be 0, 1, 2 or 3.") % {"grade": repr(grade[:20])}, field="grade"
        )
    judgement_record(query=query, user=user, scene_id=scene_id, grade=int(grade))
