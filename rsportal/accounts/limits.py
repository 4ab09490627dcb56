"""How often something may be done, counted per web process."""

from django.core.cache import cache


def within_limit(*, key: str, limit: int, seconds: int) -> bool:
    """Count one use of ``key`` and tell whether it is among the first ``limit`` within ``seconds``."""
    name = f"limit:{key}"
    if cache.add(name, 1, timeout=seconds):
        return True
    try:
        return int(cache.incr(name)) <= limit
    except ValueError:  # It ran out between the two calls.
        cache.set(name, 1, timeout=seconds)
        return True
