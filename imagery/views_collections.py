"""Collections: the list, one collection with its scenes, its words, its members."""

from typing import Final

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from imagery.citation import bibtex, cited
from imagery.forms import CollectionForm, MemberForm, form_add_error
from imagery.models import Collection, Scene
from imagery.selectors import (
    collection_editable,
    collection_extent,
    collection_get,
    collection_members,
    collections_list,
    coverage_cells,
    scenes_list,
)
from imagery.services.collections import (
    collection_create,
    collection_delete,
    collection_member_remove,
    collection_member_set,
    collection_owned_by,
    collection_update,
)
from rsportal.errors import NotAllowed, RsportalError
from rsportal.maps.world import spots
from rsportal.web import request_user

_PAGE_SIZE: Final = 48


@require_safe
def collections(request: HttpRequest) -> HttpResponse:
    """All collections this person may see."""
    cells = coverage_cells(request.user)
    cards = [(each, spots(cells.get(each.pk, []))) for each in collections_list(request.user)]
    return render(request, "imagery/collections.html", {"cards": cards})


@require_safe
def collection(request: HttpRequest, slug: str) -> HttpResponse:
    """One collection: words, licence, extent, scenes; members for those who edit it."""
    return _collection_page(request, _collection_or_404(request, slug), MemberForm())


@require_http_methods(["GET", "HEAD", "POST"])
def collection_new(request: HttpRequest) -> HttpResponse:
    """Make a collection; its address comes from the title."""
    form = CollectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = collection_create(user=request_user(request), **form.cleaned_data)
        except RsportalError as error:
            form_add_error(form, error)
        else:
            messages.success(request, _("“%s” was created. You can upload imagery to it now.") % made.title)
            return redirect("imagery:collection", slug=made.slug)
    return render(request, "imagery/collection_form.html", {"form": form}, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def collection_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Change a collection's words, licence or visibility."""
    shown = _owned_or_refused(request, slug)
    initial = {name: getattr(shown, name) for name in CollectionForm.Meta.fields}
    form = CollectionForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            collection_update(collection=shown, user=request_user(request), **form.cleaned_data)
        except RsportalError as error:
            form_add_error(form, error)
        else:
            messages.success(request, _("The changes were saved."))
            return redirect("imagery:collection", slug=shown.slug)
    context = {"form": form, "collection": shown}
    return render(request, "imagery/collection_form.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def collection_delete_confirm(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask, then delete an empty collection."""
    shown = _owned_or_refused(request, slug)
    if request.method == "POST":
        collection_delete(collection=shown, user=request_user(request))
        messages.success(request, _("“%s” was deleted.") % shown.title)
        return redirect("imagery:collections")
    held = Scene.objects.filter(collection=shown).count()
    return render(request, "imagery/collection_delete.html", {"collection": shown, "held": held})


@require_POST
def member_set(request: HttpRequest, slug: str) -> HttpResponse:
    """Let a person see or change the collection."""
    shown = _collection_or_404(request, slug)
    form = MemberForm(request.POST)
    if form.is_valid():
        try:
            member = collection_member_set(collection=shown, user=request_user(request), **form.cleaned_data)
        except RsportalError as error:
            if isinstance(error, NotAllowed):
                raise
            form_add_error(form, error)
        else:
            messages.success(request, _("%s was added.") % member)
            return redirect("imagery:collection", slug=slug)
    return _collection_page(request, shown, form, status=400)


@require_POST
def member_remove(request: HttpRequest, slug: str, member_id: int) -> HttpResponse:
    """Take a person's rights back."""
    shown = _collection_or_404(request, slug)
    collection_member_remove(collection=shown, user=request_user(request), member_id=member_id)
    messages.success(request, _("The person was removed."))
    return redirect("imagery:collection", slug=slug)


def _collection_page(request: HttpRequest, shown: Collection, form: MemberForm, *, status: int = 200) -> HttpResponse:
    scenes = scenes_list(request.user, collections=[shown.slug]).kept()
    editable = collection_editable(request.user, shown)
    context = {
        "collection": shown,
        "page": Paginator(scenes, _PAGE_SIZE).get_page(request.GET.get("page")),
        "editable": editable,
        "owned": collection_owned_by(collection=shown, user=request_user(request)),
        "members": collection_members(shown) if editable else None,
        "member_form": form,
        "extent": collection_extent(request.user, shown),
        "cited": cited(shown),
        "bibtex": bibtex(shown, address=request.build_absolute_uri(reverse("imagery:collection", args=[shown.slug]))),
        "spots": spots(coverage_cells(request.user, collection=shown).get(shown.pk, [])),
    }
    return render(request, "imagery/collection.html", context, status=status)


def _collection_or_404(request: HttpRequest, slug: str) -> Collection:
    try:
        return collection_get(request.user, slug)
    except Collection.DoesNotExist as error:
        raise Http404 from error


def _owned_or_refused(request: HttpRequest, slug: str) -> Collection:
    shown = _collection_or_404(request, slug)
    if not collection_owned_by(collection=shown, user=request_user(request)):
        raise NotAllowed(_("Only %(owner)s can change “%(title)s”.") % {"owner": shown.owner, "title": shown})
    return shown
