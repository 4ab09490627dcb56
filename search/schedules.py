"""The repeating work of searching."""

from typing import Any, Final

from rsportal.schedules import schedule_ensure

TEXTS_NAME: Final = "bounds of the caches of query texts"
PROPENSITIES_NAME: Final = "position propensities"
VOTES_NAME: Final = "old votes"


def schedules_ensure(**_kwargs: Any) -> None:
    """Look after the caches of query texts every hour; every day estimate what positions are worth, and forget
    votes that are too old to count."""
    schedule_ensure(name=TEXTS_NAME, task="search.tasks.texts_prune", schedule_type="H")
    schedule_ensure(name=PROPENSITIES_NAME, task="search.tasks.propensities_estimate", schedule_type="D")
    schedule_ensure(name=VOTES_NAME, task="search.tasks.votes_prune", schedule_type="D")
