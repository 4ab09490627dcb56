"""The job's states: claims, crashes, stale workers, retry, cancel, deletion."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from imagery import jobs
from imagery.encoders.base import ImageTextEncoder
from imagery.leases import MAX_ATTEMPTS
from imagery.models import Embedding, IngestJob, Scene, Tile
from imagery.services import encode
from imagery.services.ingest import (
    SourceFile,
    ingest_job_cancel,
    ingest_job_retry,
    ingest_job_run,
    ingest_jobs_drain,
    source_ingest,
    stale_jobs_requeue,
)
from imagery.services.scenes import scene_delete
from imagery.storage import file_write
from rsportal.errors import Conflict, NotAllowed
from tests import images
from tests.factories import make_user

State = IngestJob.State


@pytest.fixture
def queue(collection, owner, tmp_path):
    def make(count=1, **size):
        return [
            source_ingest(
                files=[SourceFile(images.draw(tmp_path / f"{n}-{size.get('width')}.png", seed=n, **size), f"{n}.png")],
                collection=collection,
                user=owner,
            )
            for n in range(count)
        ]

    return make


def make_stale(*stale):
    long_ago = timezone.now() - timedelta(hours=1)
    IngestJob.objects.filter(pk__in=[job.pk for job in stale]).update(heartbeat_at=long_ago)


def kept_files(media_folder):
    return [path for path in media_folder.rglob("*") if path.is_file()]


def test_a_claim_takes_what_waits_once(queue):
    queue(3)
    first = jobs.jobs_claim(most=2)
    second = jobs.jobs_claim(most=2)
    assert [len(first), len(second), len(jobs.jobs_claim(most=2))] == [2, 1, 0]
    assert all(job.state == State.RUNNING and job.attempts == 1 and job.heartbeat_at for job in first + second)


def test_large_scenes_are_claimed_alone(queue):
    queue(2, width=700, height=500)
    assert len(jobs.jobs_claim(most=16)) == 1


def test_a_running_job_is_taken_over_only_when_its_worker_is_silent(queue):
    (job,) = queue()
    (mine,) = jobs.jobs_claim(most=1)
    assert jobs.jobs_claim(most=1, job_id=job.pk) == []
    make_stale(job)
    (theirs,) = jobs.jobs_claim(most=1)
    assert theirs.attempts == 2
    assert not jobs.job_failed(mine, "late", retryable=False), "the first worker lost its claim"
    jobs.jobs_ready([mine], totals={mine.pk: 5})
    job.refresh_from_db()
    assert (job.state, job.reason) == (State.RUNNING, "")


def test_a_job_that_ends_its_worker_three_times_fails(queue):
    (job,) = queue()
    for _ in range(3):
        assert jobs.jobs_claim(most=1)
        make_stale(job)
    assert jobs.jobs_claim(most=1) == []
    job.refresh_from_db()
    assert (job.state, job.attempts, job.retryable) == (State.FAILED, 3, True)
    assert "3 times" in job.reason
    assert job.scene.status == Scene.Status.FAILED


def test_neighbours_of_a_deadly_job_are_tried_alone(queue):
    queue(4)
    group = jobs.jobs_claim(most=16)
    assert len(group) == 4
    make_stale(*group)
    assert len(jobs.jobs_claim(most=16)) == 1


def test_stale_jobs_are_queued_again_with_a_task(queue, encoder):
    (job,) = queue()
    jobs.jobs_claim(most=1)
    OrmQ.objects.all().delete()
    assert stale_jobs_requeue() == 0
    make_stale(job)
    assert stale_jobs_requeue() == 1
    assert OrmQ.objects.filter(key="encode").count() == 1
    ingest_jobs_drain()
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.READY, 2)


def test_a_waiting_job_whose_task_was_lost_gets_another(queue):
    queue()
    OrmQ.objects.all().delete()
    stale_jobs_requeue()
    stale_jobs_requeue()
    assert OrmQ.objects.filter(key="encode").count() == 1


def test_running_a_finished_job_again_changes_nothing(queue, encoder):
    (job,) = queue()
    ingest_job_run(job_id=job.pk)
    ready = IngestJob.objects.values().get()
    counts = Tile.objects.count(), Embedding.objects.count()
    ingest_job_run(job_id=job.pk)
    assert IngestJob.objects.values().get() == ready
    assert counts == (Tile.objects.count(), Embedding.objects.count())


def test_a_second_attempt_goes_on_where_the_first_ended(queue, encoder, monkeypatch):
    (job,) = queue(width=900, height=700)
    calls = []
    store = encode.embeddings_store

    def dies_in_the_second_batch(**arguments):
        calls.append(len(arguments["tile_ids"]))
        if len(calls) == 2:
            raise RuntimeError("the power went")
        store(**arguments)

    monkeypatch.setattr(encode, "embeddings_store", dies_in_the_second_batch)
    with pytest.raises(RuntimeError):
        ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.done) == (State.QUEUED, 1, encode.BATCH_IMAGES)
    assert "the power went" in job.reason
    ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    tiles = Tile.objects.filter(scene=job.scene).count()
    assert (job.state, job.attempts, job.done, job.total) == (State.READY, 2, tiles, tiles)
    assert Embedding.objects.count() == tiles == sum(calls) - calls[1]


def test_a_long_job_outlives_any_number_of_restarts_between_which_it_gets_on(queue, encoder, monkeypatch):
    (job,) = queue(width=1500, height=1100)
    store = encode.embeddings_store
    calls = []

    def dies_in_every_second_batch(**arguments):
        calls.append(len(arguments["tile_ids"]))
        if len(calls) % 2 == 0:
            raise RuntimeError("the power went")
        store(**arguments)

    monkeypatch.setattr(encode, "embeddings_store", dies_in_every_second_batch)
    done = [0]
    while True:
        with suppress(RuntimeError):
            ingest_job_run(job_id=job.pk)
        job.refresh_from_db()
        assert job.done > done[-1], "every attempt gets on"
        done.append(job.done)
        if job.state != State.QUEUED:
            break
    tiles = Tile.objects.filter(scene=job.scene).count()
    assert (job.state, job.done, job.total) == (State.READY, tiles, tiles)
    assert job.attempts == len(done) - 1 > MAX_ATTEMPTS
    assert Embedding.objects.count() == tiles


def test_workers_that_stop_without_getting_on_end_a_job_however_far_it_was(queue):
    (job,) = queue(width=1500, height=1100)
    for done in (16, 32, 48, 64):
        (mine,) = jobs.jobs_claim(most=1)
        with transaction.atomic():
            assert jobs.jobs_lock_owned([mine])
            jobs.job_progress(mine, done=done, total=90)
        make_stale(job)
    for _ in range(3):
        (mine,) = jobs.jobs_claim(most=1)
        jobs.job_progress(mine, done=64, total=90)  # What earlier attempts did is no progress of this one.
        make_stale(job)
    assert jobs.jobs_claim(most=1) == []
    job.refresh_from_db()
    assert (job.state, job.attempts, job.done, job.retryable) == (State.FAILED, 7, 64, True)


def test_an_unexpected_error_is_tried_three_times_and_then_kept_for_retry(queue, encoder, monkeypatch, owner):
    (job,) = queue()

    def broken(*_arguments, **_more):
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("imagery.services.prepare.tile_windows", broken)
        assert ingest_jobs_drain() == 3
    job.refresh_from_db()
    assert (job.state, job.attempts, job.retryable) == (State.FAILED, 3, True)
    assert "ZeroDivisionError" in job.reason and "3 times" in job.reason
    assert job.scene.status == Scene.Status.FAILED
    ingest_job_retry(job=job, user=owner)
    ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.scene.status) == (State.READY, Scene.Status.READY)


def test_who_may_retry_and_what(queue, encoder, owner):
    (job,) = queue()
    with pytest.raises(NotAllowed):
        ingest_job_retry(job=job, user=make_user())
    with pytest.raises(Conflict, match="has not failed"):
        ingest_job_retry(job=job, user=owner)
    IngestJob.objects.update(state=State.FAILED, retryable=False)
    with pytest.raises(Conflict, match="add it again"):
        ingest_job_retry(job=job, user=owner)


def test_cancelling_removes_the_unfinished_scene_and_its_files(queue, owner, encoder, media_folder):
    (job,) = queue()
    with pytest.raises(NotAllowed):
        ingest_job_cancel(job=job, user=make_user())
    cancelled = ingest_job_cancel(job=job, user=owner)
    assert (cancelled.state, cancelled.scene_id) == (State.CANCELLED, None)
    assert not Scene.objects.exists()
    assert ingest_jobs_drain() == 0
    with pytest.raises(Conflict):
        ingest_job_cancel(job=job, user=owner)


@pytest.mark.django_db(transaction=True)
def test_files_go_when_the_deletion_commits(queue, owner, encoder, media_folder):
    job, other = queue(2)
    ingest_jobs_drain()
    assert len(kept_files(media_folder)) == 6
    with pytest.raises(NotAllowed):
        scene_delete(scene=job.scene, user=make_user())
    scene_delete(scene=job.scene, user=owner)
    assert len(kept_files(media_folder)) == 3
    assert Scene.objects.get().pk == other.scene_id
    assert Embedding.objects.count() == 1
    job.refresh_from_db()
    assert (job.state, job.scene) == (State.READY, None)


@pytest.mark.django_db(transaction=True)
def test_cancelled_while_running_leaves_nothing(queue, owner, encoder, monkeypatch, media_folder):
    job, other = queue(2)
    encode_inputs = ImageTextEncoder.encode_inputs

    def cancel_meanwhile(self, inputs):
        fresh = IngestJob.objects.get(pk=job.pk)
        if fresh.state == State.RUNNING:
            ingest_job_cancel(job=fresh, user=owner)
            file_write(b"late", scene_id=job.scene_id, name="thumbnail.webp")  # as a thread may
        connection.close()  # Encoding has a thread of its own.
        return encode_inputs(self, inputs)

    monkeypatch.setattr(ImageTextEncoder, "encode_inputs", cancel_meanwhile)
    ingest_jobs_drain()
    job.refresh_from_db()
    other.refresh_from_db()
    assert (job.state, job.scene_id, other.state) == (State.CANCELLED, None, State.READY)
    assert Scene.objects.count() == Tile.objects.count() == Embedding.objects.count() == 1
    assert {path.parent.name for path in kept_files(media_folder)} == {str(other.scene_id)}


def test_archive_files_outlive_their_scene(collection, owner, tmp_path):
    path = images.draw(tmp_path / "mine.png")
    job = source_ingest(files=[SourceFile(path, "mine.png")], collection=collection, user=owner, copy=False)
    scene_delete(scene=Scene.objects.get(), user=owner)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert path.exists() and not Scene.objects.exists()


def test_the_schedule_is_there(db):
    from django_q.models import Schedule

    from imagery.schedules import schedules_ensure

    schedules_ensure()
    assert Schedule.objects.get(func="imagery.tasks.requeue_stale").minutes == 1


def test_whatever_is_scheduled_has_a_cluster_that_looks_at_its_schedule(db, settings):
    from django_q.models import Schedule

    assert Schedule.objects.filter(cluster__isnull=False).exists()
    for schedule in Schedule.objects.exclude(cluster=None):
        lane = settings.Q_CLUSTER["ALT_CLUSTERS"][schedule.cluster]
        assert lane.get("scheduler", True), f"nobody starts {schedule.name}"
