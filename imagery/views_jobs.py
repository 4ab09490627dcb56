"""Ingest jobs: what happens to each source, live."""

from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from imagery.models import IngestJob
from imagery.selectors import UNFINISHED, collections_editable, job_get, jobs_count_by_state, jobs_list
from imagery.selectors_uploads import uploads_arrived
from imagery.services import ingest
from rsportal.web import is_htmx, next_url, request_user

_PAGE_SIZE: Final = 50
_FILTERS: Final = ("unfinished", *IngestJob.State.values)


@require_safe
def jobs(request: HttpRequest) -> HttpResponse:
    """The list of jobs (``?batch=``, ``?state=``, ``?page=``); htmx asks for the live part alone."""
    context = _jobs_context(request)
    return render(request, "imagery/_jobs_live.html" if is_htmx(request) else "imagery/jobs.html", context)


@require_safe
def job_row(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """One row of the list."""
    job = _job_or_404(request, job_id)
    editable = collections_editable(request.user).filter(pk=job.collection_id).values_list("pk", flat=True)
    return render(request, "imagery/_job_row.html", {"job": job, "editable": set(editable)})


@require_POST
def job_retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Queue a failed job again."""
    ingest.ingest_job_retry(job=_job_or_404(request, job_id), user=request_user(request))
    return redirect(next_url(request, reverse("imagery:jobs")))


@require_POST
def job_cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Stop a job that is not finished."""
    ingest.ingest_job_cancel(job=_job_or_404(request, job_id), user=request_user(request))
    return redirect(next_url(request, reverse("imagery:jobs")))


def _jobs_context(request: HttpRequest) -> dict[str, Any]:
    batch, state = _batch(request), request.GET.get("state", "")
    if state not in _FILTERS:
        state = ""
    counts = jobs_count_by_state(request.user, batch=batch)
    total = sum(counts.values())
    unfinished = sum(counts.get(value, 0) for value in UNFINISHED)
    page = Paginator(jobs_list(request.user, batch=batch, state=state), _PAGE_SIZE).get_page(request.GET.get("page"))
    editable: set[int] = set(collections_editable(request.user).values_list("pk", flat=True))
    arrived = list(uploads_arrived(request.user, batch=batch)) if batch else []
    return {
        "page": page,
        "arrived": arrived,
        "live": bool(unfinished or arrived),
        "editable": editable,
        "batch": batch,
        "here": request.get_full_path(),
        "state": state,
        "filters": _filters(counts, total, unfinished),
        "total": total,
        "unfinished": unfinished,
        "finished": total - unfinished,
    }


def _filters(counts: dict[str, int], total: int, unfinished: int) -> list[tuple[str, Any, int]]:
    """Return (value, label, count) of each choice that would show something."""
    labels = dict(IngestJob.State.choices)
    choices: list[tuple[str, Any, int]] = [("", _("all"), total), ("unfinished", _("unfinished"), unfinished)]
    done = [value for value in IngestJob.State.values if value not in UNFINISHED]
    choices += [(value, labels[value], counts.get(value, 0)) for value in done]
    return [choice for choice in choices if choice[2] or not choice[0]]


def _batch(request: HttpRequest) -> UUID | None:
    text = request.GET.get("batch", "")
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Http404 from error


def _job_or_404(request: HttpRequest, job_id: UUID) -> IngestJob:
    try:
        return job_get(request.user, job_id)
    except IngestJob.DoesNotExist as error:
        raise Http404 from error
