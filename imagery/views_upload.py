"""The upload page: many files at once, each judged on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from imagery.forms import UploadForm
from imagery.models import Collection, IngestJob
from imagery.selectors import collections_editable
from imagery.services.ingest import SourceFile, source_ingest
from imagery.upload_handlers import LimitedFileUploadHandler
from rsportal.accounts.models import User
from rsportal.web import request_user


@csrf_exempt  # only here, where the body is not yet read: the inner view checks the token
def upload(request: HttpRequest) -> HttpResponse:
    """Take files to disk, whatever their size up to the limit, so that the ingest service gets a path."""
    request.upload_handlers = [LimitedFileUploadHandler(request)]
    return _upload(request)


@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
def _upload(request: HttpRequest) -> HttpResponse:
    user = request_user(request)
    if request.method != "POST":
        return _page(request, user, UploadForm(user=user, initial=_initial(request)))
    form = UploadForm(request.POST, request.FILES, user=user)
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    if not form.is_valid():
        if wants_json:
            return JsonResponse({"errors": form.errors.get_json_data()}, status=400)
        return _page(request, user, form, status=400)
    collection, batch = form.cleaned_data["collection"], form.cleaned_data["batch"]
    jobs = [_ingest(file, collection, user, batch) for file in form.cleaned_data["images"]]
    if wants_json:
        return JsonResponse({"results": [_result(job) for job in jobs]})
    return redirect(f"{reverse('imagery:jobs')}?{urlencode({'batch': batch})}")


def _initial(request: HttpRequest) -> dict[str, Any]:
    return {"batch": uuid4(), "collection": request.GET.get("collection", "")}


def _page(request: HttpRequest, user: User, form: UploadForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "may_upload": collections_editable(user).exists(),
        "max_bytes": settings.UPLOAD_MAX_BYTES,
        "max_files": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
        "max_megapixels": settings.UPLOAD_MAX_PIXELS // 1_000_000,
        "max_whole_megapixels": settings.PILLOW_MAX_PIXELS // 1_000_000,
    }
    return render(request, "imagery/upload.html", context, status=status)


def _ingest(file: UploadedFile, collection: Collection, user: User, batch: UUID) -> IngestJob:
    assert isinstance(file, TemporaryUploadedFile)  # what the handler above makes
    source = SourceFile(path=Path(file.temporary_file_path()), filename=file.name or "")
    return source_ingest(files=[source], collection=collection, user=user, batch=batch)


def _result(job: IngestJob) -> dict[str, str]:
    """Return what the page's script shows beside the file."""
    return {
        "filename": job.source_name,
        "state": job.state,
        "label": job.get_state_display(),
        "reason": job.reason,
        "scene_url": reverse("imagery:scene", args=[job.scene_id]) if job.scene_id else "",
    }
