"""Structured logs: one line an event, with the id of the request or job it belongs to.

Write ``structlog.get_logger(__name__).info("event_name", key=value)``. Inside a request every line carries
``request_id`` (and ``user_id`` once known), inside :func:`job_logging` ``job_id``. Never pass an e-mail
address, a query text, a password or a token; keys that look like one are emptied as a second line of defence.
"""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import structlog

_SECRET_KEYS: Final = frozenset(
    {"authorization", "cookie", "csrfmiddlewaretoken", "email", "password", "q", "query", "text", "token"}
)
_QUIET: Final = {
    "asyncio": "WARNING",
    "axes": "ERROR",  # rsportal.accounts.lockout says the same, with the account's id.
    "django.request": "CRITICAL",  # rsportal.request_log writes one line a request, with its failure.
    "django.security.csrf": "ERROR",  # The same line shows the 403.
    "django.server": "WARNING",  # The development server's access log holds whole addresses, so query texts too.
    "django-q": "WARNING",
    "fiona": "ERROR",
    "fsspec": "WARNING",
    "PIL": "WARNING",
    "rasterio": "ERROR",
    "transformers": "WARNING",
    "urllib3": "WARNING",
}


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Empty values under keys that name a secret or personal text (structlog processor)."""
    for key in event:
        if key.lower() in _SECRET_KEYS:
            event[key] = "[removed]"
    return event


@contextmanager
def job_logging(job_id: UUID | str) -> Iterator[None]:
    """Give every line written inside the block (by this thread) the id of the job it belongs to."""
    with structlog.contextvars.bound_contextvars(job_id=str(job_id)):
        yield


def logging_config(*, level: str, json: bool) -> dict[str, Any]:
    """Configure structlog and return Django's LOGGING dict.

    ``json`` writes one JSON object a line (``timestamp`` in ISO 8601 UTC, ``level``, ``logger``, ``event``,
    and the event's own keys), else a readable line. All goes to stderr.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderers: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if json
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
                "foreign_pre_chain": [*shared[:-1], structlog.stdlib.ExtraAdder(), redact],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        # Django gives some of its loggers handlers of their own; here all lines go to the one of the root.
        "loggers": {
            "django": {"level": level, "handlers": [], "propagate": True},
            **{name: {"level": quiet, "handlers": [], "propagate": True} for name, quiet in _QUIET.items()},
        },
    }
