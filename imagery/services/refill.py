"""Encoding again: scenes that have no vectors of the active encoder yet."""

from typing import Final
from uuid import uuid4

from django.db import transaction
from django.db.models import Exists, OuterRef

from imagery.models import Embedding, Encoder, IngestJob, Scene
from imagery.querysets import SceneQuerySet
from imagery.services.encoders import builtin_encoder_ensure, encoder_active
from imagery.services.ingest import stale_jobs_requeue

_CHUNK: Final = 500  # jobs written at a time


def scenes_without_vectors(encoder: Encoder) -> SceneQuerySet:
    """Return the READY scenes of everybody that a search with this encoder cannot find."""
    encoded = Embedding.objects.filter(encoder=encoder, tile__scene=OuterRef("pk"))
    rows: SceneQuerySet = Scene.objects.ready().filter(~Exists(encoded))
    return rows


def builtin_encoder_ensure_filled() -> tuple[Encoder, int]:
    """Do ``builtin_encoder_ensure``; return the encoder and how many scenes were queued for encoding with it.

    When an upgrade brings new weights, they take over and nothing has a vector of theirs: all scenes are queued, in
    the same transaction. Raises Unavailable when the encoder's files are missing.
    """
    with transaction.atomic():
        before = Encoder.objects.filter(state=Encoder.State.ACTIVE).first()
        encoder = builtin_encoder_ensure()
        switched = before is not None and before.pk != encoder_active().pk
        return encoder, encoder_fill() if switched else 0


def encoder_fill() -> int:
    """Queue every scene without vectors of the active encoder for encoding; return how many were queued.

    Scenes that wait already are not queued twice. The scenes stay READY and shown meanwhile. Raises Unavailable
    when no encoder is active.
    """
    encoder = encoder_active()
    waiting = IngestJob.objects.filter(
        scene=OuterRef("pk"), state__in=[IngestJob.State.QUEUED, IngestJob.State.RUNNING]
    )
    with transaction.atomic():
        # Two fills at once follow each other: the second finds the first one's jobs.
        Encoder.objects.select_for_update().get(pk=encoder.pk)
        scenes = scenes_without_vectors(encoder).filter(~Exists(waiting)).order_by("created_at", "pk")
        batch = uuid4()
        jobs = [
            IngestJob(batch=batch, collection_id=collection, scene_id=scene, source_name=title)
            for scene, collection, title in scenes.values_list("pk", "collection_id", "title")
        ]
        IngestJob.objects.bulk_create(jobs, batch_size=_CHUNK)
        if jobs:
            stale_jobs_requeue()
    return len(jobs)
