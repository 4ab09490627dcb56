"""In whose name a command acts."""

from rsportal.accounts.models import User
from rsportal.accounts.selectors import user_named
from rsportal.errors import InvalidInput


def acting_user(username: str | None) -> User:
    """Return the person of this name, or (None) the first administrator. Raises InvalidInput (field ``as``)."""
    if username is None:
        user = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if user is None:
            raise InvalidInput("There is no administrator to act as; name a user by --as.", field="as")
        return user
    user = user_named(username)
    if user is None or not user.is_active:
        raise InvalidInput(f"There is no active user {username!r}.", field="as")
    return user
