"""A fill by a real worker that is killed with SIGKILL in the middle, and a switch whose process is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import Schedule

from imagery.models import Embedding, Encoder, EncoderFill, FillItem, Scene, Tile
from imagery.schedules import schedules_ensure
from imagery.services.encode import BATCH_IMAGES
from imagery.services.encoders import encoder_activate, encoder_register
from imagery.services.fill import encoder_fill
from imagery.services.ingest import Source, SourceFile, ingest_jobs_drain, sources_ingest
from tests import images
from tests.checkpoints import clip_checkpoint
from tests.processes import PROJECT, child_environment, running_worker, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]
IMPATIENT = {
    "RSPORTAL_INGEST_STALE_SECONDS": "2",
    "RSPORTAL_ENCODER_RUNTIME": "torch",
    "RSPORTAL_ENCODER_DEVICE": "cpu",
    "RSPORTAL_ENCODER_PRECISION": "float32",
}


@pytest.fixture
def clip(db, tmp_path) -> Encoder:
    folder: Path = clip_checkpoint(tmp_path / "clip")
    return encoder_register(name="clip", kind="transformers", source=str(folder))


def add(paths, collection, owner):
    sources = [Source(files=[SourceFile(path, path.name)]) for path in paths]
    list(sources_ingest(sources=sources, collection=collection, user=owner))


def hurry():
    """The minute of the schedule is over at once."""
    Schedule.objects.filter(func="imagery.tasks.requeue_stale", next_run__gt=timezone.now()).update(
        next_run=timezone.now()
    )


@pytest.mark.parametrize("victim", ["the working process", "the whole cluster"])
def test_killed_in_the_middle_a_fill_loses_nothing(collection, owner, encoder, clip, tmp_path, victim):
    paths = [images.draw(tmp_path / "in" / f"{number}.png", seed=number) for number in range(16)]
    paths.append(images.draw(tmp_path / "in" / "large.jpg", width=3200, height=2600, quality=90))
    add(paths, collection, owner)
    ingest_jobs_drain()
    schedules_ensure()
    encoder_fill(encoder=clip)
    vectors = Embedding.objects.filter(encoder=clip, tile__scene__width=3200)
    expected = Tile.objects.filter(scene__width=3200).count()

    def done():
        hurry()
        return EncoderFill.objects.get().state == EncoderFill.State.DONE

    def half_done():
        return 0 < vectors.count() < expected - 2 * BATCH_IMAGES

    with running_worker(tmp_path, extra=IMPATIENT) as worker:
        wait_for(half_done, seconds=240, what="the fill to be half done")
        if victim == "the working process":
            worker.kill_busy("encode")
            wait_for(done, seconds=240, what="the fill to end")
        else:
            worker.kill_group("encode")
            worker.process.kill()
            worker.process.wait()
    if victim == "the whole cluster":
        assert FillItem.objects.filter(state=FillItem.State.RUNNING).exists(), "it was cut off in the middle"
        # While no worker runs, somebody uploads.
        add([images.draw(tmp_path / "in" / "new.png", seed=99)], collection, owner)
        with running_worker(tmp_path, extra=IMPATIENT):
            wait_for(
                lambda: done() and not Scene.objects.exclude(status=Scene.Status.READY).exists(),
                seconds=240,
                what="the fill and the upload to end",
            )
    assert not FillItem.objects.exists(), list(FillItem.objects.values_list("reason", flat=True))
    for row in (encoder, clip):
        assert Embedding.objects.filter(encoder=row).count() == Tile.objects.count()
    fill = EncoderFill.objects.get()
    assert (fill.done, fill.failed, fill.total) == (Scene.objects.count(), 0, Scene.objects.count())
    assert len(paths) <= fill.done
    clip.refresh_from_db()
    assert clip.state == Encoder.State.READY
    assert encoder_activate(encoder=clip).state == Encoder.State.ACTIVE


def test_a_switch_whose_process_is_killed_has_happened_or_not(encoder, clip, tmp_path):
    """The command is stopped inside its transaction by a lock and killed there; nothing of the switch is left."""
    command = [sys.executable, "manage.py", "encoder", "activate", "clip"]
    environment = child_environment(tmp_path, IMPATIENT)
    blocker = connection.copy()
    try:
        with blocker.cursor() as cursor:
            blocker.set_autocommit(False)
            # The switch comes here when the old encoder is no longer active, uncommitted.
            cursor.execute("LOCK TABLE imagery_encoderfill IN ACCESS EXCLUSIVE MODE")
            process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL)

            def waits():
                with connection.cursor() as own:
                    own.execute(
                        "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'imagery_encoderfill'::regclass"
                    )
                    return own.fetchone()

            (backend,) = wait_for(waits, seconds=60, what="the switch to be under way")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        blocker.rollback()
    finally:
        blocker.close()

    def backend_ended():
        with connection.cursor() as own:
            own.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [backend])
            return own.fetchone() == (0,)

    wait_for(backend_ended, seconds=30, what="the database to notice")
    assert dict(Encoder.objects.values_list("name", "state")) == {"tiny": "active", "clip": "new"}
    assert encoder_activate(encoder=clip).previous == encoder
