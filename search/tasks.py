"""What the queue calls. Tasks may run twice; the services make that harmless."""

from search.services import caches


def texts_prune() -> int:
    """Keep the caches of query texts within their bounds (every hour)."""
    return caches.texts_prune()
