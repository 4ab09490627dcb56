"""What an account's pages show."""

from django.db.models import QuerySet

from rsportal.accounts.models import ApiToken, User


def tokens_list(user: User) -> QuerySet[ApiToken]:
    """Return the person's own API tokens, newest first."""
    return ApiToken.objects.filter(user=user).order_by("-created")
