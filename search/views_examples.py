"""Pictures that people search with: taken in, and shown to their owner."""

from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.http import quote_etag
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from rsportal.errors import InvalidInput
from rsportal.web import next_url, request_user
from search.models import QueryImage
from search.services import image_keep
from search.services.query_images import FIELD, MAX_BYTES, upload_length_check

_MAX_AGE_SECONDS = 86_400


@csrf_exempt  # Only here, where the body is not yet read: the inner view checks the token.
def examples(request: HttpRequest) -> HttpResponse:
    """Keep a picture (``picture``, ``kind`` picture or sketch) as an example, unless it is too large to be read.

    With ``next`` it goes back there with the example added to the query; else JSON tells how to write it in an address.
    """
    try:
        upload_length_check(request.META.get("CONTENT_LENGTH"))
    except InvalidInput as error:
        return JsonResponse({"error": error.message, "code": error.code}, status=413)
    return _examples(request)


@require_POST
@csrf_protect
def _examples(request: HttpRequest) -> HttpResponse:
    goes_on = bool(request.POST.get("next"))
    try:
        image = _kept(request)
    except InvalidInput as error:
        if not goes_on:
            return JsonResponse({"error": error.message, "code": error.code}, status=400)
        messages.error(request, error.message)
        return redirect(next_url(request, reverse("search:home")))
    if goes_on:
        return redirect(_with_example(next_url(request, reverse("search:home")), like_of(image)))
    return JsonResponse(image_body(image), status=201)


@require_safe
def picture(request: HttpRequest, image_id: UUID) -> HttpResponseBase:
    """A picture as it is kept (WebP), for its owner; 404 for everybody else."""
    row = QueryImage.objects.visible_to(request_user(request)).filter(pk=image_id).first()
    if row is None:
        raise Http404
    response: HttpResponseBase | None = get_conditional_response(request, etag=quote_etag(row.sha256))
    if response is None:
        response = HttpResponse(bytes(row.picture), content_type="image/webp")
        response["X-Content-Type-Options"] = "nosniff"
        response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["ETag"] = quote_etag(row.sha256)
    patch_cache_control(response, private=True, max_age=_MAX_AGE_SECONDS)
    patch_vary_headers(response, ["Authorization", "Cookie"])
    return response


def like_of(image: QueryImage) -> str:
    """Return the example as it stands in an address."""
    return f"{'sketch' if image.kind == QueryImage.Kind.SKETCH else 'image'}:{image.pk}"


def image_body(image: QueryImage) -> dict[str, object]:
    """Return what is told of a picture that was kept."""
    return {
        "like": like_of(image),
        "id": str(image.pk),
        "name": image.name,
        "picture": reverse("search:example_picture", args=[image.pk]),
        "width": image.width,
        "height": image.height,
    }


def _kept(request: HttpRequest) -> QueryImage:
    file = request.FILES.get("picture")
    if not isinstance(file, UploadedFile):
        raise InvalidInput(_("Choose a picture file to search with."), code="empty", field=FIELD)
    return image_keep(
        user=request_user(request),
        data=file.read(MAX_BYTES + 1),
        name=file.name or "",
        kind=request.POST.get("kind", "") or QueryImage.Kind.PICTURE,
    )


def _with_example(address: str, like: str) -> str:
    """Return an address of the search page with one more example, on its first page."""
    parts = urlsplit(address)
    query = QueryDict(parts.query, mutable=True)
    for name in ("ranking", "page", "was", "upto"):
        query.pop(name, None)
    kept = [(name, value) for name, values in query.lists() for value in values]
    return urlunsplit(("", "", parts.path, urlencode([*kept, ("like", like)]), ""))
