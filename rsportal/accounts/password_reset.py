"""Mails with a link to set a new password."""

from typing import Final

import structlog
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from rsportal.accounts.limits import within_limit
from rsportal.accounts.models import User

log = structlog.get_logger(__name__)

_WAIT_SECONDS: Final = 120  # Between two mails to one account.


def password_reset_request(*, email: str, origin: str, language: str) -> None:
    """Queue a mail for every active account with this address; say nothing about whether there is one.

    ``origin`` is the portal's own address (``https://portal.example.org``), ``language`` that of the asker,
    used for accounts that chose none. The mail is sent by the worker, so that the answer takes as long for a
    known address as for an unknown one.
    """
    for user in User.objects.filter(email__iexact=email, is_active=True).exclude(email=""):
        if user.has_usable_password() and within_limit(key=f"reset:{user.pk}", limit=1, seconds=_WAIT_SECONDS):
            async_task("rsportal.accounts.tasks.password_reset_send", user.pk, origin, user.language or language)


def password_reset_send(*, user_id: int, origin: str, language: str) -> None:
    """Send the mail with the link, which works once and until ``settings.PASSWORD_RESET_TIMEOUT``.

    Raises what the mail server raises, so that the task counts as failed.
    """
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        return
    address = reverse(
        "password_reset_confirm",
        kwargs={
            "uidb64": urlsafe_base64_encode(force_bytes(user.pk)),
            "token": default_token_generator.make_token(user),
        },
    )
    with translation.override(language):
        body = render_to_string("registration/password_reset_email.txt", {"user": user, "link": f"{origin}{address}"})
        send_mail(_("Set a new password for rsportal"), body, None, [user.email])
    log.info("password_reset_sent", account_id=user.pk)
