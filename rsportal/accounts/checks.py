"""Checks of ``manage.py check --deploy`` for what Django's own do not know."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security, deploy=True)
def any_host(**_kwargs: Any) -> list[CheckMessage]:
    """Links in password mails are built from the Host header, so only the portal's own names may pass."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Warning(
            "Any host name is accepted, so somebody could make the portal mail links that lead to another site.",
            hint="Put the portal's host names into RSPORTAL_ALLOWED_HOSTS, separated by commas, without *.",
            id="accounts.W001",
        )
    ]
