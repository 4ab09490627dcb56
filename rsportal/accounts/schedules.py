"""The repeating work of the accounts area."""

from typing import Any, Final

from rsportal.schedules import schedule_ensure

EXPIRED_NAME: Final = "remove expired sessions and tokens"


def schedules_ensure(**_kwargs: Any) -> None:
    """Delete what ran out every day."""
    schedule_ensure(name=EXPIRED_NAME, task="rsportal.accounts.tasks.expired_remove", schedule_type="D")
