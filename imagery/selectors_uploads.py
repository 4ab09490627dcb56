"""Reads of uploads. Each takes the person first: an upload is its owner's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import F, QuerySet

from imagery.models import Upload

if TYPE_CHECKING:
    from imagery.querysets import Viewer


def uploads_list(user: Viewer, *, unfinished: bool = False) -> QuerySet[Upload]:
    """Return a person's own uploads, newest first; only those that still wait for something if ``unfinished``."""
    rows = Upload.objects.filter(user=user.pk).select_related("collection", "job").order_by("-created_at", "-id")
    return rows.filter(finished_at=None) if unfinished else rows


def uploads_arrived(user: Viewer, *, batch: UUID) -> QuerySet[Upload]:
    """Return a person's own uploads of a batch whose bytes are all there and which are not taken in yet."""
    return uploads_list(user, unfinished=True).filter(batch=batch, offset__gte=F("length")).order_by("created_at")


def upload_get(user: Viewer, upload_id: UUID) -> Upload:
    """Return one of a person's own uploads. Raises Upload.DoesNotExist for anybody else's."""
    return uploads_list(user).select_related("user").get(pk=upload_id)
