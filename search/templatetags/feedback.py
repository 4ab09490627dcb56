"""What a page outside search shows of the search that led to it."""

from typing import Any

from django import template
from django.template.context import RequestContext
from django.urls import reverse

from rsportal.web import request_user
from search.forms import SearchForm
from search.judgements import shown_hit_get
from search.models import Query
from search.services import PAGE_SIZE

register = template.Library()


@register.inclusion_tag("search/_came_from.html", takes_context=True)
def came_from(context: RequestContext, token: str) -> dict[str, Any]:
    """Show the way back to the results and the judgement of the hit that ``token`` was made for, if any."""
    request = context["request"]
    hit = shown_hit_get(user=request_user(request), token=token) if token else None
    if hit is None:
        return {"hit": None}
    query: Query = hit.ranking.query
    form = SearchForm(
        q=query.text,
        collections=tuple(query.filters.get("collections", ())),
        start=query.filters.get("start", ""),
        end=query.filters.get("end", ""),
    )
    page = (hit.rank - 1) // PAGE_SIZE + 1
    return {
        "hit": hit,
        "query": query.text,
        "token": token,
        "title": context["scene"].title,
        "back": f"{reverse('search:home')}?{form.querystring(ranking=hit.ranking.pk, page=page)}#hit-{hit.rank}",
        "here": request.get_full_path(),
        "csrf_token": context.get("csrf_token"),
    }
