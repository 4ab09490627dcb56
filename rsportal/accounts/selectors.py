"""Reads of accounts and of what their pages show."""

from django.db.models import CharField, QuerySet, Value
from django.db.models.functions import Lower

from rsportal.accounts.models import ApiToken, User


def tokens_list(user: User) -> QuerySet[ApiToken]:
    """Return the person's own API tokens, newest first."""
    return ApiToken.objects.filter(user=user).order_by("-created")


def user_named(name: str) -> User | None:
    """Return the account of this name, whatever its case, or None.

    The rule is that of the unique index on the names. Comparing in upper case (``iexact``) would take one person for
    another: "ışık" and "isik" are the same there.
    """
    wanted = Lower(Value(name.strip(), output_field=CharField()))
    return User.objects.alias(lowered=Lower("username")).filter(lowered=wanted).first()
