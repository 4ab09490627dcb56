"""Ingest by a real worker: killed in the middle, and at the size of a real archive."""

import json
import time

import pytest
from django.utils import timezone
from django_q.models import Schedule

from imagery.models import Asset, Embedding, IngestJob, Scene, Tile
from imagery.schedules import schedules_ensure
from imagery.services.ingest import Source, SourceFile, sources_ingest
from tests import images
from tests.processes import running_worker, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]
State = IngestJob.State
IMPATIENT = {"RSPORTAL_INGEST_STALE_SECONDS": "2"}


def add(paths, collection, user, **more):
    sources = [Source(files=[SourceFile(path, path.name)]) for path in paths]
    return list(sources_ingest(sources=sources, collection=collection, user=user, **more))


def all_ready(expected):
    states = list(IngestJob.objects.values_list("state", flat=True))
    assert State.FAILED not in states, list(IngestJob.objects.exclude(reason="").values_list("reason", flat=True))
    return states.count(State.READY) == expected


def check_exactly_once(scenes):
    assert Scene.objects.filter(status=Scene.Status.READY).count() == Scene.objects.count() == scenes
    assert Tile.objects.filter(level=0).count() == scenes
    assert Embedding.objects.count() == Tile.objects.count()
    assert not Tile.objects.filter(embeddings__isnull=True).exists()
    assert Asset.objects.count() == 3 * scenes
    assert all(job.done == job.total == job.scene.tiles.count() for job in IngestJob.objects.select_related("scene"))


@pytest.mark.parametrize("victim", ["the working process", "the whole cluster"])
def test_killed_in_the_middle_everything_is_ready_exactly_once(collection, owner, encoder, tmp_path, victim):
    paths = [images.draw(tmp_path / "in" / "large.jpg", width=2600, height=2000, quality=90)]
    paths += [images.draw(tmp_path / "in" / f"{n}.png", seed=n) for n in range(12)]
    add(paths, collection, owner)
    schedules_ensure()
    half_done = IngestJob.objects.filter(state=State.RUNNING, done__gt=0)
    with running_worker(tmp_path, extra=IMPATIENT) as worker:
        wait_for(half_done.exists, seconds=120, what="a job to be half done")
        if victim == "the working process":
            worker.kill_busy("encode")
        else:
            worker.kill_group("encode")
            worker.process.kill()
            worker.process.wait()
        (cut_off,) = IngestJob.objects.filter(state=State.RUNNING)
        if victim == "the working process":
            recovered(len(paths))
    if victim == "the whole cluster":
        with running_worker(tmp_path, extra=IMPATIENT):
            recovered(len(paths))
    check_exactly_once(len(paths))
    cut_off.refresh_from_db()
    assert (cut_off.state, cut_off.attempts) == (State.READY, 2)


def recovered(jobs):
    """Wait until all is READY; the minute of the schedule is over at once."""
    Schedule.objects.update(next_run=timezone.now())

    def ready():
        if all_ready(jobs):
            return True
        Schedule.objects.filter(next_run__gt=timezone.now()).update(next_run=timezone.now())
        return False

    wait_for(ready, seconds=150, what="every job to be READY")


def test_a_real_archive_of_1094_images_is_ingested_once(collection, owner, encoder, data_dir, tmp_path, capsys):
    lines = (data_dir / "rsicd" / "captions.jsonl").read_text().splitlines()
    names = [row["filename"] for line in lines if (row := json.loads(line))["split"] == "val"]
    paths = [data_dir / "rsicd" / "images" / name for name in names]
    assert len(paths) == 1094
    with running_worker(tmp_path) as worker:
        worker.wait_until_ready("encode")
        start = time.monotonic()
        jobs = add(paths, collection, owner, copy=False)
        accepted = time.monotonic() - start
        wait_for(lambda: all_ready(1094), seconds=240, what="1,094 images to be READY")
        took = time.monotonic() - start
    assert {job.state for job in jobs} == {State.QUEUED}
    check_exactly_once(1094)
    again = add(paths, collection, owner, copy=False)
    assert {job.state for job in again} == {State.DUPLICATE}
    assert Scene.objects.count() == 1094
    with capsys.disabled():
        print(f"\n1,094 images: accepted in {accepted:.1f} s, READY after {took:.1f} s, {1094 / took:.0f} images/s")
