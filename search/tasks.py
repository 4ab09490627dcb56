"""What the queue calls. Tasks may run twice; the services make that harmless."""

from search.services import caches, propensities, votes


def texts_prune() -> int:
    """Keep the caches of query texts within their bounds (every hour)."""
    return caches.texts_prune()


def propensities_estimate() -> str:
    """Estimate from the log how likely hits are looked at by rank (every day)."""
    found = propensities.propensities_estimate()
    return f"{len(found.ranks)} ranks from {found.deeds} deeds of {found.people} people"


def votes_prune() -> int:
    """Forget votes that are too old to count (every day)."""
    return votes.votes_prune()
