"""One log line a request, and an id that ties every line of the request to it."""

import logging
import re
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

import structlog
from django.conf import settings
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from rsportal.client_ip import client_ip

log = structlog.get_logger(__name__)

_SECRET_PARTS: Final = frozenset({"token", "uidb64", "token_key"})
_QUIET_PATHS: Final = ("/healthz", "/readyz", "/static/", "/favicon.ico")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_LONGEST_PATH: Final = 200  # characters


def loggable_path(request: HttpRequest) -> str:
    """Return the address without its query string (search texts) and without tokens that are part of the path."""
    match = request.resolver_match
    if match is None:
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return request.path_info[:_LONGEST_PATH]
    if _SECRET_PARTS.intersection(match.kwargs):
        return f"/{match.route}"
    return request.path_info[:_LONGEST_PATH]


def bind_user(user: Any) -> None:
    """Give every later line of this request the id of the account (nothing for anonymous visitors)."""
    if user.is_authenticated:
        structlog.contextvars.bind_contextvars(user_id=user.pk)


def _request_id(request: HttpRequest) -> str:
    """Return the proxy's request id where there is a proxy and it sent a sane one, else a new one."""
    sent = request.headers.get("X-Request-ID", "") if settings.PROXY_COUNT else ""
    return sent if _REQUEST_ID.fullmatch(sent) else str(uuid4())


def _level(request: HttpRequest, status: int) -> int:
    if request.path_info.startswith(_QUIET_PATHS):  # Monitors ask often; "not ready" is an answer, no crash.
        return logging.WARNING if status >= 500 else logging.DEBUG
    if status >= 500:
        return logging.ERROR
    return logging.WARNING if status >= 400 else logging.INFO


class RequestLogMiddleware:
    """Binds ``request_id``, echoes it as ``X-Request-ID``, and writes ``request_finished`` at the end.

    It must be the first middleware, so that answers of the others carry the id too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        got_request_exception.connect(log_failure, dispatch_uid="rsportal.request_log")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = perf_counter()
        structlog.contextvars.clear_contextvars()
        request_id = _request_id(request)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            log.log(
                _level(request, response.status_code),
                "request_finished",
                method=request.method,
                path=loggable_path(request),
                status=response.status_code,
                ms=round((perf_counter() - started) * 1000, 1),
                ip=client_ip(request),
            )
            return response
        finally:
            structlog.contextvars.clear_contextvars()


def log_failure(sender: Any, request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Write the traceback of a crash as one line with the request's id (receiver of Django's signal)."""
    if request is not None:
        log.exception("request_failed", method=request.method, path=loggable_path(request))
