"""Deleting scenes: rows first, then (after commit) the files the portal keeps. Archive files are never touched."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.models import IngestJob, Scene
from imagery.storage import scene_files_remove
from rsportal.accounts.models import User
from rsportal.errors import NotAllowed


def scene_delete(*, scene: Scene, user: User) -> None:
    """Delete a scene with its tiles, vectors and kept files; work on it that goes on is cancelled.

    Raises NotAllowed when ``user`` may not change its collection.
    """
    if not Scene.objects.editable_by(user).filter(pk=scene.pk).exists():
        raise NotAllowed(_("You may not delete scenes of this collection."))
    with transaction.atomic():
        unfinished = scene.jobs.filter(state__in=[IngestJob.State.QUEUED, IngestJob.State.RUNNING])
        unfinished.update(state=IngestJob.State.CANCELLED, retryable=False, finished_at=timezone.now())
        scene_discard(scene)


def scene_discard(scene: Scene) -> None:
    """Delete a scene's rows now and its kept files when the transaction commits. Asks no permission."""
    scene_id = scene.pk
    with transaction.atomic():
        scene.jobs.filter(state=IngestJob.State.FAILED).update(retryable=False)
        scene.delete()
        transaction.on_commit(partial(scene_files_remove, scene_id), robust=True)
