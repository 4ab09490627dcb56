"""FAILED jobs of files that were refused before they had a job, so that the list of jobs names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.models import Collection, IngestJob
from imagery.services.zip_entries import Refusal
from rsportal.accounts.models import User

MOST_NAMED: Final = 200
"""So many refused entries of an archive become jobs of their own; one more says how many there are besides."""
_NAME_LENGTH: Final = 300


def refusal_store(*, filename: str, reason: str, collection: Collection, user: User, batch: UUID) -> IngestJob:
    """Store the FAILED job of one file."""
    return _store([(filename, reason)], collection, user, batch)[0]


def refusals_store(
    refusals: Sequence[Refusal], *, filename: str, collection: Collection, user: User, batch: UUID
) -> list[IngestJob]:
    """Store a FAILED job for each refused entry of the archive ``filename``, up to ``MOST_NAMED``."""
    named = [(f"{filename}: {refusal.name}", refusal.reason) for refusal in refusals[:MOST_NAMED]]
    if more := len(refusals) - len(named):
        named.append((filename, _("%(count)d more entries of the archive were refused.") % {"count": more}))
    return _store(named, collection, user, batch)


def _store(named: Sequence[tuple[str, str]], collection: Collection, user: User, batch: UUID) -> list[IngestJob]:
    jobs = [
        IngestJob(
            batch=batch,
            collection=collection,
            created_by=user,
            source_name=name[:_NAME_LENGTH],
            state=IngestJob.State.FAILED,
            reason=reason,
            finished_at=timezone.now(),
        )
        for name, reason in named
    ]
    for job in jobs:
        job.clean_fields(exclude=["collection", "created_by"])
    return IngestJob.objects.bulk_create(jobs)
