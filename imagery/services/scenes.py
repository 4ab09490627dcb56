"""Correcting what is said of scenes, and deleting them: rows first, then (after commit) the files the portal keeps.

Archive files are never touched.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.models import IngestJob, Scene
from imagery.services.properties import scene_fields
from imagery.storage import scene_files_remove
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, NotAllowed

ACQUISITION_FIELDS: Final = (
    "datetime", "start_datetime", "end_datetime", "platform", "instruments", "gsd", "cloud_cover",
)  # fmt: skip
"""What can be put right of a scene beside its title; the rest is read from its files."""


CHANGEABLE_FIELDS: Final = ("title", "embargo_until", *ACQUISITION_FIELDS)


def scene_update(*, scene: Scene, user: User, **changes: Any) -> Scene:
    """Put the title, acquisition or embargo of a scene right; only these columns are written, whatever a worker does.

    Raises NotAllowed when ``user`` may not change its collection, InvalidInput with the field at fault.
    """
    if not Scene.objects.editable_by(user).filter(pk=scene.pk).exists():
        raise NotAllowed(_("You may not change scenes of this collection."))
    if unknown := set(changes) - set(CHANGEABLE_FIELDS):
        raise InvalidInput(_("A scene has no changeable field “%s”.") % min(unknown), field=min(unknown))
    for name, value in changes.items():
        setattr(scene, name, value)
    scene_fields({name: getattr(scene, name) for name in ACQUISITION_FIELDS})
    scene.clean_fields(exclude={field.name for field in Scene._meta.fields} - set(changes))
    scene.save(update_fields=[*changes, "updated_at"])
    return scene


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
