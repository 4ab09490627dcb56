"""Giving a scene that is in the catalogue its files, or taking them back when they turn out to be of no use."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Func, JSONField, Value
from django.utils import timezone

from imagery.models import Asset, IngestJob, Scene, Tile
from imagery.readers import Size
from imagery.services.accept import Checked, asset_of, content_hash_of
from imagery.services.queue import job_enqueue
from imagery.services.scenes import scene_discard
from imagery.stac.fields_in import FINGERPRINT, NO_PIXELS, metadata_hash
from imagery.storage import scene_files_remove
from rsportal.accounts.models import User

_NAME_LENGTH: Final = 300
_UNFINISHED: Final = (IngestJob.State.QUEUED, IngestJob.State.RUNNING)


def files_attach(
    *, scene_id: UUID, checked: Sequence[Checked], size: Size, user: User, batch: UUID, copy: bool
) -> IngestJob | None:
    """Give a scene these files instead of those it has, and queue it for the encoder; None when it is gone.

    ``copy`` keeps the bytes under the media folder. A scene that is ready stays so until the new pixels are encoded.
    Asks no permission. Raises OSError, or InvalidInput when a file changes while it is copied.
    """
    scene = Scene.objects.filter(pk=scene_id).first()
    if scene is None:
        return None
    assets = [asset_of(scene, item, copy=copy) for item in checked]
    digest = _content_hash(checked)
    try:
        return _attached(scene_id, assets, checked, size, user, batch, digest)
    except IntegrityError:  # Another scene of the collection has the same bytes; the item is a scene of its own.
        own = hashlib.sha256(f"{digest}:{scene.stac_id}".encode()).hexdigest()
        return _attached(scene_id, assets, checked, size, user, batch, own)


def _attached(
    scene_id: UUID,
    assets: Sequence[Asset],
    checked: Sequence[Checked],
    size: Size,
    user: User,
    batch: UUID,
    digest: str,
) -> IngestJob | None:
    with transaction.atomic():
        scene = Scene.objects.select_for_update().filter(pk=scene_id).first()
        if scene is None:
            return None
        _jobs_cancel(scene)
        scene.assets.filter(role__in=[Asset.Role.DATA, Asset.Role.METADATA]).delete()
        Asset.objects.bulk_create(assets)
        scene.content_hash, (scene.width, scene.height) = digest, size
        scene.stac.pop(NO_PIXELS, None)
        if scene.status != Scene.Status.READY:
            scene.status = Scene.Status.PENDING
        scene.save(update_fields=["content_hash", "width", "height", "stac", "status", "updated_at"])
        job = IngestJob(
            batch=batch,
            collection_id=scene.collection_id,
            scene=scene,
            created_by=user,
            source_name=(assets[0].filename if len(assets) == 1 else scene.title)[:_NAME_LENGTH],
        )
        job.full_clean(exclude=["collection", "scene", "created_by"])
        job.save()
        job_enqueue(job.pk)
        return job


def files_detach(*, scene: Scene, reason: str) -> None:
    """Take an imported scene's files, pictures and windows from it: what its item says stays, with the ``reason``.

    Archive files are never touched. Call inside a transaction; kept files go when it commits.
    """
    scene.jobs.filter(state=IngestJob.State.FAILED).update(retryable=False)
    _jobs_cancel(scene)
    scene.assets.all().delete()
    Tile.objects.filter(scene=scene).delete()
    scene.status, scene.content_hash, scene.placeholder = Scene.Status.METADATA, metadata_hash(scene.stac_id), ""
    scene.stac = {**scene.stac, **({NO_PIXELS: reason} if reason else {})}
    scene.save(update_fields=["status", "content_hash", "placeholder", "stac", "updated_at"])
    transaction.on_commit(partial(scene_files_remove, scene.pk), robust=True)


def scene_give_up(scene: Scene, *, reason: str) -> None:
    """Undo what a source began: its scene goes, but one that an item describes stays without pixels."""
    if scene.stac.get(FINGERPRINT):
        files_detach(scene=scene, reason=reason)
    else:
        scene_discard(scene)


def pixels_missing_note(reasons: Mapping[UUID, str]) -> None:
    """Keep, by scene, why its files could not be read; writes nothing for what is known, or has its pixels."""
    rows = Scene.objects.filter(pk__in=reasons).exclude(status=Scene.Status.READY)
    news: dict[str, list[UUID]] = defaultdict(list)
    for pk, known in rows.values_list("pk", f"stac__{NO_PIXELS}"):
        if known != reasons[pk]:
            news[reasons[pk]].append(pk)
    for reason, group in news.items():
        said = Value({NO_PIXELS: reason}, output_field=JSONField())
        joined = Func(F("stac"), said, template="(%(expressions)s)", arg_joiner=" || ", output_field=JSONField())
        rows.filter(pk__in=group).update(stac=joined, updated_at=timezone.now())


def _jobs_cancel(scene: Scene) -> None:
    scene.jobs.filter(state__in=_UNFINISHED).update(
        state=IngestJob.State.CANCELLED, retryable=False, finished_at=timezone.now()
    )


def _content_hash(checked: Sequence[Checked]) -> str:
    """Return the checksum of files, or, where one is only read by ranges, of where it is and how long."""
    if all(item.sha256 for item in checked):
        return content_hash_of(checked)
    lines = sorted(f"{item.source.key}:{item.source.href}:{item.facts.size}\n" for item in checked)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
