"""Signed impression tokens: proof that this hit was shown to this person.

Without one nobody can vote a scene up that a search never showed them, or vote in another's name.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core import signing
from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_SALT: Final = "search.impression"


def token_issue(*, impression_id: int, user_id: int) -> str:
    """Return a compact token (about 60 characters, safe in URLs): impression, person, time of issue, signature."""
    value = f"{signing.b62_encode(impression_id)}.{signing.b62_encode(user_id)}"
    return signing.TimestampSigner(salt=_SALT).sign(value)


def token_read(*, token: str, user: "Viewer") -> int:
    """Return the impression's id.

    Raises InvalidInput (field ``token``) when the token is forged, was given to another person or has expired.
    """
    age = timedelta(days=settings.FEEDBACK_TOKEN_DAYS)
    try:
        value = signing.TimestampSigner(salt=_SALT).unsign(token, max_age=age)
    except signing.SignatureExpired:
        raise InvalidInput(
            _("This result was shown too long ago to record what you do with it. Search again."),
            code="token_expired",
            field="token",
        ) from None
    except signing.BadSignature:
        raise _invalid() from None
    impression, _dot, owner = value.partition(".")
    if user.pk is None or signing.b62_decode(owner) != user.pk:
        raise _invalid()
    return signing.b62_decode(impression)


def _invalid() -> InvalidInput:
    # A foreign token reads like a forged one: it tells nothing about anybody else's searches.
    return InvalidInput(
        _("This token does not belong to a result that was shown to you. Search again."),
        code="token_invalid",
        field="token",
    )
