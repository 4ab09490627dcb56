"""Small questions every page's view asks of a request."""

from typing import cast

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from rsportal.accounts.models import User


def request_user(request: HttpRequest) -> User:
    """Return the person behind a request that LoginRequiredMiddleware let through."""
    return cast(User, request.user)


def is_htmx(request: HttpRequest) -> bool:
    """Return whether htmx asks for a part of the page rather than the whole."""
    return request.headers.get("HX-Request") == "true"


def next_url(request: HttpRequest, default: str) -> str:
    """Return the posted ``next`` address when it leads to this portal, else ``default``."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return target
    return default
