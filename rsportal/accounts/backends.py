"""Log in with the user name in any case."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from rsportal.accounts.models import User
from rsportal.accounts.selectors import user_named


class CaseInsensitiveModelBackend(ModelBackend):
    """Finds the account whatever the case of the typed name (names are unique regardless of case)."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        user = user_named(username or "")
        name = user.username if user else username
        return super().authenticate(request, username=name, password=password, **kwargs)
