"""After a switch of encoders the worker encodes what has no vectors yet, from the originals."""

from pathlib import Path

import pytest
from django.conf import settings
from django_q.models import OrmQ

from imagery.encoders import builtin
from imagery.encoders.base import ImageTextEncoder
from imagery.models import Embedding, Encoder, IngestJob, Scene
from imagery.services.encoders import encoder_activate, encoder_register
from imagery.services.ingest import ingest_job_cancel, ingest_job_retry, ingest_jobs_drain
from imagery.services.refill import builtin_encoder_ensure_filled, encoder_fill
from search.selectors import archive_progress
from tests import factories
from tests.checkpoints import clip_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def clip(tmp_path) -> Encoder:
    folder: Path = clip_checkpoint(tmp_path / "model")
    return encoder_register(name="clip", kind="transformers", source=str(folder))


def test_fill_encodes_the_originals_with_the_new_encoder(clip):
    old = factories.make_encoder()
    owner = factories.make_user()
    collection = factories.make_collection(owner=owner)
    scenes = [factories.make_scene(collection, files=True) for _ in range(3)]
    encoder_activate(encoder=clip)
    assert archive_progress(owner)[:2] == (0, 3)
    assert encoder_fill() == 3
    assert OrmQ.objects.count() == 1
    assert encoder_fill() == 0, "scenes that wait are not queued twice"
    ingest_jobs_drain()
    assert set(IngestJob.objects.values_list("state", flat=True)) == {IngestJob.State.READY}
    assert archive_progress(owner)[:2] == (3, 3)
    assert Embedding.objects.filter(encoder=old).count() == 3
    assert encoder_fill() == 0
    assert all((settings.MEDIA_ROOT / scene.assets.get(key="data").path).exists() for scene in scenes)


def test_only_ready_scenes_without_vectors_are_queued(clip):
    factories.make_encoder(active=False)
    encoder_activate(encoder=clip)
    factories.make_scene(vector=factories.axis(0, 24))
    factories.make_scene(status=Scene.Status.PENDING, encoder=factories.make_encoder(active=False))
    lacking = factories.make_scene(encoder=factories.make_encoder(active=False))
    assert encoder_fill() == 1
    assert IngestJob.objects.get().scene == lacking


def test_a_switch_in_the_middle_of_an_ingest_leaves_no_scene_unfindable(collection, owner, encoder, clip, monkeypatch):
    """What was not READY at the switch is not queued by the fill, so its worker must begin again by itself."""
    scenes = [factories.make_scene(collection, status=Scene.Status.PENDING, files=True) for _ in range(2)]
    for scene in scenes:
        scene.tiles.all().delete()
        IngestJob.objects.create(collection=collection, scene=scene, source_name=scene.title, created_by=owner)
    encode = ImageTextEncoder.encode_images
    used: list[int] = []

    def switch_after_the_first_batch(self, pictures):
        vectors = encode(self, pictures)
        if not used:
            encoder_activate(encoder=clip)
            assert encoder_fill() == 0
        used.append(len(pictures))
        return vectors

    monkeypatch.setattr(ImageTextEncoder, "encode_images", switch_after_the_first_batch)
    ingest_jobs_drain()
    assert len(used) > 1
    assert set(IngestJob.objects.values_list("state", "attempts")) == {(IngestJob.State.READY, 1)}
    assert archive_progress(owner)[:2] == (2, 2)
    assert not Embedding.objects.filter(encoder=encoder).exists()


def test_retrying_a_failed_fill_keeps_the_scene_shown_and_safe(collection, owner):
    scene = factories.make_scene(collection)
    job = IngestJob.objects.create(
        collection=collection, scene=scene, source_name="x", state=IngestJob.State.FAILED, retryable=True
    )
    job = ingest_job_retry(job=job, user=owner)
    scene.refresh_from_db()
    assert (job.state, scene.status) == (IngestJob.State.QUEUED, Scene.Status.READY)
    ingest_job_cancel(job=job, user=owner)
    assert Scene.objects.filter(pk=scene.pk, status=Scene.Status.READY).exists()


@pytest.mark.skipif(not Path(builtin.__file__).with_name("weights.safetensors").exists(), reason="no built-in weights")
def test_an_upgrade_that_ships_other_weights_queues_what_was_encoded_with_the_old():
    old, queued = builtin_encoder_ensure_filled()
    assert queued == 0
    factories.make_scene(encoder=old, vector=factories.axis(0, old.dimension))
    Encoder.objects.filter(pk=old.pk).update(checksum="0" * 64)
    assert builtin_encoder_ensure_filled()[1] == 1
    assert builtin_encoder_ensure_filled()[1] == 0, "done once"
