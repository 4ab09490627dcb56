"""System checks: what would break later is said at start, with the way to mend it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from rsportal.errors import Unavailable
from rsportal.pgvector_version import pgvector_check
from rsportal.queue_settings import lease_seconds_needed


@register
def queue_lease(**_kwargs: Any) -> list[CheckMessage]:
    """A lease shorter than the longest wait lets the queue hand a task out twice."""
    base = settings.Q_CLUSTER
    clusters = {base["name"]: base}
    for name, alternative in base.get("ALT_CLUSTERS", {}).items():
        clusters[name] = {**base, **alternative}
    found: list[CheckMessage] = []
    for name, cluster in clusters.items():
        if cluster.get("queue_limit") != 1:
            found.append(
                Error(
                    f"The queue cluster {name!r} takes more than one task in advance (queue_limit).",
                    hint="Set queue_limit to 1: a task that waits inside a cluster uses up its lease.",
                    id="rsportal.E001",
                )
            )
            continue
        needed = lease_seconds_needed(
            workers=cluster["workers"], timeout=cluster["timeout"], queue_limit=1, bulk=cluster.get("bulk", 1)
        )
        if cluster["retry"] <= needed:
            found.append(
                Error(
                    f"The lease of the queue cluster {name!r} is {cluster['retry']} s, so tasks may run twice.",
                    hint=f"Set its retry above {needed} s, or shorten its timeout (rsportal/queue_settings.py).",
                    id="rsportal.E002",
                )
            )
        if not cluster.get("ack_failures"):
            found.append(
                Error(
                    f"The queue cluster {name!r} redelivers failed tasks (ack_failures is off).",
                    hint="Set ack_failures to True: retries are decided by the job, which counts its attempts.",
                    id="rsportal.E003",
                )
            )
    return found


@register
def no_connection_pool(**_kwargs: Any) -> list[CheckMessage]:
    """Worker processes are forked; a pool that is forked with them hands one connection to two processes."""
    if not settings.DATABASES["default"].get("OPTIONS", {}).get("pool"):
        return []
    return [
        Error(
            "The database connection uses a pool, which the worker processes would share and corrupt.",
            hint="Remove OPTIONS['pool'] (or ?pool= in DATABASE_URL); connections are kept open per thread anyway.",
            id="rsportal.E004",
        )
    ]


@register
def folders_writable(**_kwargs: Any) -> list[CheckMessage]:
    """Uploads need the media folder, and the portal's own state the var folder."""
    folders = {"RSPORTAL_MEDIA_DIR": Path(settings.MEDIA_ROOT), "RSPORTAL_VAR_DIR": Path(settings.VAR_DIR)}
    return [
        Error(
            f"The folder {folder} cannot be written by this user.",
            hint=f"Give it to the user that runs the portal, or choose another one with {variable}.",
            id="rsportal.E005",
        )
        for variable, folder in folders.items()
        if not _writable(folder)
    ]


@register(Tags.database)
def vector_extension(*, databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """The database must have pgvector, in a version without known faults. Runs with migrate, before tables exist."""
    from django.db import DatabaseError, connection

    if not databases or "default" not in databases:
        return []
    try:
        if not connection.introspection.table_names():
            return []  # A fresh database: the first migration creates the extension.
        pgvector_check()
    except Unavailable as error:
        return [Error(error.message, id="rsportal.E006")]
    except DatabaseError as error:
        return [
            Error(
                f"The database cannot be reached: {error}",
                hint=None if settings.EMBEDDED_POSTGRES else "Check DATABASE_URL, and that its server runs.",
                id="rsportal.E007",
            )
        ]
    return []


def _writable(folder: Path) -> bool:
    """Whether files can be made there; a missing folder counts if it can be made."""
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
