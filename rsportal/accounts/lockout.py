"""What a person sees after too many failed logins, and the log lines about them."""

from datetime import datetime
from math import ceil
from typing import Any

import structlog
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from rsportal.accounts.models import User
from rsportal.accounts.selectors import user_named
from rsportal.client_ip import client_ip

log = structlog.get_logger(__name__)


def login_name(request: HttpRequest | None, credentials: dict[str, Any] | None = None) -> str | None:
    """Return the one form that failures are counted under: of the account's name where there is one (any case)."""
    name = (credentials or {}).get("username")
    if name is None and request is not None:
        name = request.POST.get("username")
    if name is None:
        return None
    user = user_named(str(name))  # However it is spelt ("ADMİN" is "admin"), its failures add up.
    return (user.username if user else str(name)).strip().casefold()


def locked_until(request: HttpRequest, credentials: dict[str, Any] | None) -> datetime:
    """Return when this name may be tried again from this address: the moment enough failures are old enough."""
    cool_off = get_cool_off(request)
    attempts = AccessAttempt.objects.filter(
        username=login_name(request, credentials),
        ip_address=client_ip(request),
        attempt_time__gte=timezone.now() - cool_off,
    ).order_by("attempt_time")
    rows = list(attempts.values_list("attempt_time", "failures_since_start"))
    left = sum(failures for _, failures in rows)
    for at, failures in rows:
        left -= failures
        if left < settings.AXES_FAILURE_LIMIT:
            return at + cool_off
    return timezone.now()


def locked_out_response(
    request: HttpRequest, original: HttpResponse | None = None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """Answer 429 with the page that says when to try again (django-axes calls this)."""
    until = locked_until(request, credentials)
    seconds = max(1, ceil((until - timezone.now()).total_seconds()))
    log.warning("login_locked", ip=client_ip(request), account_id=_account_id(login_name(request, credentials)))
    context = {"until": until, "minutes": ceil(seconds / 60)}
    response = render(request, "registration/locked_out.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


def _account_id(name: str | None) -> int | None:
    user = user_named(name) if name else None
    return user.pk if user else None


@receiver(user_login_failed, dispatch_uid="rsportal.login_failed")
def log_failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Log a failed login with its address and, where the name exists, the account's id (never the typed name)."""
    if request is not None:
        log.warning("login_failed", ip=client_ip(request), account_id=_account_id(login_name(request, credentials)))


@receiver(user_logged_in, dispatch_uid="rsportal.logged_in")
def log_success(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Log who logged in from where."""
    log.info("logged_in", ip=client_ip(request), account_id=user.pk)
