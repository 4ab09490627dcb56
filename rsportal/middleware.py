"""What every answer of the portal has in common: error pages and headers."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render

from rsportal.errors import Conflict, NotAllowed, RsportalError, TooLarge, TooMany, Unavailable

_STATUS: dict[type[RsportalError], int] = {
    NotAllowed: 403,
    Conflict: 409,
    TooLarge: 413,
    TooMany: 429,
    Unavailable: 503,
}
_PERMISSIONS_POLICY: Final = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)


def http_status(error: RsportalError) -> int:
    """Return the HTTP status of an expected failure (400 unless its family says otherwise)."""
    return next((status for family, status in _STATUS.items() if isinstance(error, family)), 400)


class ExpectedErrorMiddleware:
    """Renders ``errors/expected.html`` for every RsportalError a view lets through.

    A visitor who opens the address of a form (after logging in again, or by switching the language on the page it
    answered with) gets a page that says so instead of Django's empty 405.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and request.method == "GET" and not response.content:
            page = render(request, "errors/form_only.html", status=response.status_code)
            page["Allow"] = response["Allow"]
            return page
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, RsportalError):
            return None
        response = render(request, "errors/expected.html", {"error": exception}, status=http_status(exception))
        if isinstance(exception, TooMany):
            response["Retry-After"] = str(exception.wait_seconds)
        return response


class PrivacyHeadersMiddleware:
    """Keeps answers out of shared and browser caches unless a view said otherwise, and device features off.

    Static files are answered before this middleware and keep their long life in caches.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response
