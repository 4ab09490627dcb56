"""How a program shows who it is: ``Authorization: Token <token>``."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from rsportal.accounts.models import ApiToken
from rsportal.request_log import bind_user


class ApiTokenAuthentication(TokenAuthentication):
    """Knox's check of a hashed, expiring token (a disabled account's is refused), named in the log lines."""

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        """Return (user, token row). Raises AuthenticationFailed (401) for unknown, expired or garbled tokens."""
        if not token.replace(b"_", b"").isalnum():  # ASCII letters and digits: all that tokens are made of.
            raise AuthenticationFailed(_("Invalid token."))
        user, row = super().authenticate_credentials(token)
        bind_user(user)
        return user, row

    def _cleanup_token(self, auth_token: ApiToken) -> bool:
        """Return whether the token has expired. Knox would delete it, and every expired one of the account.

        Here its owner still sees on the profile page why a program stopped; ``expired_remove`` deletes it later.
        """
        return bool(auth_token.has_expired)


class ApiTokenScheme(OpenApiAuthenticationExtension):
    """Describes the header in the OpenAPI schema."""

    target_class = "rsportal.accounts.authentication.ApiTokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return dict(build_bearer_security_scheme_object(header_name="Authorization", token_prefix="Token"))
