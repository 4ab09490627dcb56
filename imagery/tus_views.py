"""The tus 1.0 protocol (tus.io) over HTTP: resumable uploads for browsers (session) and programs (token).

The body of a request goes to the disk as it arrives; nothing here touches ``request.data``, which would read it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, cast
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import http_date
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from imagery import tus
from imagery.api.upload_serializers import UploadSerializer
from imagery.api.viewset import collection_given, found
from imagery.models import Upload
from imagery.selectors_uploads import upload_get, uploads_list
from imagery.services.upload_files import Stream, UploadBusy
from imagery.services.upload_intake import upload_arrived
from imagery.services.uploads import (
    ChecksumMismatch,
    NoRoom,
    UploadGone,
    upload_append,
    upload_create,
    upload_delete,
    upload_fresh,
)
from rsportal.accounts.models import User
from rsportal.api.pagination import KeysetPagination
from rsportal.api.problems import problem_response
from rsportal.errors import InvalidInput, RsportalError

SILENCE_SECONDS: Final = 30.0
"""A sender that is silent for so long has lost its connection: what came is kept, and the upload is free again."""
_STATUS: Final[dict[type[RsportalError], int]] = {UploadBusy: 423, ChecksumMismatch: 460, NoRoom: 507, UploadGone: 404}
_OVERRIDES: Final = frozenset({"PATCH", "DELETE"})
_HEADERS: Final = [
    OpenApiParameter("Tus-Resumable", str, "header", required=True, description="`1.0.0`"),
]
_METADATA: Final = OpenApiParameter(
    "Upload-Metadata",
    str,
    "header",
    required=True,
    description="Pairs `key base64(value)` with commas between: `filename` and `collection` (slug); if you like "
    "`title`, `properties` (a JSON object in STAC names), `relativePath`, `batch` (a UUID that uploads share), and "
    "`group` and `groupSize` for the files of one scene.",
)
_LENGTH: Final = OpenApiParameter(
    "Upload-Length", int, "header", required=True, description="Size of the file in bytes."
)
_OFFSET: Final = OpenApiParameter("Upload-Offset", int, "header", required=True, description="Where the bytes begin.")
_CHECKSUM: Final = OpenApiParameter(
    "Upload-Checksum", str, "header", description="`sha1` or `sha256`, a space, the checksum of this body in Base64."
)


class VersionUnknown(APIException):
    """The client speaks another version of the protocol (HTTP 412)."""

    status_code = 412
    default_code = "tus_version"


class UnreadParser(BaseParser):
    """Leaves the bytes of an upload in their stream: the check of the CSRF token asks every POST for its fields."""

    media_type = tus.CONTENT_TYPE

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        return {}


class TusView(GenericAPIView):
    """What both addresses of the protocol share."""

    parser_classes = [UnreadParser]
    queryset = Upload.objects.none()
    serializer_class = UploadSerializer
    pagination_class = KeysetPagination
    filter_backends = []
    keyset = ("-created_at", "-id")

    @property
    def user(self) -> User:
        """The person asking; never anonymous, the permission classes see to that."""
        return cast(User, self.request.user)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Let a client that cannot send PATCH or DELETE name it in a header of a POST."""
        wanted = request.headers.get("X-HTTP-Method-Override", "").upper()
        if request.method == "POST" and wanted in _OVERRIDES:
            request.method = wanted
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in {"OPTIONS", "GET"}:
            return  # Discovery, and our own JSON beside the protocol.
        if request.headers.get("Tus-Resumable") != tus.VERSION:
            raise VersionUnknown(_("Send the header Tus-Resumable: %(version)s.") % {"version": tus.VERSION})

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Tus-Resumable"] = tus.VERSION
        if response.status_code == VersionUnknown.status_code:
            response["Tus-Version"] = tus.VERSION
        response["Cache-Control"] = "no-store"
        return response

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, RsportalError) and (code := _STATUS.get(type(exc))):
            return problem_response(
                status=code, code=exc.code, detail=exc.message, instance=self.request.path, headers=self.headers_of(exc)
            )
        return super().handle_exception(exc)

    def headers_of(self, error: RsportalError) -> dict[str, str] | None:
        return {"Retry-After": "1"} if isinstance(error, UploadBusy) else None

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Say what the server can do."""
        headers = {
            "Tus-Version": tus.VERSION,
            "Tus-Extension": tus.EXTENSIONS,
            "Tus-Max-Size": str(settings.UPLOAD_MAX_BYTES),
            "Tus-Checksum-Algorithm": ",".join(tus.ALGORITHMS),
        }
        return Response(status=status.HTTP_204_NO_CONTENT, headers=headers)

    def append(self, request: Request, upload: Upload, offset: int) -> Upload:
        """Write the body behind ``offset``; when that was the last byte, take the upload in."""
        checksum = request.headers.get("Upload-Checksum")
        with _body(request) as (stream, announced):
            upload = upload_append(
                upload=upload,
                stream=stream,
                offset=offset,
                most=announced,
                checksum=tus.checksum_parse(checksum) if checksum else None,
            )
        return upload_arrived(upload=upload)


class UploadsView(TusView):
    """Where uploads begin."""

    problem_codes = {"": ("400", "412", "413", "415", "460", "507")}

    @property
    def throttle_scope(self) -> str | None:
        """Only beginning an upload is rated: its length is limited by the quota."""
        return "upload" if self.request.method == "POST" else None

    @extend_schema(
        tags=["uploads"],
        operation_id="uploads_list",
        summary="List your uploads, newest first",
        parameters=[OpenApiParameter("unfinished", bool, description="Only those that still wait for something.")],
        responses=UploadSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        unfinished = request.query_params.get("unfinished", "").lower() in {"1", "true", "yes"}
        page = self.paginate_queryset(uploads_list(self.user, unfinished=unfinished))
        assert page is not None
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        tags=["uploads"],
        operation_id="uploads_create",
        summary="Begin a resumable upload (tus 1.0)",
        description="Answers with the upload's address in `Location`. The body may bring the first bytes already "
        "(`Content-Type: application/offset+octet-stream`, `Upload-Offset` in the answer says how many were kept).",
        parameters=[*_HEADERS, _LENGTH, _METADATA, _CHECKSUM],
        request=None,
        responses={201: OpenApiResponse(description="Begun.")},
    )
    def post(self, request: Request) -> Response:
        if request.headers.get("Upload-Concat") or request.headers.get("Upload-Defer-Length"):
            raise InvalidInput(_("Uploads in parts and uploads of unknown length are not supported."))
        if (kind := request.content_type) not in {"", tus.CONTENT_TYPE} and _has_body(request):
            raise UnsupportedMediaType(kind)
        length = tus.bytes_parse("Upload-Length", request.headers.get("Upload-Length"))
        metadata = tus.metadata_parse(request.headers.get("Upload-Metadata", ""))
        upload = upload_create(
            user=self.user,
            collection=collection_given(self.user, metadata.collection),
            length=length,
            filename=metadata.filename,
            metadata=metadata.kept(),
            batch=metadata.batch,
            group=metadata.group,
            group_size=metadata.group_size,
        )
        if request.content_type == tus.CONTENT_TYPE and _has_body(request):
            upload = self.append(request, upload, 0)
        else:
            upload = upload_arrived(upload=upload)  # A file without a byte is complete.
        headers = {"Location": f"{request.path}{upload.pk}/", **_state_headers(upload)}
        return Response(status=status.HTTP_201_CREATED, headers=headers)


class UploadView(TusView):
    """One upload."""

    problem_codes = {"": ("400", "409", "412", "413", "415", "423", "460", "507")}

    @extend_schema(tags=["uploads"], operation_id="uploads_retrieve", summary="One upload", responses=UploadSerializer)
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(self.get_serializer(self._get(pk)).data)

    @extend_schema(exclude=True)
    def head(self, request: Request, pk: UUID) -> Response:
        """Say where the upload goes on."""
        upload = upload_fresh(self._get(pk))
        metadata = {"filename": upload.filename, "collection": upload.collection.slug}
        headers = {
            "Upload-Length": str(upload.length),
            "Upload-Metadata": tus.metadata_format(metadata),
            **_state_headers(upload),
        }
        return Response(status=status.HTTP_200_OK, headers=headers)

    @extend_schema(
        tags=["uploads"],
        operation_id="uploads_append",
        summary="Send bytes of an upload (tus 1.0)",
        description="HEAD says where an upload goes on. With the last byte the file is taken in; `Rsportal-State`, "
        "`Rsportal-Job` and `Rsportal-Reason` (percent-encoded) tell what became of it, as does GET.",
        parameters=[*_HEADERS, _OFFSET, _CHECKSUM],
        request={tus.CONTENT_TYPE: bytes},
        responses={204: OpenApiResponse(description="Kept; `Upload-Offset` says where it goes on.")},
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        upload = self._get(pk)
        if request.content_type != tus.CONTENT_TYPE:
            raise UnsupportedMediaType(
                request.content_type, _("Send bytes as Content-Type: %(type)s.") % {"type": tus.CONTENT_TYPE}
            )
        offset = tus.bytes_parse("Upload-Offset", request.headers.get("Upload-Offset"))
        upload = self.append(request, upload, offset)
        return Response(status=status.HTTP_204_NO_CONTENT, headers=_state_headers(upload))

    @extend_schema(
        tags=["uploads"],
        operation_id="uploads_delete",
        summary="Give an upload up (tus 1.0)",
        parameters=_HEADERS,
        responses={204: None},
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        upload_delete(upload=self._get(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _get(self, pk: UUID) -> Upload:
        return found(lambda: upload_get(self.user, pk))


class PageUploadsView(UploadsView):
    """The same for the upload page, outside the API and its schema."""

    schema = None


class PageUploadView(UploadView):
    """The same for the upload page, outside the API and its schema."""

    schema = None


def _state_headers(upload: Upload) -> dict[str, str]:
    """Return where the upload goes on, until when, and what became of it."""
    headers = {"Upload-Offset": str(upload.offset), "Rsportal-State": upload.state}
    if upload.finished_at is None:
        headers["Upload-Expires"] = http_date(upload.expires_at.timestamp())
    if upload.job_id:
        headers["Rsportal-Job"] = str(upload.job_id)
    if upload.reason:
        headers["Rsportal-Reason"] = quote(upload.reason[:1000])
    return headers


def _has_body(request: Request) -> bool:
    return request.META.get("CONTENT_LENGTH") not in {None, "", "0"} or "HTTP_TRANSFER_ENCODING" in request.META


@contextmanager
def _body(request: Request) -> Iterator[tuple[Stream, int | None]]:
    """Yield the stream of the body and its announced length (None: sent in chunks of unknown number).

    While it is read, a silent connection ends after ``SILENCE_SECONDS``: otherwise a laptop that fell asleep would
    keep the upload locked against its own second attempt.
    """
    http = request._request
    environ = http.environ if hasattr(http, "environ") else {}
    connection = environ.get("gunicorn.socket")
    before = None
    if isinstance(connection, socket.socket):
        before = connection.gettimeout()
        connection.settimeout(SILENCE_SECONDS)
    try:
        if environ.get("wsgi.input_terminated") and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            yield environ["wsgi.input"], None
        else:
            yield cast(Stream, http), int(request.META.get("CONTENT_LENGTH") or 0)
    finally:
        if isinstance(connection, socket.socket):
            with suppress(OSError):  # It is closed by now.
                connection.settimeout(before)
