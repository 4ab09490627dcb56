"""Work of the accounts area that the worker does."""

from rsportal.accounts import password_reset


def password_reset_send(user_id: int, origin: str, language: str) -> None:
    """Send the mail for a new password."""
    password_reset.password_reset_send(user_id=user_id, origin=origin, language=language)
