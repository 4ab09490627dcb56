"""What a page outside search shows of the search that led to it."""

from dataclasses import dataclass
from uuid import UUID

from django import template
from django.template.context import RequestContext
from django.urls import reverse

from rsportal.web import request_user
from search.forms import SearchForm
from search.judgements import shown_hit_get
from search.match_windows import Window
from search.models import Query
from search.services import PAGE_SIZE

register = template.Library()


@dataclass(frozen=True)
class CameFrom:
    """The search that led here: its words and form, the way ``back`` to the hit, the hit's token, how it was judged.

    ``windows`` are the parts of the scene that matched (x, y, width, height in pixels), best first.
    """

    query: str
    form: SearchForm
    back: str
    token: str
    judged: str
    windows: list[Window]


@register.simple_tag(takes_context=True)
def came_from(context: RequestContext, token: str, scene_id: UUID | None = None) -> CameFrom | None:
    """Return the search whose hit ``token`` signs; None when it is not this person's, too old or erased.

    Another scene than ``scene_id`` has no windows here.
    """
    hit = shown_hit_get(user=request_user(context["request"]), token=token) if token else None
    if hit is None:
        return None
    query: Query = hit.ranking.query
    page = (hit.rank - 1) // PAGE_SIZE + 1
    back = f"{_address(query, ranking=hit.ranking.pk, page=page)}#hit-{hit.rank}"
    form = SearchForm.of_query(query)
    windows = hit.windows if scene_id in (None, hit.scene_id) else []
    return CameFrom(query=query.title, form=form, back=back, token=hit.token, judged=hit.judged, windows=windows)


@register.simple_tag
def kept_answer(query: Query, ranking: UUID) -> str:
    """Return the address of the answer a query got at the time, with its words and filters in the form."""
    return _address(query, ranking=ranking)


def _address(query: Query, **extra: object) -> str:
    return f"{reverse('search:home')}?{SearchForm.of_query(query).querystring(**extra)}"
