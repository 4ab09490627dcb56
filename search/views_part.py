"""A box drawn on a scene, made an example of a search."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from rsportal.web import request_user
from search.forms import SearchForm
from search.judgements import shown_hit_get
from search.templatetags.examples import more_like

_NUMBERS: Final = ("x", "y", "width", "height")
_LONGEST: Final = 12  # characters of a number


@require_safe
def part(request: HttpRequest, scene_id: UUID) -> HttpResponse:
    """Go to the search for more like a box (``?x= &y= &width= &height=`` in pixels of the scene).

    With ``?t=``, the token of a hit, it is the search that found the hit, with the box in it. What is wrong with the
    box the search page says.
    """
    box = ",".join(request.GET.get(name, "").strip()[:_LONGEST] or "?" for name in _NUMBERS)
    token = request.GET.get("t", "")
    hit = shown_hit_get(user=request_user(request), token=token) if token else None
    form = SearchForm.of_query(hit.ranking.query) if hit else SearchForm()
    return redirect(more_like(form, f"box:{scene_id}:{box}") or more_like(SearchForm(), f"box:{scene_id}:{box}"))
