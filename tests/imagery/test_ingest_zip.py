"""``manage.py ingest`` of zip archives."""

import json

import pytest

from imagery.models import Asset, Scene
from tests.factories import picture
from tests.imagery.test_ingest_command import run
from tests.imagery.zips import add, zip_of


@pytest.fixture
def archive(tmp_path):
    path = zip_of(tmp_path / "trip.zip", {"a.png": picture(1), "below/b.png": picture(2), "notes.txt": b"x"})
    add(path, "../c.png", picture(3))
    return path


@pytest.mark.django_db
def test_an_archive_is_unpacked_and_what_it_holds_is_kept(archive, tmp_path, collection, media_folder):
    alone = tmp_path / "alone.png"
    alone.write_bytes(picture(4))
    bomb = zip_of(tmp_path / "bomb.zip", {f"{number}.tif": bytes(40 * 1024 * 1024) for number in range(2)})
    out, _error = run(archive, alone, bomb, "--collection", "archive", "--no-wait", "--json", fails=True)
    jobs = {job["source"]: job for job in json.loads(out)["jobs"]}
    assert {name: job["state"] for name, job in jobs.items()} == {
        str(alone): "queued", "a.png": "queued", "b.png": "queued", "trip.zip: ../c.png": "failed", str(bomb): "failed"
    }  # fmt: skip
    assert "leads out of the archive" in jobs["trip.zip: ../c.png"]["reason"]
    assert "zip bomb" in jobs[str(bomb)]["reason"]
    managed = dict(Asset.objects.filter(role=Asset.Role.DATA).values_list("filename", "managed"))
    assert managed == {"a.png": True, "b.png": True, "alone.png": False}
    assert not list((media_folder / "uploads").iterdir())


@pytest.mark.django_db
def test_a_dry_run_tells_what_an_archive_holds_and_leaves_nothing(archive, collection, media_folder):
    out, _error = run(archive, "--collection", "archive", "--dry-run", "--json")
    report = json.loads(out)
    assert (report["scenes"], report["refused"]) == (2, 1)
    assert Scene.objects.count() == 0
    assert not list((media_folder / "uploads").iterdir())
