"""Turns an expected failure into a page that says what to do."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from rsportal.errors import Conflict, NotAllowed, RsportalError, Unavailable

_STATUS: dict[type[RsportalError], int] = {NotAllowed: 403, Conflict: 409, Unavailable: 503}


def http_status(error: RsportalError) -> int:
    """Return the HTTP status of an expected failure (400 unless its family says otherwise)."""
    return next((status for family, status in _STATUS.items() if isinstance(error, family)), 400)


class ExpectedErrorMiddleware:
    """Renders ``errors/expected.html`` for every RsportalError a view lets through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, RsportalError):
            return None
        return render(request, "errors/expected.html", {"error": exception}, status=http_status(exception))
