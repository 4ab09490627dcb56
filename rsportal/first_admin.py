"""The first administrator of a fresh portal."""

import secrets
from typing import Final

from django.db import transaction

from rsportal.accounts.models import User

_NAME: Final = "admin"
_PASSWORD_BYTES: Final = 12


@transaction.atomic
def first_admin_ensure() -> tuple[User, str]:
    """Return an administrator and, only when it was made just now, its random password (else "")."""
    existing = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if existing is not None:
        return existing, ""
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    user = User(username=_free_name(), is_staff=True, is_superuser=True)
    user.set_password(password)
    user.full_clean()
    user.save()
    return user, password


def _free_name() -> str:
    name, number = _NAME, 1
    while User.objects.filter(username__iexact=name).exists():
        number += 1
        name = f"{_NAME}{number}"
    return name
