"""The switch, the way back, and retiring: states, refusals, and what concurrent work sees."""

import threading
import time
from pathlib import Path

import pytest
from django.db import connection, transaction

from imagery.encoders.runtime.artefact import encoder_folder
from imagery.models import Embedding, Encoder, EncoderFill, FillItem, IngestJob, Scene
from imagery.services import partitions
from imagery.services.encoders import encoder_activate, encoder_active, encoder_register
from imagery.services.fill import encoder_fill, encoder_fill_pause, fill_plan
from imagery.services.fill_run import fills_drain
from imagery.services.ingest import ingest_jobs_drain
from imagery.services.partitions import partition_drop, partition_name, partitions_of_nobody
from imagery.services.switch import encoder_retire, encoder_rollback
from imagery.tasks import requeue_stale
from rsportal.errors import Conflict, Unavailable
from tests import factories
from tests.checkpoints import clip_checkpoint
from tests.threads import at_once

pytestmark = pytest.mark.django_db
State = Encoder.State


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory) -> Path:
    return clip_checkpoint(tmp_path_factory.mktemp("clip") / "model")


@pytest.fixture
def clip(db, clip_folder) -> Encoder:
    return encoder_register(name="clip", kind="transformers", source=str(clip_folder))


def states():
    return dict(Encoder.objects.values_list("name", "state"))


def partition_exists(encoder):
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [partition_name(encoder.pk)])
        return cursor.fetchone()[0]


def test_a_switch_keeps_the_replaced_encoder_current_and_goes_back(encoder, clip, collection, owner):
    factories.make_scene(collection, files=True)
    encoder_fill(encoder=clip)
    fills_drain()
    activated = encoder_activate(encoder=clip)
    assert states() == {"tiny": State.READY, "clip": State.ACTIVE}
    assert encoder_active() == clip and activated.previous == encoder and activated.activated_at is not None
    assert encoder_activate(encoder=clip).activated_at == activated.activated_at, "repeating changes nothing"
    scene = factories.make_scene(collection, files=True, status=Scene.Status.PENDING, encoder=clip)
    scene.tiles.all().delete()
    IngestJob.objects.create(collection=collection, scene=scene, source_name="new", created_by=owner)
    ingest_jobs_drain()
    assert Embedding.objects.filter(encoder=encoder).count() == 1
    with pytest.raises(Conflict, match="1 scenes"):
        encoder_rollback()
    fills_drain()
    assert Embedding.objects.filter(encoder=encoder).count() == 2
    back = encoder_rollback()
    assert back == encoder and states() == {"tiny": State.ACTIVE, "clip": State.READY}
    assert encoder_rollback() == clip, "and forth"


def test_an_incomplete_encoder_is_refused_unless_partial(encoder, clip, collection):
    scenes = [factories.make_scene(collection, files=True) for _ in range(3)]
    with pytest.raises(Conflict, match="no vectors of 3 scenes") as caught:
        encoder_activate(encoder=clip)
    assert caught.value.code == "incomplete"
    fill_plan(encoder_fill(encoder=clip).pk)
    with pytest.raises(Conflict, match="3 wait"):
        encoder_activate(encoder=clip)
    assert encoder_active() == encoder
    encoder_fill_pause(encoder=clip)
    encoder_activate(encoder=clip, partial=True)
    assert EncoderFill.objects.get(encoder=clip).state == EncoderFill.State.RUNNING, "the rest is filled"
    fills_drain()
    assert Embedding.objects.filter(encoder=clip).count() == len(scenes)
    assert states()["clip"] == State.ACTIVE


def test_partial_without_any_fill_starts_one(encoder, clip, collection):
    factories.make_scene(collection, files=True)
    encoder_activate(encoder=clip, partial=True)
    fills_drain()
    assert Embedding.objects.filter(encoder=clip).count() == 1


def test_there_is_nothing_to_go_back_to_at_first(encoder):
    with pytest.raises(Conflict, match="replaced no other"):
        encoder_rollback()


@pytest.mark.django_db(transaction=True)
def test_retiring_drops_the_vectors_at_once_and_ends_the_fill(encoder, clip, collection):
    factories.make_scene(collection, files=True)
    encoder_fill(encoder=clip)
    fills_drain()
    encoder_activate(encoder=clip)
    with pytest.raises(Conflict, match="is active"):
        encoder_retire(encoder=clip)
    encoder_retire(encoder=encoder)
    assert states() == {"tiny": State.RETIRED, "clip": State.ACTIVE}
    assert not partition_exists(encoder) and partition_exists(clip)
    assert not FillItem.objects.filter(fill__encoder=encoder).exists()
    assert Embedding.objects.count() == 1
    with pytest.raises(Conflict, match="was retired"):
        encoder_rollback()
    assert encoder_retire(encoder=encoder).state == State.RETIRED, "harmless to repeat"
    encoder_fill(encoder=encoder)
    fills_drain()
    assert states()["tiny"] == State.READY and Embedding.objects.filter(encoder=encoder).count() == 1


def test_what_a_killed_retirement_has_left_is_dropped_later(encoder, clip):
    Encoder.objects.filter(pk=clip.pk).update(state=State.RETIRED)
    assert partitions_of_nobody() == [clip.pk]
    requeue_stale()
    assert not partition_exists(clip) and partition_exists(encoder)
    assert partitions_of_nobody() == []


def test_a_late_drop_spares_an_encoder_that_is_filled_again(encoder, clip):
    encoder_retire(encoder=clip)
    encoder_fill(encoder=clip)
    assert partition_drop(clip.pk)
    assert states()["clip"] == State.FILLING and partition_exists(clip)


def test_a_complete_encoder_whose_fill_was_never_planned_can_be_activated(encoder, clip, collection):
    """So an upgrade leaves the encoders that an earlier release had retired with all their vectors."""
    factories.make_scene(collection, files=True)
    encoder_fill(encoder=clip)
    fills_drain()
    EncoderFill.objects.filter(encoder=clip).update(state=EncoderFill.State.PAUSED, planned_at=None)
    assert encoder_activate(encoder=clip).state == State.ACTIVE


def test_a_retired_encoder_leaves_no_exported_towers(encoder, clip, settings, tmp_path):
    settings.ENCODER_DIR = tmp_path
    folders = {row.pk: encoder_folder(tmp_path, row.checksum) for row in (encoder, clip)}
    for folder in folders.values():
        (folder / "image").mkdir(parents=True)
    encoder_retire(encoder=clip)
    assert not folders[clip.pk].exists() and folders[encoder.pk].exists()


def test_a_fill_stops_when_its_encoder_is_retired(encoder, clip, collection, monkeypatch):
    from imagery.encoders.base import ImageTextEncoder

    for _ in range(3):
        factories.make_scene(collection, files=True)
    encoder_fill(encoder=clip)
    encode = ImageTextEncoder.encode_inputs

    def retire_meanwhile(self, pictures):
        vectors = encode(self, pictures)
        encoder_retire(encoder=clip)
        return vectors

    monkeypatch.setattr(ImageTextEncoder, "encode_inputs", retire_meanwhile)
    fills_drain()
    assert states()["clip"] == State.RETIRED and not partition_exists(clip)
    assert EncoderFill.objects.get(encoder=clip).state == EncoderFill.State.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_a_long_search_delays_the_drop_and_not_other_searches(encoder, clip):
    """While somebody reads the table, the drop gives up its place in the queue of locks again and again."""
    Encoder.objects.filter(pk=clip.pk).update(state=State.RETIRED)
    waits: list[float] = []
    reading, over = threading.Event(), threading.Event()

    def long_search():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM imagery_embedding")
            reading.set()
            over.wait(30)
        connection.close()

    def short_search():
        begun = time.perf_counter()
        Embedding.objects.filter(encoder=encoder).exists()
        waits.append(time.perf_counter() - begun)

    thread = threading.Thread(target=long_search)
    thread.start()
    assert reading.wait(20)

    def drop():
        partition_drop(clip.pk, seconds=1.0)
        connection.close()

    dropper = threading.Thread(target=drop)
    dropper.start()
    while dropper.is_alive():
        short_search()
    dropper.join()
    assert partition_exists(clip), "it was refused while somebody read"
    assert max(waits) < 1.5 * partitions._LONGEST_WAIT_MS / 1000 + 0.5
    over.set()
    thread.join()
    assert partition_drop(clip.pk)
    assert not partition_exists(clip)


@pytest.mark.django_db(transaction=True)
def test_a_busy_table_leaves_the_drop_to_the_worker(encoder, clip, monkeypatch):
    monkeypatch.setattr("imagery.services.switch.partition_drop", lambda _pk: partition_drop(_pk, seconds=0.1))
    reading, over = threading.Event(), threading.Event()

    def long_search():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM imagery_embedding")
            reading.set()
            over.wait(30)
        connection.close()

    thread = threading.Thread(target=long_search)
    thread.start()
    assert reading.wait(20)
    with pytest.raises(Unavailable, match="every minute"):
        encoder_retire(encoder=clip)
    over.set()
    thread.join()
    assert states()["clip"] == State.RETIRED and partition_exists(clip)
    monkeypatch.undo()
    requeue_stale()
    assert not partition_exists(clip)


@pytest.mark.django_db(transaction=True)
def test_switches_at_once_leave_one_active(encoder, clip):
    turns = iter([encoder, clip] * 3)
    errors = at_once(lambda: encoder_activate(encoder=next(turns)))
    assert not errors
    assert Encoder.objects.filter(state=State.ACTIVE).count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_upload_that_ends_during_the_switch_is_missing_nowhere(encoder, clip, collection, owner):
    """The switch waits for a batch that is being stored, and then sees that its scene is not encoded yet."""
    encoder_fill(encoder=clip)
    fills_drain()
    scene = factories.make_scene(collection, files=True, status=Scene.Status.PENDING)
    scene.tiles.all().delete()
    IngestJob.objects.create(collection=collection, scene=scene, source_name="new", created_by=owner)
    outcome: list[object] = []
    started = threading.Event()

    def switch():
        try:
            started.set()
            outcome.append(encoder_activate(encoder=clip))
        except Conflict as error:
            outcome.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=switch)

    def switch_inside_the_transaction(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "FOR KEY SHARE" in sql and not started.is_set():
            thread.start()
            started.wait(20)
        return result

    with connection.execute_wrapper(switch_inside_the_transaction):
        ingest_jobs_drain()
    thread.join(60)
    assert isinstance(outcome[0], Conflict) and outcome[0].code == "incomplete"
    fills_drain()
    assert encoder_activate(encoder=clip).state == State.ACTIVE
    assert Embedding.objects.filter(encoder=clip).count() == Embedding.objects.filter(encoder=encoder).count() == 1
