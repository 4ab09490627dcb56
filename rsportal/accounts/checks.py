"""Checks of ``manage.py check --deploy`` for what Django's own do not know."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

_CONSOLE = "django.core.mail.backends.console.EmailBackend"


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


@register(Tags.security, deploy=True)
def mail_goes_nowhere(**_kwargs: Any) -> list[CheckMessage]:
    """People wait for a password mail that only appears on the worker's console."""
    if settings.EMAIL_BACKEND != _CONSOLE:
        return []
    return [
        Warning(
            "Mails with password links are written to the worker's console and reach nobody.",
            hint="Set RSPORTAL_EMAIL_BACKEND=django.core.mail.backends.smtp.EmailBackend and RSPORTAL_EMAIL_HOST.",
            id="accounts.W002",
        )
    ]
