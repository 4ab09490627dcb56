"""Concepts: the list, one concept with its examples, saving a search as one, sharing and deleting it."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from imagery.models import Collection
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, RsportalError
from rsportal.web import next_url, request_user
from search.concepts.from_ranking import draft_of_ranking
from search.concepts.shown import concept_shown, concepts_shown
from search.examples_given import examples_parse
from search.models import Concept, QueryImage, Ranking
from search.selectors import ranking_get
from search.selectors_concepts import concept_get, concept_list, concept_picture
from search.services.concept_examples import OUTSIDE
from search.services.concepts import (
    SavedSearch,
    concept_change,
    concept_create,
    concept_delete,
    concept_examples_add,
    concept_from_ranking,
    concept_share,
    concept_unshare,
)

_PAGE_SIZE: Final = 24
_PICTURE_MAX_AGE_SECONDS: Final = 3600
_FIELDS: Final = ("name", "text", "description")
_WEIGHT: Final = "weight-"


@require_http_methods(["GET", "HEAD", "POST"])
def concepts(request: HttpRequest) -> HttpResponse:
    """List the concepts this person may use; POST makes one, of a search (``ranking``) or of words."""
    user = request_user(request)
    if request.method == "POST":
        return _create(request, user)
    page = Paginator(concept_list(user), _PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "search/concepts.html", {"page": page, "cards": concepts_shown(user, page.object_list)})


@require_safe
def concept_new(request: HttpRequest) -> HttpResponse:
    """The form of a new concept, of a search (``?ranking=``) or of words."""
    return _new_page(request, request_user(request), request.GET)


@require_http_methods(["GET", "HEAD", "POST"])
def concept(request: HttpRequest, concept_id: UUID) -> HttpResponse:
    """One concept: words, examples, who sees it; its owner changes words and weights (POST)."""
    user, shown = request_user(request), _concept_or_404(request, concept_id)
    if request.method != "POST":
        return _concept_page(request, shown)
    words: dict[str, Any] = {name: request.POST[name] for name in _FIELDS if name in request.POST}
    try:
        concept_change(concept=shown, user=user, weights=_weights(request.POST), **words)
    except InvalidInput as error:
        return _concept_page(request, shown, error=error, typed=words)
    messages.success(request, _("The changes were saved."))
    return redirect("search:concept", concept_id=concept_id)


@require_POST
def concept_sharing(request: HttpRequest, concept_id: UUID) -> HttpResponse:
    """Share a concept in a collection (its slug), or keep it to oneself ("")."""
    user, shown = request_user(request), _concept_or_404(request, concept_id)
    slug = request.POST.get("collection", "")
    try:
        if slug:
            into = Collection.objects.visible_to(user).filter(slug=slug).first()
            if into is None:
                raise InvalidInput(_("There is no such collection, or you may not see it."), field="collection")
            concept_share(concept=shown, user=user, collection=into, leave_out="leave_out" in request.POST)
            messages.success(request, _("Shared: whoever may see “%(title)s” can use the concept.") % {"title": into})
        else:
            concept_unshare(concept=shown, user=user)
            messages.success(request, _("Only you see the concept now."))
    except InvalidInput as error:
        return _concept_page(request, shown, error=error, chosen=slug)
    return redirect("search:concept", concept_id=concept_id)


@require_http_methods(["GET", "HEAD", "POST"])
def concept_delete_confirm(request: HttpRequest, concept_id: UUID) -> HttpResponse:
    """Ask, then delete a concept."""
    shown = _concept_or_404(request, concept_id)
    if request.method == "POST":
        concept_delete(concept=shown, user=request_user(request))
        messages.success(request, _("“%s” was deleted.") % shown.name)
        return redirect("search:concepts")
    if shown.owner_id != request_user(request).pk:
        raise Http404
    return render(request, "search/concept_delete.html", {"concept": shown})


@require_safe
def picture(request: HttpRequest, concept_id: UUID, image_id: UUID) -> HttpResponse:
    """A picture among the examples of a concept, for whoever may see the concept."""
    try:
        image = concept_picture(request_user(request), concept_id, image_id)
    except QueryImage.DoesNotExist as error:
        raise Http404 from error
    etag = f'"{image.sha256}"'
    response: HttpResponse
    if request.headers.get("If-None-Match") == etag:
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(bytes(image.picture), content_type="image/webp")
        response["X-Content-Type-Options"] = "nosniff"
        response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["ETag"] = etag
    patch_cache_control(response, private=True, max_age=_PICTURE_MAX_AGE_SECONDS)
    patch_vary_headers(response, ["Cookie"])
    return response


def _create(request: HttpRequest, user: User) -> HttpResponse:
    """Make a concept of a search (``ranking``) or of words and examples (``like``), or add them to one (``into``)."""
    data = request.POST
    if data.get("into"):
        return _add(request, user, _own_concept(user, data["into"]))
    try:
        ranking = _ranking(user, data.get("ranking", ""))
        if ranking is not None:
            saved = concept_from_ranking(user=user, ranking=ranking, name=data.get("name", ""))
        else:
            words: dict[str, Any] = {name: data.get(name, "") for name in _FIELDS}
            made = concept_create(user=user, examples=examples_parse(data.getlist("like"), most=None), **words)
            saved = SavedSearch(made, made.examples.count(), 0)
    except InvalidInput as error:
        return _new_page(request, user, data, error=error)
    messages.success(request, _("“%s” was saved as a concept.") % saved.concept.name)
    _tell_left_out(request, saved)
    return redirect("search:concept", concept_id=saved.concept.pk)


def _add(request: HttpRequest, user: User, into: Concept) -> HttpResponse:
    """Add a search's or the given examples; a refusal is told on a page of its own."""
    ranking = _ranking(user, request.POST.get("ranking", ""))
    if ranking is not None:
        saved = concept_from_ranking(user=user, ranking=ranking, name="", into=into)
    else:
        examples = examples_parse(request.POST.getlist("like"), most=None)
        saved = SavedSearch(into, concept_examples_add(concept=into, user=user, examples=examples), 0)
    text = ngettext(
        "%(count)s example was added to “%(name)s”.", "%(count)s examples were added to “%(name)s”.", saved.added
    )
    messages.success(request, text % {"count": saved.added, "name": into.name})
    _tell_left_out(request, saved)
    return redirect(next_url(request, reverse("search:concept", args=[into.pk])))


def _tell_left_out(request: HttpRequest, saved: SavedSearch) -> None:
    if saved.left_out:
        text = ngettext(
            "%(count)s example was left out: it belongs to somebody else, or is one too many.",
            "%(count)s examples were left out: they belong to somebody else, or are too many.",
            saved.left_out,
        )
        messages.warning(request, text % {"count": saved.left_out})


def _new_page(request: HttpRequest, user: User, data: QueryDict, *, error: RsportalError | None = None) -> HttpResponse:
    ranking = _ranking(user, data.get("ranking", ""), quietly=True)
    draft = draft_of_ranking(user=user, ranking=ranking) if ranking is not None else None
    typed = {name: data.get(name, "") for name in _FIELDS}
    if draft is not None and "name" not in data:
        typed["name"] = draft.name
    context = {
        "ranking": ranking,
        "draft": draft,
        "typed": typed,
        "likes": [] if ranking is not None else data.getlist("like"),
        "errors": {error.field or "": error.message} if error else {},
    }
    return render(request, "search/concept_new.html", context, status=400 if error else 200)


def _concept_page(
    request: HttpRequest,
    shown: Concept,
    *,
    error: InvalidInput | None = None,
    typed: dict[str, str] | None = None,
    chosen: str | None = None,
) -> HttpResponse:
    user = request_user(request)
    view = concept_shown(user, shown)
    context: dict[str, Any] = {
        "concept": shown,
        "view": view,
        "typed": {name: getattr(shown, name) for name in _FIELDS} | (typed or {}),
        "errors": {error.field or "": error.message} if error else {},
        "outside": error is not None and error.code == OUTSIDE,
        "chosen": chosen if chosen is not None else view.collection.slug if view.collection else "",
        "collections": Collection.objects.visible_to(user).order_by("title", "pk") if view.own else [],
    }
    return render(request, "search/concept.html", context, status=400 if error else 200)


def _weights(data: QueryDict) -> dict[int, float]:
    """Return the weights of examples in the form, 0 for those to be taken out. Raises InvalidInput."""
    weights: dict[int, float] = {}
    for name, value in data.items():
        key = name.removeprefix(_WEIGHT)
        if name.startswith(_WEIGHT) and key.isascii() and key.isdigit() and len(key) < 19:
            try:
                weights[int(key)] = float(str(value))
            except ValueError:
                raise InvalidInput(
                    _("%(value)s is no weight; choose one from the list.") % {"value": repr(str(value)[:40])},
                    field="weight",
                ) from None
    removed = data.getlist("remove")
    weights |= {int(key): 0.0 for key in removed if key.isascii() and key.isdigit() and len(key) < 19}
    return weights


def _ranking(user: User, text: str, *, quietly: bool = False) -> Ranking | None:
    if not text:
        return None
    try:
        return ranking_get(user, text)
    except Ranking.DoesNotExist:
        if quietly:
            return None
        raise InvalidInput(_("There is no such answer; it may have been erased. Search again.")) from None


def _own_concept(user: User, text: str) -> Concept:
    try:
        found = Concept.objects.editable_by(user).filter(pk=UUID(text)).first()
    except ValueError:
        found = None
    if found is None:
        raise InvalidInput(_("There is no concept of yours like this; choose another."), field="into")
    return found


def _concept_or_404(request: HttpRequest, concept_id: UUID) -> Concept:
    try:
        return concept_get(request_user(request), concept_id)
    except Concept.DoesNotExist as error:
        raise Http404 from error
