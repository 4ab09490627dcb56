"""What becomes of complete uploads: scenes of several files, archives, interruptions, expiry."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone
from django_q.models import OrmQ

from imagery.models import Asset, IngestJob, Scene, Upload
from imagery.services import upload_intake
from imagery.services.upload_files import upload_locked, upload_path
from imagery.services.upload_intake import upload_arrived, upload_take_in
from imagery.services.uploads import MOST_IN_GROUP, upload_append, upload_create, upload_fresh, uploads_sweep
from imagery.tasks import take_in_uploads
from rsportal.errors import InvalidInput
from tests.factories import picture
from tests.imagery.zips import add, zip_of
from tests.images import geotiff, gradient

pytestmark = pytest.mark.django_db


@pytest.fixture
def send(owner, collection):
    """Upload a file in one go and return its row."""

    def run(name: str, content: bytes, *, arrive: bool = True, keep_back: int = 0, **fields: Any) -> Upload:
        upload = upload_create(user=owner, collection=collection, length=len(content), filename=name, **fields)
        sent = content[: len(content) - keep_back]
        upload = upload_append(upload=upload, stream=io.BytesIO(sent), offset=0, most=len(sent))
        return upload_arrived(upload=upload) if arrive else upload

    return run


def band(tmp_path: Path, name: str) -> bytes:
    return geotiff(tmp_path / name, np.moveaxis(gradient(), -1, 0)[:1]).read_bytes()


def refresh(upload: Upload) -> Upload:
    return Upload.objects.select_related("job").get(pk=upload.pk)


def age(upload: Upload, **fields: timedelta) -> None:
    Upload.objects.filter(pk=upload.pk).update(**{name: timezone.now() - ago for name, ago in fields.items()})


def test_the_files_of_a_group_become_one_scene_with_the_last(send, tmp_path):
    names = [f"S2_B0{number}.tif" for number in (4, 3, 2)]
    group = {"batch": uuid4(), "group": "S2", "group_size": 3}
    first, second = (send(name, band(tmp_path, name), **group) for name in names[:2])
    assert {refresh(first).state, refresh(second).state} == {Upload.State.WAITING}
    assert not IngestJob.objects.exists()
    last = send(names[2], band(tmp_path, names[2]), **group)
    assert {refresh(row).state for row in (first, second, last)} == {Upload.State.DONE}
    job = IngestJob.objects.get()
    assert {refresh(row).job for row in (first, second, last)} == {job}
    assert Asset.objects.filter(scene=job.scene, role=Asset.Role.DATA).count() == 3


def test_a_picture_and_its_world_file_become_one_scene(send):
    group = {"batch": uuid4(), "group": "city", "group_size": 2}
    send("city.pgw", b"10\n0\n0\n-10\n500000\n4000000\n", **group)
    send("city.png", picture(1), **group)
    assert IngestJob.objects.get().state == IngestJob.State.QUEUED
    assert set(Asset.objects.values_list("key", flat=True)) == {"data", "worldfile"}
    lone = send("lone.pgw", b"10\n0\n0\n-10\n500000\n4000000\n")
    assert "not an image" in refresh(lone).reason


def test_groups_of_other_batches_and_people_do_not_mix(send, tmp_path):
    send("S2_B04.tif", band(tmp_path, "S2_B04.tif"), batch=uuid4(), group="S2", group_size=2)
    other = send("S2_B03.tif", band(tmp_path, "S2_B03.tif"), batch=uuid4(), group="S2", group_size=2)
    assert refresh(other).state == Upload.State.WAITING
    with pytest.raises(InvalidInput):
        send("a.tif", b"x", batch=uuid4(), group="S2", group_size=MOST_IN_GROUP + 1)


def test_an_archive_is_taken_in_and_its_outcome_is_kept(send, tmp_path):
    path = zip_of(tmp_path / "trip.zip", {"a.png": picture(1), "b.png": b"broken", "readme.txt": b"x"})
    add(path, "../c.png", picture(3))
    upload = refresh(send("trip.zip", path.read_bytes()))
    assert (upload.state, upload.reason) == (Upload.State.DONE, "")
    told = upload.outcome
    assert (told["queued"], told["duplicate"], told["refused"], told["left_out"]) == (1, 0, 2, 1)
    assert {each["name"] for each in told["refusals"]} == {"../c.png", "b.png"}
    assert not upload_path(upload.pk).exists()


def test_a_bomb_fails_the_upload_with_a_sentence(send, tmp_path):
    path = zip_of(tmp_path / "bomb.zip", {f"{number}.tif": bytes(40 * 1024 * 1024) for number in range(2)})
    upload = refresh(send("bomb.zip", path.read_bytes()))
    assert upload.state == Upload.State.FAILED and "zip bomb" in upload.reason
    assert upload.job is not None and upload.job.reason == upload.reason
    assert not Scene.objects.exists()
    empty = refresh(send("empty.zip", zip_of(tmp_path / "empty.zip", {"x.txt": b"x"}).read_bytes()))
    assert "no imagery" in empty.reason


def test_a_large_archive_is_left_to_a_worker(send, tmp_path, monkeypatch):
    monkeypatch.setattr(upload_intake, "ZIP_AT_ONCE_BYTES", 10)
    content = zip_of(tmp_path / "trip.zip", {"a.png": picture(1)}).read_bytes()
    first, second = send("one.zip", content), send("two.zip", content)
    assert {first.state, second.state} == {Upload.State.WORKING}
    assert [row.func() for row in OrmQ.objects.all()] == ["imagery.tasks.take_in_uploads"]
    assert take_in_uploads() == 2
    assert [refresh(row).state for row in (first, second)] == [Upload.State.DONE] * 2
    assert refresh(first).done == refresh(first).total == 1
    assert take_in_uploads() == 0


def test_what_a_dead_process_left_is_taken_up_until_it_has_died_too_often(send):
    upload = send("a.png", picture(1), arrive=False)
    age(upload, heartbeat_at=timedelta(seconds=5))
    assert take_in_uploads() == 0, "its process lives"
    age(upload, heartbeat_at=timedelta(hours=1))
    assert take_in_uploads() == 1
    assert refresh(upload).state == Upload.State.DONE
    deadly = send("b.png", picture(2), arrive=False)
    Upload.objects.filter(pk=deadly.pk).update(attempts=3, heartbeat_at=timezone.now() - timedelta(hours=1))
    take_in_uploads()
    assert "stopped 3 times" in refresh(deadly).reason
    assert not upload_path(deadly.pk).exists()


def test_trouble_of_the_server_is_tried_again_and_then_told(send, monkeypatch):
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(upload_intake, "sources_ingest", full)
    upload = send("a.png", picture(1))
    assert (upload.state, upload.attempts) == (Upload.State.WORKING, 1)
    for _ in range(2):
        age(upload, heartbeat_at=timedelta(hours=1))
        upload_take_in(upload_id=upload.pk)
    assert "No space left" in refresh(upload).reason


def test_expired_uploads_go_and_others_stay(send, media_folder):
    half, fresh = send("half.png", picture(1), keep_back=5), send("fresh.png", picture(2), keep_back=5)
    busy = send("busy.png", picture(3), keep_back=5)
    lonely = send("S2_B04.tif", b"x" * 10, batch=uuid4(), group="S2", group_size=3)
    waiting = send("whole.png", picture(4), arrive=False)
    for upload in (half, busy, lonely, waiting):
        age(upload, expires_at=timedelta(seconds=1))
    (media_folder / "uploads" / f"{uuid4()}.bin").write_bytes(b"of nobody")
    with upload_locked(busy.pk):
        assert uploads_sweep() == 2
    assert set(Upload.objects.all()) == {fresh, busy, waiting}
    names = {path.stem for path in (media_folder / "uploads").iterdir()}
    assert names == {str(upload.pk) for upload in (fresh, busy, waiting)}


def test_rows_of_long_ago_go_and_their_jobs_stay(send):
    upload = send("a.png", picture(1))
    age(upload, finished_at=timedelta(days=31))
    take_in_uploads()
    assert not Upload.objects.exists() and IngestJob.objects.count() == 1


def test_bytes_that_the_disk_lost_are_asked_for_again(send):
    upload = send("a.png", picture(1), keep_back=5)
    with upload_path(upload.pk).open("r+b") as file:
        file.truncate(50)
    assert upload_fresh(upload).offset == 50
    assert refresh(upload).offset == 50
