"""Every error of the API is a problem document (RFC 9457, ``application/problem+json``)."""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, TypedDict

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from rsportal.errors import RsportalError, TooMany
from rsportal.middleware import http_status

PROBLEM_TYPE: Final = "application/problem+json"
_RETRY_AFTER_SECONDS: Final = 5
_TITLES: Final = {460: "Checksum Mismatch"}  # A status of the tus protocol that HTTP does not know.
_logger = logging.getLogger(__name__)


class FieldError(TypedDict):
    """One thing wrong with one field (or parameter); ``field`` is null when it concerns the request as a whole."""

    field: str | None
    code: str
    detail: str


class ProblemResponse(Response):
    """A problem document is JSON, whatever format the endpoint would have answered in."""

    @property
    def rendered_content(self) -> Any:
        self["Content-Type"] = PROBLEM_TYPE
        return JSONRenderer().render(self.data)


def problem_response(
    *,
    status: int,
    code: str,
    detail: str,
    instance: str,
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
    **more: str,
) -> ProblemResponse:
    """Return the problem document; ``instance`` is the path of the request, ``more`` are extension members."""
    body = {
        "type": f"urn:rsportal:problem:{code}",
        "title": _TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "errors": errors or [],
        **more,
    }
    return ProblemResponse(body, status=status, headers=headers, content_type=PROBLEM_TYPE)


def problem_details(exc: Exception, context: dict[str, Any]) -> Response:
    """Return the problem document of anything an endpoint raises; what is unexpected is logged and told no details."""
    from rest_framework.views import set_rollback  # The module is still loading when this one is imported.

    set_rollback()
    request = context.get("request")
    instance = request.path if request is not None else ""
    if isinstance(exc, RsportalError):
        return _of_expected(exc, instance)
    exc = _as_api_exception(exc)
    if isinstance(exc, exceptions.APIException):
        return _of_api_exception(exc, instance)
    _logger.error("The API failed at %s", instance, exc_info=exc)
    return problem_response(
        status=500,
        code="internal_error",
        detail=_("The portal failed to answer. The operator finds the cause in the log under the request's number."),
        instance=instance,
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
    )


def _as_api_exception(exc: Exception) -> Exception:
    """Return Django's own refusals as their REST framework counterpart, anything else as it is."""
    match exc:
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case ValidationError():
            return exceptions.ValidationError(_validation_detail(exc))
        case RequestDataTooBig():
            return _with_status(413, "too_large", _("The request is larger than the portal accepts."))
        case SuspiciousOperation() | UnreadablePostError():
            return exceptions.ParseError(_("The request could not be read. Send it again."))
        case OperationalError() | InterfaceError():
            _logger.error("The database did not answer", exc_info=exc)
            return _with_status(503, "unavailable", _("The database does not answer. Try again in a moment."))
    return exc


def _with_status(status: int, code: str, detail: str) -> exceptions.APIException:
    exc = exceptions.APIException(detail, code)
    exc.status_code = status
    return exc


def _validation_detail(exc: ValidationError) -> Any:
    """Return the messages of ``full_clean`` with their codes, by field where they name one."""
    if hasattr(exc, "error_dict"):
        return {field: _validation_detail(ValidationError(errors)) for field, errors in exc.error_dict.items()}
    return [
        exceptions.ErrorDetail(message, code=error.code or "invalid")
        for error in exc.error_list
        for message in error.messages
    ]


def _of_expected(exc: RsportalError, instance: str) -> Response:
    status = http_status(exc)
    named: list[FieldError] = [{"field": exc.field, "code": exc.code, "detail": exc.message}] if exc.field else []
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if status == 503 else None
    if isinstance(exc, TooMany):
        headers = {"Retry-After": str(exc.wait_seconds)}
    return problem_response(
        status=status, code=exc.code, detail=exc.message, instance=instance, errors=named, headers=headers
    )


def _of_api_exception(exc: exceptions.APIException, instance: str) -> Response:
    headers: dict[str, str] = {}
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, round(wait)))
    elif exc.status_code == 503:
        headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    errors: list[FieldError] = []
    if isinstance(exc.detail, dict | list):
        errors = list(_flatten(exc.detail))
        code = "invalid"
        detail = _summary(errors)
    else:
        code, detail = exc.detail.code or exc.default_code, str(exc.detail)
    return problem_response(
        status=exc.status_code, code=code, detail=detail, instance=instance, errors=errors, headers=headers
    )


def _flatten(detail: Any, path: str = "") -> Iterator[FieldError]:
    """Yield the errors of a nested detail; a nested field is named with dots (``collections.0``)."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            step = "" if key in ("non_field_errors", "__all__") else str(key)
            yield from _flatten(inner, ".".join(filter(None, (path, step))))
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from _flatten(inner, f"{path}.{number}" if nested and path else path)
    else:
        yield {"field": path or None, "code": getattr(detail, "code", None) or "invalid", "detail": str(detail)}


def _summary(errors: list[FieldError]) -> str:
    """Return one sentence a person can read without looking at the list."""
    return " ".join(f"{error['field']}: {error['detail']}" if error["field"] else error["detail"] for error in errors)
