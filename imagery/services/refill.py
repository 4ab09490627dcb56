"""Encoding again: scenes that have no vectors of the active encoder yet."""

from typing import Final
from uuid import uuid4

from django.db import transaction
from django.db.models import Exists, OuterRef

from imagery.models import Embedding, Encoder, IngestJob, Scene
from imagery.querysets import SceneQuerySet
from imagery.services.encoders import encoder_active
from imagery.services.ingest import stale_jobs_requeue

_CHUNK: Final = 500  # jobs written at a time


def scenes_without_vectors(encoder: Encoder) -> SceneQuerySet:
    """Return the READY scenes of everybody that a search with this encoder cannot find."""
    encoded = Embedding.objects.filter(encoder=encoder, tile__scene=OuterRef("pk"))
    rows: SceneQuerySet = Scene.objects.ready().filter(~Exists(encoded))
    return rows


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
