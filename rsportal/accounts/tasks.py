"""Work of the accounts area that the worker does."""

from rsportal.accounts import password_reset, services


def password_reset_send(user_id: int, origin: str, language: str) -> None:
    """Send the mail for a new password."""
    password_reset.password_reset_send(user_id=user_id, origin=origin, language=language)


def expired_remove() -> int:
    """Delete what ran out: sessions, API tokens, notes of failed logins."""
    return services.expired_remove()
