"""What every page's template knows."""

from django.conf import settings
from django.http import HttpRequest


def portal(request: HttpRequest) -> dict[str, object]:
    """Return the portal-wide template variables."""
    return {"signup_open": settings.SIGNUP_OPEN}
