"""From a file to a READY scene, through the real service, storage, reader and encoder."""

import hashlib
import os
import resource
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest
from django_q.models import OrmQ

from imagery.models import Asset, Embedding, IngestJob, Scene, Tile
from imagery.services.ingest import (
    Source,
    SourceFile,
    ingest_job_run,
    ingest_jobs_drain,
    source_ingest,
    sources_ingest,
)
from imagery.storage import AssetMissing, asset_open, asset_path
from rsportal.errors import NotAllowed, Unavailable
from tests import images
from tests.factories import make_user

State = IngestJob.State


def ingest(path, collection, user, **more):
    return source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=user, **more)


@pytest.fixture
def picture(tmp_path):
    return images.draw(tmp_path / "in" / "harbour.png")


def test_a_source_is_queued_with_its_scene_files_and_task_in_one_go(collection, owner, picture):
    job = ingest(picture, collection, owner)
    assert job.state == State.QUEUED
    assert job.scene.status == Scene.Status.PENDING
    assert job.scene.title == "harbour"
    asset = job.scene.assets.get()
    assert (asset.key, asset.role, asset.filename, asset.managed) == ("data", "data", "harbour.png", True)
    assert asset_open(asset).read() == picture.read_bytes()
    assert asset.sha256 == hashlib.sha256(picture.read_bytes()).hexdigest()
    assert OrmQ.objects.filter(key="encode").count() == 1


def test_a_queued_job_becomes_ready_with_tiles_vectors_and_pictures(collection, owner, encoder, picture):
    job = ingest(picture, collection, owner)
    ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    scene = job.scene
    assert (job.state, job.attempts, job.done, job.total, job.percent) == (State.READY, 1, 1, 1, 100)
    assert job.finished_at is not None and job.reason == ""
    assert scene.status == Scene.Status.READY
    assert (scene.width, scene.height) == (64, 48)
    assert not scene.georeferenced and scene.bbox is None
    assert scene.placeholder.startswith("data:image/webp;base64,") and len(scene.placeholder) <= 300
    assert set(scene.assets.values_list("role", flat=True)) == {"data", "thumbnail", "overview"}
    vector = Embedding.objects.get(tile__scene=scene, encoder=encoder).vector
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)


def test_the_same_bytes_are_known_whatever_their_name(collection, owner, picture, tmp_path):
    first = ingest(picture, collection, owner)
    other = tmp_path / "copy.png"
    other.write_bytes(picture.read_bytes())
    again = ingest(other, collection, owner)
    assert (again.state, again.scene) == (State.DUPLICATE, first.scene)
    assert Scene.objects.count() == 1
    assert len([path for path in asset_path(first.scene.assets.get()).parents[2].rglob("*") if path.is_file()]) == 1


def test_the_same_bytes_in_another_collection_are_a_scene_of_their_own(collection, owner, picture):
    from tests.factories import make_collection

    ingest(picture, collection, owner)
    assert ingest(picture, make_collection(owner=owner), owner).state == State.QUEUED


def test_who_may_not_add_is_refused(collection, picture):
    with pytest.raises(NotAllowed):
        ingest(picture, collection, make_user("stranger"))
    assert not IngestJob.objects.exists() and not Scene.objects.exists()


def test_a_file_read_in_place_is_neither_copied_nor_changed(collection, owner, encoder, picture, media_folder):
    before = (picture.read_bytes(), os.stat(picture).st_mtime_ns, sorted(picture.parent.iterdir()))
    picture.chmod(0o444)
    job = ingest(picture, collection, owner, copy=False)
    ingest_job_run(job_id=job.pk)
    asset = Asset.objects.get(scene=job.scene, key="data")
    assert (asset.managed, asset.path) == (False, str(picture.resolve()))
    assert before == (picture.read_bytes(), os.stat(picture).st_mtime_ns, sorted(picture.parent.iterdir()))
    assert sorted(path.name for path in media_folder.rglob("*.*")) == ["overview.webp", "thumbnail.webp"]


def test_a_large_picture_gets_its_levels(collection, owner, encoder, tmp_path):
    job = ingest(images.draw(tmp_path / "large.jpg", width=800, height=600), collection, owner)
    ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    levels = list(Tile.objects.filter(scene=job.scene).values_list("level", flat=True))
    assert (levels.count(0), job.state, job.done) == (1, State.READY, len(levels))
    assert len(levels) == Embedding.objects.filter(tile__scene=job.scene).count() > 16
    thumbnail = job.scene.assets.get(key="thumbnail")
    assert max(thumbnail.width, thumbnail.height) == 512


def test_a_georeferenced_scene_knows_its_place(collection, owner, encoder, tmp_path):
    path = images.geotiff(tmp_path / "utm.tif", images.deep_ramp())
    job = ingest(path, collection, owner)
    ingest_job_run(job_id=job.pk)
    scene = Scene.objects.get(pk=job.scene.pk)
    assert (scene.proj_code, scene.gsd) == ("EPSG:32618", 10.0)
    assert scene.footprint is not None and scene.footprint["type"] == "Polygon"
    assert scene.west == pytest.approx(-75.7296, abs=1e-3) and scene.north == pytest.approx(37.7614, abs=2e-3)
    assert [band["name"] for band in scene.bands] == ["band 1", "band 2", "band 3"]


def test_what_the_sender_says_is_kept(collection, owner, encoder, picture):
    job = ingest(
        picture,
        collection,
        owner,
        title="Harbour at dawn",
        properties={
            "datetime": "2024-05-31T04:05:06+02:00",
            "platform": "sentinel-2a",
            "instruments": ["msi"],
            "gsd": 10,
            "eo:cloud_cover": 12.5,
            "view:off_nadir": 3,
        },
    )
    ingest_job_run(job_id=job.pk)
    scene = Scene.objects.get(pk=job.scene.pk)
    assert scene.title == "Harbour at dawn"
    assert scene.datetime == datetime(2024, 5, 31, 2, 5, 6, tzinfo=UTC)
    assert (scene.platform, scene.instruments, scene.gsd, scene.cloud_cover) == ("sentinel-2a", ["msi"], 10, 12.5)
    assert scene.properties == {"view:off_nadir": 3, "data_type": "uint8"}


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"datetime": "yesterday"}, "datetime"),
        ({"datetime": "2024-13-01"}, "datetime"),
        ({"gsd": "fine"}, "gsd"),
        ({"eo:cloud_cover": 101}, "eo:cloud_cover"),
        ({"instruments": "msi"}, "instruments"),
        ({"start_datetime": "2024-02-02", "end_datetime": "2024-01-01"}, "start_datetime"),
        ({"x": float("nan")}, "JSON"),
    ],
)
def test_properties_that_cannot_be_used_are_named(collection, owner, picture, properties, word):
    job = ingest(picture, collection, owner, properties=properties)
    assert job.state == State.FAILED and word in job.reason
    assert not Scene.objects.exists()


def test_small_scenes_are_encoded_together_and_a_bad_one_harms_none(collection, owner, encoder, tmp_path):
    batch = uuid4()
    jobs = [ingest(images.draw(tmp_path / f"{n}.png", seed=n), collection, owner, batch=batch) for n in range(20)]
    bad = images.bomb_png(tmp_path / "bad.png", 200, 200)  # Whole by its structure; only decoding tells.
    broken = ingest(bad, collection, owner, batch=batch)
    assert broken.state == State.QUEUED
    assert ingest_jobs_drain() == 21
    assert IngestJob.objects.filter(state=State.READY).count() == len(jobs)
    broken.refresh_from_db()
    assert (broken.state, broken.scene, broken.retryable) == (State.FAILED, None, False)
    assert "bad.png" in broken.reason
    assert Scene.objects.count() == Embedding.objects.count() == 20


def test_rgb_from_band_files(collection, owner, encoder, tmp_path):
    bands = images.deep_ramp()
    files = [
        SourceFile(images.geotiff(tmp_path / f"S2_{name}.tif", bands[n : n + 1]), f"S2_{name}.tif", key)
        for n, (name, key) in enumerate([("B04", "red"), ("B03", "green"), ("B02", "blue"), ("B08", "B08")][:3])
    ]
    job = source_ingest(files=files, collection=collection, user=owner, title="S2")
    ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == State.READY
    data = Asset.objects.filter(scene=job.scene, role="data")
    assert set(data.values_list("key", flat=True)) == {"red", "green", "blue"}
    again = source_ingest(files=list(reversed(files)), collection=collection, user=owner)
    assert again.state == State.DUPLICATE


def test_band_files_of_two_places_are_refused(collection, owner, tmp_path):
    from affine import Affine

    bands = images.deep_ramp()
    files = []
    for n, key in enumerate(("red", "green", "blue")):
        grid = Affine(10, 0, 435730 + (90_000 if n == 2 else 0), 0, -10, 4179460)
        files.append(SourceFile(images.geotiff(tmp_path / f"{key}.tif", bands[n : n + 1], transform=grid), key, key))
    files = [SourceFile(f.path, f.path.name, f.key) for f in files]
    job = source_ingest(files=files, collection=collection, user=owner)
    assert job.state == State.FAILED and "blue.tif" in job.reason and "place" in job.reason


def test_without_an_encoder_jobs_wait_and_say_why(collection, owner, picture):
    job = ingest(picture, collection, owner)
    with pytest.raises(Unavailable):
        ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.QUEUED, 0)
    assert "No encoder is active" in job.reason


def test_a_missing_file_is_missing_and_can_be_retried(collection, owner, encoder, picture):
    from imagery.services.ingest import ingest_job_retry

    job = ingest(picture, collection, owner, copy=False)
    hidden = picture.rename(picture.with_name("away.png"))
    ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.retryable) == (State.FAILED, True)
    assert "missing" in job.reason and "harbour.png" in job.reason
    assert job.scene.status == Scene.Status.FAILED
    with pytest.raises(AssetMissing):
        asset_open(job.scene.assets.get())
    hidden.rename(picture)
    assert ingest_job_retry(job=job, user=owner).state == State.QUEUED
    ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.scene.status) == (State.READY, Scene.Status.READY)


@pytest.mark.parametrize(("language", "said"), [("", "is damaged"), ("zh-hans", "已损坏")])
def test_what_the_worker_finds_is_told_in_the_owners_language(collection, owner, encoder, picture, language, said):
    type(owner).objects.filter(pk=owner.pk).update(language=language)
    job = ingest(picture, collection, owner, copy=False)
    images.cut(picture)  # After it was checked: only the worker can find it.
    ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert picture.name in job.reason and said in job.reason


def test_adding_a_failed_scene_again_tries_again(collection, owner, encoder, picture):
    job = ingest(picture, collection, owner, copy=False)
    hidden = picture.rename(picture.with_name("away.png"))
    ingest_job_run(job_id=job.pk)
    hidden.rename(picture)
    again = ingest(picture, collection, owner, copy=False)
    assert (again.state, again.scene_id) == (State.QUEUED, job.scene_id)
    ingest_job_run(job_id=again.pk)
    assert Scene.objects.get().status == Scene.Status.READY


def test_many_sources_at_once_keep_their_order_and_their_own_fate(collection, owner, encoder, tmp_path):
    paths = [images.draw(tmp_path / f"{n}.png", seed=n % 40) for n in range(45)]  # the last five repeat the first
    images.cut(paths[3])
    ingest(paths[7], collection, owner)
    sources = [Source(files=[SourceFile(path, path.name)]) for path in paths]
    jobs = list(sources_ingest(sources=sources, collection=collection, user=owner))
    assert [job.source_name for job in jobs] == [path.name for path in paths]
    states = [job.state for job in jobs]
    assert (states[3], states[7]) == (State.FAILED, State.DUPLICATE)
    assert states.count(State.QUEUED) == 40 - 1 and states.count(State.DUPLICATE) == 1 + 4
    assert jobs[40].scene == jobs[0].scene and jobs[43].state == State.QUEUED, "the damaged one's whole twin is new"
    ingest_jobs_drain()
    assert Scene.objects.filter(status="ready").count() == Scene.objects.count() == 40


def test_bytes_that_arrive_twice_at_the_same_moment_become_one_scene(collection, owner, picture, monkeypatch):
    """Between the look for known bytes and the insert, another process adds them."""
    from imagery.services import accept

    store = accept._store
    raced: list[bool] = []

    def overtaken(drafts, collection, *, copy):
        if not raced:
            raced.append(True)
            real = Scene.objects.filter

            def nothing_yet(*arguments, **conditions):
                found = real(*arguments, **conditions)
                return found.none() if "content_hash__in" in conditions else found

            with monkeypatch.context() as patch:
                ingest(picture, collection, owner)
                patch.setattr(Scene.objects, "filter", nothing_yet)
                return store(drafts, collection, copy=copy)
        return store(drafts, collection, copy=copy)

    monkeypatch.setattr(accept, "_store", overtaken)
    job = ingest(picture, collection, owner)
    assert (job.state, job.scene) == (State.DUPLICATE, Scene.objects.get())


def test_a_disk_that_cannot_read_costs_nobody_their_scene(collection, owner, encoder, picture):
    job = ingest(picture, collection, owner, copy=False)
    picture.unlink()
    picture.symlink_to("/proc/self/mem")  # A file whose first bytes answer EIO, as a failing disk does.
    ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.retryable) == (State.FAILED, True)
    assert "Input/output error" in job.reason and "harbour.png" in job.reason
    assert job.scene.status == Scene.Status.FAILED


def test_a_full_disk_fails_one_file_with_a_sentence_and_leaves_nothing(collection, owner, tmp_path, media_folder):
    small, large = images.draw(tmp_path / "small.png"), images.draw(tmp_path / "large.png", width=300, height=300)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (small.stat().st_size, hard))
    try:
        sources = [Source(files=[SourceFile(path, path.name)]) for path in (large, small)]
        failed, queued = sources_ingest(sources=sources, collection=collection, user=owner)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (failed.state, failed.scene, queued.state) == (State.FAILED, None, State.QUEUED)
    assert "large.png could not be kept on the server: File too large" in failed.reason
    assert [path.name for path in media_folder.rglob("*") if path.is_file()] == ["data.png"]


@pytest.mark.parametrize("copy", [True, False])
def test_a_moved_archive_is_found_again_by_adding_it_again(collection, owner, encoder, picture, copy, media_folder):
    job = ingest(picture, collection, owner, copy=False)
    ingest_job_run(job_id=job.pk)
    moved = picture.rename(picture.with_name("moved.png"))
    asset = Asset.objects.get(scene=job.scene, key="data")
    with pytest.raises(AssetMissing):
        asset_path(asset)
    again = ingest(moved, collection, owner, copy=copy)
    assert (again.state, again.scene_id) == (State.DUPLICATE, job.scene_id)
    asset.refresh_from_db()
    assert (asset.managed, asset.filename) == (copy, "harbour.png")
    assert asset_path(asset).read_bytes() == moved.read_bytes()
    assert asset_path(asset).is_relative_to(media_folder if copy else moved.parent)
