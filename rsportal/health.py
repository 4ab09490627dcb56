"""/healthz: is this process alive? /readyz: can the portal serve? For load balancers and monitors."""

import secrets
import threading
import time
from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from rsportal.readiness import readiness_problems

_KEPT_SECONDS: Final = 2.0  # So that many callers cannot keep the database busy with checks.

_lock = threading.Lock()
_kept: tuple[float, dict[str, str]] | None = None


@never_cache
@login_not_required
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer that the process serves requests; touches nothing else."""
    return JsonResponse({"status": "ok"})


@never_cache
@login_not_required
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when everything works, else 503. Only trusted callers are told what is wrong."""
    problems = _problems()
    answer: dict[str, object] = {"ready": not problems}
    if problems and _trusted(request, database_down="database" in problems):
        answer["problems"] = problems
    return JsonResponse(answer, status=503 if problems else 200)


def _problems() -> dict[str, str]:
    global _kept
    with _lock:
        if _kept is None or time.monotonic() - _kept[0] > _KEPT_SECONDS:
            _kept = (time.monotonic(), readiness_problems())
        return _kept[1]


def _trusted(request: HttpRequest, *, database_down: bool) -> bool:
    """Staff who are logged in, or a monitor with RSPORTAL_READY_TOKEN as its bearer token."""
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    if (
        settings.READY_TOKEN
        and scheme == "Bearer"
        and secrets.compare_digest(sent.encode(), settings.READY_TOKEN.encode())
    ):
        return True
    return not database_down and request.user.is_authenticated and request.user.is_staff
