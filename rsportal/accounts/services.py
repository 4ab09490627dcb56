"""Every change of an account or of its tokens."""

from datetime import timedelta
from typing import Final

import structlog
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from knox.models import get_digest_token
from knox.settings import CONSTANTS

from rsportal.accounts.models import ApiToken, User
from rsportal.errors import Conflict, InvalidInput

log = structlog.get_logger(__name__)

TOKEN_DAYS: Final = (1, 30, 90, 365)
_EXPIRED_TOKENS_SHOWN: Final = timedelta(days=30)  # So that their owner sees why a program stopped.


def user_create(*, username: str, email: str, password: str, language: str = "") -> User:
    """Create an account. Raises ValidationError for a taken name, a bad address or a weak password."""
    user = User(
        username=User.normalize_username(username), email=User.objects.normalize_email(email), language=language
    )
    validate_password(password, user)
    user.set_password(password)
    user.full_clean()
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:  # Somebody took the name between the look and the save.
        user.full_clean()
        raise
    log.info("account_created", account_id=user.pk)
    return user


def user_update(*, user: User, first_name: str, last_name: str, email: str, language: str) -> User:
    """Change what the profile page shows. Raises ValidationError with the fields at fault."""
    user.first_name, user.last_name, user.language = first_name, last_name, language
    user.email = User.objects.normalize_email(email)
    user.full_clean()
    user.save(update_fields=["first_name", "last_name", "email", "language"])
    log.info("account_updated", account_id=user.pk)
    return user


def user_language_set(*, user: User, language: str) -> User:
    """Keep the language a person chose. Raises InvalidInput for one the portal does not speak."""
    if language not in dict(settings.LANGUAGES):
        raise InvalidInput(_("The portal does not speak this language."), field="language")
    user.language = language
    user.save(update_fields=["language"])
    return user


@transaction.atomic
def token_create(*, user: User, name: str, days: int) -> tuple[ApiToken, str]:
    """Create an API token that expires after ``days`` and return it with its plain text.

    The plain text exists only in the returned value: the row holds its SHA-512 digest and its first
    characters. Raises InvalidInput for another number of days, Conflict when the account has too many,
    ValidationError for a missing or too long name.
    """
    if days not in TOKEN_DAYS:
        raise InvalidInput(_("Choose one of the offered times."), field="days")
    User.objects.select_for_update().get(pk=user.pk)  # Two requests at once count one after the other.
    limit = settings.REST_KNOX["TOKEN_LIMIT_PER_USER"]
    if ApiToken.objects.filter(user=user, expiry__gt=timezone.now()).count() >= limit:
        raise Conflict(
            _("You have %(limit)s tokens, the most an account may have. Revoke one first.") % {"limit": limit}
        )
    digest, plain = get_digest_token()
    token = ApiToken(
        digest=digest,
        token_key=plain[: CONSTANTS.TOKEN_KEY_LENGTH],
        user=user,
        name=name.strip(),
        expiry=timezone.now() + timedelta(days=days),
    )
    token.full_clean()
    token.save(force_insert=True)
    log.info("token_created", account_id=user.pk, days=days)
    return token, plain


def token_revoke(*, user: User, token_key: str) -> int:
    """Delete the person's token with this beginning; the API refuses it at once. Return how many there were."""
    revoked, _rows = ApiToken.objects.filter(user=user, token_key=token_key).delete()
    log.info("token_revoked", account_id=user.pk, revoked=revoked)
    return revoked


def expired_remove() -> int:
    """Delete sessions, API tokens and notes of failed logins whose time is over; return how many rows went."""
    now = timezone.now()
    ended = [
        Session.objects.filter(expire_date__lt=now).delete()[0],
        ApiToken.objects.filter(expiry__lt=now - _EXPIRED_TOKENS_SHOWN).delete()[0],
        AccessAttempt.objects.filter(attempt_time__lt=now - get_cool_off()).delete()[0],
    ]
    log.info("expired_removed", sessions=ended[0], tokens=ended[1], login_failures=ended[2])
    return sum(ended)
