"""Filling an encoder beside the active one: what is queued, what goes first, pausing, failing, ending."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from imagery import fill_progress
from imagery.encoders.base import ImageTextEncoder
from imagery.models import Embedding, Encoder, EncoderFill, FillItem, IngestJob, Scene, Tile
from imagery.services.encoders import encoder_activate, encoder_register
from imagery.services.fill import (
    encoder_fill,
    encoder_fill_cancel,
    encoder_fill_pause,
    encoder_fill_resume,
    encoder_fill_retry,
    fill_plan,
    scenes_without_vectors,
)
from imagery.services.fill_run import fills_drain, fills_wake
from imagery.services.ingest import ingest_jobs_drain
from imagery.services.scenes import scene_delete
from imagery.tasks import requeue_stale
from rsportal.errors import Conflict
from tests import factories, images
from tests.checkpoints import clip_checkpoint

pytestmark = pytest.mark.django_db
State = EncoderFill.State


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory) -> Path:
    return clip_checkpoint(tmp_path_factory.mktemp("clip") / "model")


@pytest.fixture
def clip(db, clip_folder) -> Encoder:
    return encoder_register(name="clip", kind="transformers", source=str(clip_folder))


@pytest.fixture
def active(db) -> Encoder:
    """An active encoder whose vectors the scenes of these tests have already."""
    return factories.make_encoder()


def scenes_made(collection, count, **more):
    return [factories.make_scene(collection, files=True, **more) for _ in range(count)]


def state_of(encoder):
    fill = EncoderFill.objects.get(encoder=encoder)
    return fill.state, fill.done, fill.failed, fill.total


def test_a_fill_makes_vectors_beside_the_active_encoder(active, clip, collection):
    window = {(0, 0, 32, 32): factories.axis(1)}
    scenes = [*scenes_made(collection, 3), *scenes_made(collection, 1, windows=window)]
    before = {name: path.stat().st_mtime_ns for name, path in _files().items()}
    searched = list(Embedding.objects.filter(encoder=active).values_list("tile_id", "vector"))
    encoder_fill(encoder=clip)
    assert OrmQ.objects.count() == 1
    clip.refresh_from_db()
    assert clip.state == Encoder.State.FILLING
    assert fills_drain() > 0
    clip.refresh_from_db()
    assert (clip.state, *state_of(clip)) == (Encoder.State.READY, State.DONE, 4, 0, 4)
    assert Embedding.objects.filter(encoder=clip).count() == Tile.objects.count() == 5
    assert not FillItem.objects.exists()
    assert list(Embedding.objects.filter(encoder=active).values_list("tile_id", "vector")) == searched
    assert {name: path.stat().st_mtime_ns for name, path in _files().items()} == before, "nothing else is written"
    assert Scene.objects.ready().count() == len(scenes)


def _files():
    return {str(path): path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()}


def test_a_fill_reads_pixels_as_the_ingest_does(encoder, collection, owner, clip_folder, tmp_path):
    """The same encoder's vectors of a large scene are the same from the ingest and from a fill."""
    from imagery.services.ingest import Source, SourceFile, sources_ingest

    path = images.draw(tmp_path / "in" / "large.png", width=900, height=700)
    list(sources_ingest(sources=[Source(files=[SourceFile(path, path.name)])], collection=collection, user=owner))
    ingest_jobs_drain()
    twin = encoder_register(name="twin", kind="transformers", source=encoder.source)
    encoder_fill(encoder=twin)
    fills_drain()
    rows = {
        row.name: dict(Embedding.objects.filter(encoder=row).values_list("tile_id", "vector"))
        for row in (encoder, twin)
    }
    assert len(rows["twin"]) == Tile.objects.count() > 5
    assert rows["twin"] == rows["tiny"]


def test_only_ready_scenes_that_lack_vectors_are_planned(active, clip, collection):
    complete, lacking = scenes_made(collection, 2)
    factories.make_scene(collection, status=Scene.Status.PENDING)
    factories.add_tile(complete, clip, factories.axis(0, 24))
    half = factories.make_scene(collection, windows={(0, 0, 32, 32): factories.axis(1)})
    Embedding.objects.create(encoder=clip, tile=half.tiles.get(level=0), vector=factories.axis(0, 24).tolist())
    fill = encoder_fill(encoder=clip)
    fill_plan(fill.pk)
    assert set(FillItem.objects.values_list("scene_id", flat=True)) == {lacking.pk, half.pk}
    assert set(scenes_without_vectors(clip).values_list("pk", flat=True)) == {lacking.pk, half.pk}
    assert state_of(clip) == (State.RUNNING, 0, 0, 2)
    encoder_fill(encoder=clip)
    fill_plan(fill.pk)
    assert FillItem.objects.count() == 2, "a fill that runs is not planned twice"


def test_new_scenes_go_first_and_get_vectors_of_both_encoders(encoder, clip, collection, owner, monkeypatch):
    scenes_made(collection, 40)
    encoder_fill(encoder=clip)
    encoded: list[str] = []
    encode = ImageTextEncoder.encode_inputs

    def upload_after_the_first_batch(self, pictures):
        encoded.append("clip" if self.dimension == 24 else "tiny")
        if len(encoded) == 1:
            new = scenes_made(collection, 2, status=Scene.Status.PENDING)
            Tile.objects.filter(scene__in=new).delete()
            for scene in new:
                IngestJob.objects.create(collection=collection, scene=scene, source_name="new", created_by=owner)
        return encode(self, pictures)

    monkeypatch.setattr(ImageTextEncoder, "encode_inputs", upload_after_the_first_batch)
    fills_drain()
    assert encoded[:2] == ["clip", "tiny"], "what was uploaded is ingested after the batch at hand"
    assert Scene.objects.ready().count() == 42
    for row in (encoder, clip):
        assert Embedding.objects.filter(encoder=row).count() == 42
    assert state_of(clip) == (State.DONE, 42, 0, 42)


def test_scenes_added_after_a_fill_keep_the_encoder_complete(encoder, clip, collection, owner):
    encoder_fill(encoder=clip)
    fills_drain()
    (scene,) = scenes_made(collection, 1, status=Scene.Status.PENDING)
    Tile.objects.filter(scene=scene).delete()
    IngestJob.objects.create(collection=collection, scene=scene, source_name="new", created_by=owner)
    ingest_jobs_drain()
    assert state_of(clip) == (State.RUNNING, 0, 0, 1)
    with pytest.raises(Conflict, match="1 scenes"):
        encoder_activate(encoder=clip)
    fills_drain()
    assert state_of(clip) == (State.DONE, 1, 0, 1)
    assert encoder_activate(encoder=clip).state == Encoder.State.ACTIVE


def test_pause_stops_after_the_batch_and_resume_goes_on(active, clip, collection, monkeypatch):
    scenes_made(collection, 40)
    encoder_fill(encoder=clip)
    encode = ImageTextEncoder.encode_inputs

    def pause_during_the_first_batch(self, pictures):
        if not Embedding.objects.filter(encoder=clip).exists():
            encoder_fill_pause(encoder=clip)
        return encode(self, pictures)

    monkeypatch.setattr(ImageTextEncoder, "encode_inputs", pause_during_the_first_batch)
    fills_drain()
    state, done, failed, total = state_of(clip)
    assert (state, failed, total) == (State.PAUSED, 0, 40) and 0 < done < 40
    assert done == Embedding.objects.filter(encoder=clip).count()
    assert set(FillItem.objects.values_list("state", "attempts")) == {(FillItem.State.QUEUED, 0)}
    assert fills_drain() == 0, "a paused fill is left alone"
    with pytest.raises(Conflict, match="nothing to pause"):
        encoder_fill_pause(encoder=clip)
    encoder_fill_resume(encoder=clip)
    with pytest.raises(Conflict, match="not paused"):
        encoder_fill_resume(encoder=clip)
    fills_drain()
    assert state_of(clip) == (State.DONE, 40, 0, 40)


def test_a_cancelled_fill_keeps_its_vectors_and_begins_where_it_ended(active, clip, collection, monkeypatch):
    scenes_made(collection, 40)
    encoder_fill(encoder=clip)
    encode = ImageTextEncoder.encode_inputs

    def cancel_before_the_second_batch(self, pictures):
        if Embedding.objects.filter(encoder=clip).exists():
            encoder_fill_cancel(encoder=clip)
        return encode(self, pictures)

    with monkeypatch.context() as patch:
        patch.setattr(ImageTextEncoder, "encode_inputs", cancel_before_the_second_batch)
        fills_drain()
    clip.refresh_from_db()
    kept = Embedding.objects.filter(encoder=clip).count()
    assert clip.state == Encoder.State.NEW and 0 < kept < 40
    assert not FillItem.objects.exists()
    with pytest.raises(Conflict):
        encoder_fill_cancel(encoder=clip)
    encoder_fill(encoder=clip)
    fills_drain()
    assert state_of(clip) == (State.DONE, 40 - kept, 0, 40 - kept)


def test_a_scene_that_cannot_be_read_fails_with_its_reason_and_can_be_retried(active, clip, collection):
    good, gone, broken = scenes_made(collection, 3)
    originals = {}
    for scene, damage in ((gone, Path.unlink), (broken, lambda path: path.write_bytes(b"no picture"))):
        path = settings.MEDIA_ROOT / scene.assets.get(key="data").path
        originals[path] = path.read_bytes()
        damage(path)
    encoder_fill(encoder=clip)
    fills_drain()
    assert state_of(clip) == (State.DONE, 1, 2, 3)
    reasons = dict(FillItem.objects.filter(state=FillItem.State.FAILED).values_list("scene_id", "reason"))
    assert set(reasons) == {gone.pk, broken.pk} and all(reasons.values())
    assert Scene.objects.ready().count() == 3, "they stay shown"
    with pytest.raises(Conflict, match="2 could not be read"):
        encoder_activate(encoder=clip)
    for path, content in originals.items():
        path.write_bytes(content)
    assert encoder_fill_retry(encoder=clip) == 2
    fills_drain()
    assert state_of(clip) == (State.DONE, 3, 0, 3)
    with pytest.raises(Conflict, match="has failed"):
        encoder_fill_retry(encoder=clip)
    assert good.assets.exists()


def test_a_file_that_became_smaller_is_refused(active, clip, collection):
    scene = factories.make_scene(collection, files=True)
    Tile.objects.filter(scene=scene).update(width=128)
    encoder_fill(encoder=clip)
    fills_drain()
    assert "fewer than when it was added" in FillItem.objects.get().reason


def test_an_encoder_that_cannot_be_loaded_pauses_its_fill(active, clip, collection):
    scenes_made(collection, 1)
    Encoder.objects.filter(pk=clip.pk).update(source="/nowhere/at-all")
    encoder_fill(encoder=clip)
    fills_drain()
    fill = EncoderFill.objects.get(encoder=clip)
    assert fill.state == State.PAUSED and fill.reason
    Encoder.objects.filter(pk=clip.pk).update(source=clip.source)
    encoder_fill_resume(encoder=clip)
    fills_drain()
    assert EncoderFill.objects.get(encoder=clip).state == State.DONE, "nothing was given up"
    assert Embedding.objects.filter(encoder=clip).count() == 1


def test_a_fill_of_changed_files_is_paused_before_towers_are_made_of_them(active, clip, collection, settings, tmp_path):
    settings.ENCODER_DIR = tmp_path / "towers"
    scenes_made(collection, 1)
    Encoder.objects.filter(pk=clip.pk).update(checksum="0" * 64)
    encoder_fill(encoder=clip)
    fills_drain()
    fill = EncoderFill.objects.get(encoder=clip)
    assert fill.state == State.PAUSED and "have changed" in fill.reason
    assert not settings.ENCODER_DIR.exists() and not Embedding.objects.filter(encoder=clip).exists()


def test_a_crash_is_tried_again_alone_and_then_told(active, clip, collection, monkeypatch):
    scenes_made(collection, 3)
    encoder_fill(encoder=clip)
    encode = ImageTextEncoder.encode_inputs
    sizes: list[int] = []
    bad = FillItem.objects.filter(scene=Scene.objects.order_by("created_at").first())

    def crash_with_the_first_scene(self, pictures):
        sizes.append(len(pictures))
        if bad.filter(state=FillItem.State.RUNNING).exists():
            raise ValueError("this picture")
        return encode(self, pictures)

    monkeypatch.setattr(ImageTextEncoder, "encode_inputs", crash_with_the_first_scene)
    for _attempt in range(3):
        with pytest.raises(ValueError, match="this picture"):
            fills_drain()
    fills_drain()
    assert sizes[0] == 3 and set(sizes[1:]) == {1}
    assert state_of(clip) == (State.DONE, 2, 1, 3)
    assert "ValueError: this picture" in bad.get().reason


def test_a_dead_worker_s_items_are_taken_up_and_out_of_attempts_they_fail(active, clip, collection, settings):
    scenes_made(collection, 2)
    fill_plan(encoder_fill(encoder=clip).pk)
    long_ago = timezone.now() - timedelta(seconds=2 * settings.INGEST_STALE_SECONDS)
    first, second = FillItem.objects.order_by("pk")
    dead = {"state": FillItem.State.RUNNING, "heartbeat_at": long_ago}
    FillItem.objects.filter(pk=first.pk).update(attempts=1, **dead)
    FillItem.objects.filter(pk=second.pk).update(attempts=3, **dead)
    OrmQ.objects.all().delete()
    requeue_stale()
    assert OrmQ.objects.count() == 1
    fills_drain()
    assert state_of(clip) == (State.DONE, 1, 1, 2)
    assert "stopped 3 times" in FillItem.objects.get().reason


def test_a_live_worker_s_items_are_left_alone(active, clip, collection):
    scenes_made(collection, 1)
    fill_plan(encoder_fill(encoder=clip).pk)
    FillItem.objects.update(state=FillItem.State.RUNNING, attempts=1, heartbeat_at=timezone.now())
    assert fills_drain() == 0
    assert not fills_wake()
    assert state_of(clip) == (State.RUNNING, 0, 0, 1)


def test_a_scene_deleted_during_a_fill_is_not_waited_for(active, clip, collection, owner):
    keep, gone = scenes_made(collection, 2)
    fill_plan(encoder_fill(encoder=clip).pk)
    scene_delete(scene=gone, user=owner)
    fills_drain()
    assert state_of(clip) == (State.DONE, 1, 0, 1)
    assert keep.tiles.exists()


def test_a_killed_settlement_is_made_good(active, clip, collection):
    """The last item is gone, but its worker died before it could end the fill."""
    scenes_made(collection, 1)
    fill_plan(encoder_fill(encoder=clip).pk)
    FillItem.objects.all().delete()
    requeue_stale()
    assert EncoderFill.objects.get().state == State.DONE


def test_rate_and_time_left_come_from_stored_counts(active, clip):
    now = timezone.now()
    fill = EncoderFill(encoder=clip, total=100, done=40, measured_done=0, started_at=now, updated_at=now)
    fill.measured_at = now - timedelta(seconds=20)
    assert fill_progress.fill_rate(fill, now) == pytest.approx(2.0)
    assert fill_progress.fill_eta(fill, now) == timedelta(seconds=30)
    fill_progress.measure(fill, now)
    assert fill.rate == pytest.approx(2.0) and fill.measured_done == 40
    later = now + timedelta(minutes=10)
    assert fill_progress.fill_silent(fill, later)
    assert fill_progress.fill_rate(fill, later) is None and fill_progress.fill_eta(fill, later) is None
    fill.state = State.PAUSED
    assert fill_progress.fill_eta(fill, now) is None and not fill_progress.fill_silent(fill, later)
    assert (fill.percent, fill.remaining) == (40, 60)


@pytest.mark.django_db(transaction=True)
def test_no_scene_falls_between_the_start_of_a_fill_and_the_end_of_an_ingest(encoder, clip, collection, owner):
    """A fill that starts while an ingest has not committed yet waits for it, and then sees its scene."""
    scene = factories.make_scene(collection, files=True, status=Scene.Status.PENDING)
    scene.tiles.all().delete()
    IngestJob.objects.create(collection=collection, scene=scene, source_name="new", created_by=owner)
    started, errors = threading.Event(), []

    def fill():
        try:
            started.set()
            fill_plan(encoder_fill(encoder=clip).pk)
        except BaseException as error:  # noqa: BLE001 - whatever happens in a thread must fail the test
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=fill)

    def begin_the_fill_inside_the_transaction(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "FOR KEY SHARE" in sql and not started.is_set():
            thread.start()
            started.wait(20)
        return result

    with connection.execute_wrapper(begin_the_fill_inside_the_transaction):
        ingest_jobs_drain()
    thread.join(60)
    assert not errors
    assert FillItem.objects.get().scene_id == scene.pk
    fills_drain()
    assert Embedding.objects.filter(encoder=clip).count() == scene.tiles.count() == 1
