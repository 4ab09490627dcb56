"""The upload page: files by the tus protocol (``tus_views``), or by one plain form without JavaScript."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from imagery.forms import UploadForm
from imagery.models import Upload
from imagery.rendering_recipe import bands_shown
from imagery.selectors import collections_editable
from imagery.selectors_uploads import upload_get, uploads_list
from imagery.services.upload_form import FormFile, form_files_take
from imagery.services.upload_groups import upload_groups
from imagery.services.uploads import upload_delete
from imagery.upload_handlers import LimitedFileUploadHandler
from rsportal.accounts.models import User
from rsportal.web import request_user

_MOST_NAMES: Final = 20_000
_UNFINISHED_SHOWN: Final = 100


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
    if not form.is_valid():
        return _page(request, user, form, status=400)
    batch: UUID = form.cleaned_data["batch"]
    files = [_form_file(file) for file in form.cleaned_data["images"]]
    form_files_take(files=files, collection=form.cleaned_data["collection"], user=user, batch=batch)
    return redirect(f"{reverse('imagery:jobs')}?{urlencode({'batch': batch})}")


@require_POST
def upload_plan(request: HttpRequest) -> HttpResponse:
    """Tell the page's script which of the chosen files make one scene, by their names (a JSON list of paths).

    ``?collection=`` is where they go: its band recipe may make scenes of files, too.
    """
    try:
        names = json.loads(request.body)
    except ValueError:
        names = None
    if not isinstance(names, list) or len(names) > _MOST_NAMES or not all(isinstance(name, str) for name in names):
        return JsonResponse({}, status=400)
    collection = collections_editable(request.user).filter(slug=request.GET.get("collection", "")).first()
    groups, left_out = upload_groups(names, bands=bands_shown(collection) if collection else ())
    return JsonResponse(
        {
            "groups": [{"name": group.name, "key": group.key, "files": group.files} for group in groups],
            "left_out": left_out,
        }
    )


@require_POST
def upload_remove(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Give up an unfinished upload."""
    try:
        upload_delete(upload=upload_get(request.user, upload_id))
    except Upload.DoesNotExist as error:
        raise Http404 from error
    return redirect("imagery:upload")


def _initial(request: HttpRequest) -> dict[str, Any]:
    return {"batch": uuid4(), "collection": request.GET.get("collection", "")}


def _page(request: HttpRequest, user: User, form: UploadForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "may_upload": collections_editable(user).exists(),
        "unfinished": uploads_list(user, unfinished=True)[:_UNFINISHED_SHOWN],
        "max_bytes": settings.UPLOAD_MAX_BYTES,
        "max_files": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
        "max_megapixels": settings.UPLOAD_MAX_PIXELS // 1_000_000,
        "max_whole_megapixels": settings.PILLOW_MAX_PIXELS // 1_000_000,
        "max_zip_bytes": settings.UPLOAD_ZIP_MAX_BYTES,
    }
    return render(request, "imagery/upload.html", context, status=status)


def _form_file(file: UploadedFile) -> FormFile:
    assert isinstance(file, TemporaryUploadedFile)  # what the handler above makes
    return FormFile(path=Path(file.temporary_file_path()), filename=file.name or "")
