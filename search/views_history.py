"""Pages for what is kept about a person's searches: read, take along, erase."""

from typing import Final

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rsportal.accounts.models import User
from rsportal.web import request_user
from search import history as kept
from search.models import Query
from search.selectors import history_list
from search.services import history_erase as erase
from search.services import learning_choose

_PAGE_SIZE: Final = 20  # queries on a page


@require_GET
def history(request: HttpRequest) -> HttpResponse:
    """List the person's queries, what came of each, and what they did with it."""
    user = request_user(request)
    page = Paginator(history_list(user), _PAGE_SIZE).get_page(request.GET.get("page"))
    deeds = kept.history_deeds(user, page.object_list)
    entries = [(query, deeds.get(query.pk, [])) for query in page.object_list]
    context = {"page": page, "entries": entries, "choice": kept.learning_choice(user)}
    if page.number == 1:
        context["pictures"] = list(kept.history_pictures(user))
    return render(request, "search/history.html", context)


@require_POST
def learning(request: HttpRequest) -> HttpResponse:
    """Store what the person lets the portal learn from what they do (``for_me``, ``for_all``)."""
    learning_choose(user=request_user(request), for_me="for_me" in request.POST, for_all="for_all" in request.POST)
    messages.success(request, _("Your choice holds from the next search on."))
    return redirect("search:history")


@require_http_methods(["GET", "POST"])
def history_erase(request: HttpRequest) -> HttpResponse:
    """Ask first (GET), then erase (POST): one query (``query``), or all without it."""
    user = request_user(request)
    raw = (request.POST if request.method == "POST" else request.GET).get("query", "")
    query = _own_query(user, raw) if raw else None
    if request.method == "GET":
        context: dict[str, object] = {"query": query, "count": 1 if query else Query.objects.visible_to(user).count()}
        if query is None:
            context["pictures"] = kept.history_pictures(user).count()
            context["concepts"] = kept.history_concepts(user).count()
        return render(request, "search/history_erase.html", context)
    erased = erase(user=user, query_id=query.pk if query else None, concepts="concepts" in request.POST)
    messages.success(
        request,
        ngettext("%(count)s search is erased for good.", "%(count)s searches are erased for good.", erased)
        % {"count": erased},
    )
    return redirect("search:history")


@require_GET
def history_export(request: HttpRequest) -> StreamingHttpResponse:
    """Send everything that is kept about the person's searches as one JSON file."""
    user = request_user(request)
    response = StreamingHttpResponse(kept.history_export(user), content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="rsportal-history-{timezone.now():%Y-%m-%d}.json"'
    return response


def _own_query(user: User, raw: str) -> Query:
    if raw.isascii() and raw.isdigit() and len(raw) < 19:
        found = Query.objects.visible_to(user).filter(pk=int(raw)).first()
        if found:
            return found
    raise Http404
