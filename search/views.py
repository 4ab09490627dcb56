"""The search page and what people do with its hits."""

from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from imagery.models import Collection
from imagery.selectors_archive import ArchiveState, archive_state
from rsportal.errors import InvalidInput, TooMany, Unavailable
from rsportal.web import is_htmx, next_url, request_user
from search.chips import chips_shown
from search.example_chips import example_chips
from search.examples import example_queries
from search.forms import SearchForm
from search.judgements import question_judgements
from search.models import Ranking
from search.rail import rail_groups
from search.selectors import archive_progress, coverage_spots, ranking_get
from search.services import (
    PAGE_SIZE,
    SearchPage,
    event_impression,
    event_record,
    event_withdraw,
    ranking_page,
    search_run,
)
from search.taught import ranking_before, rows_shown, taught_shown
from search.translation import languages_read

_WITHDRAWALS: Final = {"unlike": "like", "undislike": "dislike"}
_MOST_PAGES: Final = 10  # shown at once, when an answer is ranked anew that somebody scrolled far down


@require_safe
@vary_on_headers("HX-Request", "HX-Target")  # Else going back could show a part of the page as all of it.
def home(request: HttpRequest) -> HttpResponse:
    """The box, and the answer when something was asked (``?q= &translation= &collection= &start= &end=``).

    Later pages are cut from the stored ranking (``&ranking=&page=``), so that they neither repeat nor drop a hit. In
    an address that somebody else sent, the ranking is theirs: the words are then asked anew. When hits were judged,
    ``&was=`` is the ranking that was on the screen, to say what moved, and ``&upto=`` how many pages of it were.
    """
    form = SearchForm.read(request.GET)
    context: dict[str, Any] = {"form": form, "unavailable": ""}
    status = 200
    if "q" in request.GET and not form.asked:
        form.parse(request_user(request))  # Refuses the empty box with a sentence.
    elif form.asked:
        try:
            shown = _answer(request, form)
        except InvalidInput as error:
            form.refuse(error)
            shown = None
        except Unavailable as error:
            context["unavailable"], shown, status = error.message, None, 503
        if shown is not None:
            context.update(_answer_context(request, form, shown))
            if is_htmx(request):
                if request.headers.get("HX-Target") != "results":  # The next page.
                    return render(request, "search/_hits.html", context)
                return render(request, "search/_results.html", {**context, **_progress_context(request)})
    context.update(_frame_context(request, form))
    return render(request, "search/home.html", context, status=400 if form.errors else status)


@require_safe
def progress(request: HttpRequest) -> HttpResponse:
    """How much of the archive can be searched yet; htmx asks for it while encoding goes on."""
    return render(request, "search/_progress.html", _progress_context(request))


@require_safe
def open_hit(request: HttpRequest, token: str) -> HttpResponse:
    """Record the click on a hit and go to its scene, with the match outlined."""
    user = request_user(request)
    try:
        impression = event_record(user=user, token=token, kind="click").impression
    except TooMany:  # Not recorded; the scene is shown all the same.
        impression = event_impression(user=user, token=token)
    parameters = {"t": token}
    if impression.tile is not None and impression.tile.level > 0:
        parameters["window"] = ",".join(str(value) for value in impression.tile.window)
    address = reverse("imagery:scene", args=[impression.scene_id])
    return redirect(f"{address}?{urlencode(parameters, safe=',')}")


@require_POST
def event(request: HttpRequest) -> HttpResponse:
    """Record what a person did with a hit (or take a like or dislike back); repeating it changes nothing."""
    user, token, kind = request_user(request), request.POST.get("token", ""), request.POST.get("kind", "")
    if kind in _WITHDRAWALS:
        event_withdraw(user=user, token=token, kind=_WITHDRAWALS[kind])
    else:
        event_record(user=user, token=token, kind=kind, seconds=_seconds(request))
    if request.POST.get("next"):
        return redirect(next_url(request, reverse("search:home")))
    return HttpResponse(status=204)


def _seconds(request: HttpRequest) -> int | None:
    text = request.POST.get("seconds", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _answer(request: HttpRequest, form: SearchForm) -> SearchPage | None:
    user = request_user(request)
    ranking = _stored_ranking(request)
    if ranking is None:
        asked = form.parse(user)
        if asked is None:
            return None
        ranking = search_run(user=user, request=asked)
    page, several = _page_number(request, "page"), min(_page_number(request, "upto"), _MOST_PAGES)
    if page > 1 or several == 1:
        return ranking_page(user=user, ranking=ranking, page=page)
    shown = ranking_page(user=user, ranking=ranking, size=several * PAGE_SIZE)
    pages = max(1, -(-shown.total // PAGE_SIZE))
    return replace(shown, page=min(several, pages), pages=pages)


def _stored_ranking(request: HttpRequest) -> Ranking | None:
    """Return the ranking the address names; None when it is another person's or erased: the words are asked anew."""
    text = request.GET.get("ranking", "")
    if not text:
        return None
    try:
        return ranking_get(request.user, text)
    except Ranking.DoesNotExist:
        return None


def _page_number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _answer_context(request: HttpRequest, form: SearchForm, shown: SearchPage) -> dict[str, Any]:
    user, ranking = request_user(request), shown.ranking
    judgements = question_judgements(user=user, query=ranking.query)
    before = ranking_before(user, ranking, request.GET.get("was", ""))
    rows = rows_shown(user=user, hits=shown.hits, judgements=judgements, before=before)
    home_url = reverse("search:home")
    more = f"{home_url}?{form.querystring(ranking=ranking.pk, page=shown.page + 1)}" if shown.page < shown.pages else ""
    back, forth = replace(form, history=""), replace(form, history="off")
    return {
        "answer": shown,
        "first_page": shown.page == 1 or (shown.hits and shown.hits[0].rank == 1),
        "chips": chips_shown(form=form, parsed=ranking.query.parsed),
        "hits": rows,
        "taught": taught_shown(
            user=user,
            shown=shown,
            rows=rows,
            judgements=judgements,
            compared=before is not None,
            kept=request.GET.get("ranking", "") == str(ranking.pk),
        ),
        "anew": f"{home_url}?{form.querystring(was=ranking.pk, upto=shown.page if shown.page > 1 else '')}",
        "with_history": f"{home_url}?{back.querystring(was=ranking.pk)}",
        "without_history": f"{home_url}?{forth.querystring(was=ranking.pk)}",
        "more": more,
    }


def _frame_context(request: HttpRequest, form: SearchForm) -> dict[str, Any]:
    state = archive_state(Collection.objects.visible_to(request.user))
    groups = rail_groups(request.user, form, state=state)
    context = {
        "rail": groups,
        "clear_bbox": form.without("bbox"),
        "clear_intersects": form.without("intersects"),
        **_progress_context(request, state),
    }
    encoder = context["encoder"]
    context["examples"] = example_queries()
    context["example_chips"] = example_chips(user=request.user, form=form)
    context["languages"] = languages_read(encoder.languages) if encoder else ""
    if not form.asked:
        context["spots"] = coverage_spots(request.user)
    return context


def _progress_context(request: HttpRequest, state: ArchiveState | None = None) -> dict[str, Any]:
    searchable, total, encoder = archive_progress(request.user, state=state)
    return {"searchable": searchable, "total": total, "encoder": encoder}
