"""What the pages of a judged set share: finding the set, and the frame of the administration."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from rsportal.web import request_user
from search.models import JudgedSet


def judged_set_or_404(request: HttpRequest, pk: int) -> JudgedSet:
    """Return the set; a hidden one is answered like one that does not exist. Raises PermissionDenied, Http404."""
    if not request.user.has_perm("search.view_judgedset"):
        raise PermissionDenied
    rows = JudgedSet.objects.visible_to(request_user(request)).select_related("collection", "owner")
    judged_set: JudgedSet | None = rows.filter(pk=pk).first()
    if judged_set is None:
        raise Http404
    return judged_set


def frame(request: HttpRequest, *, site: Any, opts: Any, judged_set: JudgedSet, title: str) -> dict[str, Any]:
    """Return the context that every page of a set has; ``may_judge`` and ``may_change`` say what this person may."""
    user = request_user(request)
    rows = JudgedSet.objects.filter(pk=judged_set.pk)
    return {
        **site.each_context(request),
        "opts": opts,
        "title": title,
        "judged_set": judged_set,
        "may_judge": user.has_perm("search.change_judgedset") and rows.judgeable_by(user).exists(),
        "may_change": user.has_perm("search.change_judgedset") and rows.editable_by(user).exists(),
    }
