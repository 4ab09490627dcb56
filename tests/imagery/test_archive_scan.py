"""Scans of archive folders: what is new, changed, moved, missing, refused; and that nothing is lost or done twice."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from imagery.models import ArchiveFile, ArchiveFolder, Asset, IngestJob, Scene
from imagery.services.archive_folders import archive_files_take_again, archive_folder_register
from imagery.services.archive_scan import archive_folder_scan
from imagery.storage import AssetChanged, asset_path
from rsportal.errors import Conflict
from tests import images
from tests.processes import PROJECT, child_environment, wait_for

pytestmark = pytest.mark.django_db
State = ArchiveFile.State


def scan(folder, **more):
    """Scan and return the counts that are not 0, and the report."""
    report = archive_folder_scan(folder_id=folder.pk, **more)
    return {kind: count for kind, count in report.counts.items() if count}, report


def states(folder):
    return dict(ArchiveFile.objects.filter(folder=folder).values_list("path", "state"))


def rewrite(path: Path, seed: int) -> None:
    """Put another picture into the file."""
    images.draw(path, seed=seed)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))


def test_new_files_are_taken_in_once_and_read_in_place(folder, place, collection):
    images.draw(place / "a.png", seed=1)
    images.draw(place / "deep" / "er" / "b.png", seed=2)
    images.draw(place / ".hidden" / "c.png", seed=3)
    (place / "notes.txt").write_text("no image")
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    counts, report = scan(folder)
    assert (counts, report.state, report.files) == ({"new": 2}, "finished", 2)
    assert set(Scene.objects.filter(collection=collection).values_list("title", flat=True)) == {"a", "b"}
    paths = set(Asset.objects.filter(managed=False).values_list("path", flat=True))
    assert paths == {str(place / "a.png"), str(place / "deep/er/b.png")}
    assert scan(folder)[0] == {}
    assert IngestJob.objects.count() == Scene.objects.count() == 2
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_bands_that_lie_side_by_side_are_one_scene(folder, place):
    for band in ("B02", "B03", "B04", "B08"):
        images.geotiff(place / f"S2_{band}.tif", images.deep_ramp(bands=1, top=2000 + int(band[1:])))
    counts, _ = scan(folder)
    assert counts == {"new": 1}
    (scene,) = Scene.objects.all()
    assert ArchiveFile.objects.filter(scene=scene).exclude(sha256="").count() == 4
    images.geotiff(place / "S2_B11.tif", images.deep_ramp(bands=1, top=900))
    assert scan(folder)[0] == {"refused": 1}
    late = ArchiveFile.objects.get(path="S2_B11.tif")
    assert late.state == State.REFUSED and "S2_B" in late.reason
    scene.delete()
    assert archive_files_take_again(files=[late], user=folder.collection.owner) == 5
    assert scan(folder)[0] == {"new": 1}
    assert Scene.objects.get().assets.filter(role="data").count() == 5


def test_a_changed_file_is_reported_and_never_replaces_anything(folder, place, collection):
    path = images.draw(place / "a.png", seed=1)
    scan(folder)
    scene, good = Scene.objects.get(), path.read_bytes()
    rewrite(path, 2)
    assert scan(folder)[0] == {"changed": 1}
    assert scan(folder)[0] == {}, "it is said once; the state stays"
    assert states(folder) == {"a.png": State.CHANGED}
    asset = Asset.objects.get(scene=scene, key="data")
    assert asset.fixity == Asset.Fixity.CHANGED and Scene.objects.count() == 1
    with pytest.raises(AssetChanged):
        asset_path(asset)
    path.write_bytes(good)
    assert scan(folder)[0] == {"restored": 1}
    asset.refresh_from_db()
    assert asset_path(asset) == path and asset.fixity == Asset.Fixity.GOOD
    rewrite(path, 3)
    scan(folder)
    archive_files_take_again(files=ArchiveFile.objects.all(), user=collection.owner)
    assert scan(folder)[0] == {"new": 1}
    assert Scene.objects.count() == 2 and Asset.objects.get(scene=scene, key="data").fixity == Asset.Fixity.CHANGED


def test_a_touched_file_is_only_compared(folder, place):
    path = images.draw(place / "a.png", seed=1)
    scan(folder)
    os.utime(path, ns=(1, 2))
    assert scan(folder)[0] == {"touched": 1}
    assert Asset.objects.get(key="data").fixity == Asset.Fixity.GOOD
    assert scan(folder)[0] == {}


@pytest.mark.parametrize("target", ["b.png", "elsewhere/a.png", "z/y/x.png", "0/a.png"])
def test_a_moved_file_keeps_its_scene(folder, place, target):
    images.draw(place / "a.png", seed=1)
    images.draw(place / "other.png", seed=2)
    scan(folder)
    (place / target).parent.mkdir(parents=True, exist_ok=True)
    (place / "a.png").rename(place / target)
    assert scan(folder)[0] == {"moved": 1}
    asset = Asset.objects.get(scene__title="a", key="data")
    assert asset_path(asset) == place / target
    assert states(folder) == {target: State.PRESENT, "other.png": State.PRESENT}
    assert Scene.objects.count() == IngestJob.objects.count() == 2


def test_a_file_moved_between_folders_of_a_collection_keeps_its_scene(folder, place, collection, tmp_path):
    second = tmp_path / "second"
    second.mkdir()
    other = archive_folder_register(path=str(second), collection=collection, user=None)
    images.draw(place / "a.png", seed=1)
    images.draw(place / "b.png", seed=2)
    scan(folder)
    (place / "a.png").rename(second / "a.png")
    scan(other)
    scan(folder)
    assert asset_path(Asset.objects.get(scene__title="a", key="data")) == second / "a.png"
    assert states(folder) == {"b.png": State.PRESENT} and states(other) == {"a.png": State.PRESENT}


def test_a_copy_is_no_move_and_stands_in_when_the_first_goes(folder, place):
    content = images.draw(place / "a.png", seed=1).read_bytes()
    scan(folder)
    (place / "b.png").write_bytes(content)
    assert scan(folder)[0] == {"duplicate": 1}
    assert Scene.objects.count() == 1
    (place / "a.png").unlink()
    assert scan(folder)[0] == {"moved": 1}
    assert asset_path(Asset.objects.get(key="data")) == place / "b.png"


def test_missing_is_said_and_deletes_nothing(folder, place):
    for number in range(3):
        images.draw(place / f"{number}.png", seed=number)
    scan(folder)
    kept = (place / "1.png").read_bytes()
    (place / "1.png").unlink()
    counts, report = scan(folder)
    assert counts == {"missing": 1} and report.names["missing"] == ["1.png"]
    assert Scene.objects.count() == 3
    assert Asset.objects.get(scene__title="1", key="data").fixity == Asset.Fixity.MISSING
    assert scan(folder)[0] == {}
    (place / "1.png").write_bytes(kept)
    assert scan(folder)[0] == {"back": 1}
    assert Asset.objects.get(scene__title="1", key="data").fixity == Asset.Fixity.GOOD


def test_an_unmounted_disk_marks_nothing_missing(folder, place, tmp_path):
    for number in range(3):
        images.draw(place / f"{number}.png", seed=number)
    scan(folder)
    place.rename(tmp_path / "disk")
    counts, report = scan(folder)
    assert report.state == "unreachable" and "mounted" in report.problem
    place.mkdir()  # The empty folder a disk is mounted at.
    counts, report = scan(folder)
    assert report.state == "held" and "3 of the 3" in report.problem and counts == {}
    assert set(states(folder).values()) == {State.PRESENT}
    folder.refresh_from_db()
    assert folder.report["problem"] == report.problem and folder.scanning_since is None
    place.rmdir()
    (tmp_path / "disk").rename(place)
    assert scan(folder)[0] == {}
    for path in place.glob("*.png"):
        path.unlink()
    assert scan(folder, accept_missing=True)[0] == {"missing": 3}
    assert set(states(folder).values()) == {State.MISSING} and Scene.objects.count() == 3


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists(), reason="root reads everything")
def test_a_directory_that_cannot_be_read_marks_nothing_below_it_missing(folder, place, monkeypatch):
    images.draw(place / "closed" / "a.png", seed=1)
    images.draw(place / "b.png", seed=2)
    scan(folder)
    real = os.scandir

    def refuse(path):
        """Stand in for a directory's permissions, which the tests' user (root) does not feel."""
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("imagery.archive_walk.os.scandir", refuse)
    counts, report = scan(folder)
    assert counts == {"unreadable": 1} and "closed" in report.names["unreadable"][0]
    assert set(states(folder).values()) == {State.PRESENT}


def test_a_refused_file_is_tried_again_only_when_it_changes(folder, place):
    path = place / "broken.png"
    path.write_text("no picture")
    counts, _ = scan(folder)
    row = ArchiveFile.objects.get()
    assert counts == {"refused": 1} and row.state == State.REFUSED and "broken.png" in row.reason
    assert scan(folder)[0] == {} and IngestJob.objects.count() == 1
    rewrite(path, 1)
    assert scan(folder)[0] == {"new": 1}
    assert ArchiveFile.objects.get().state == State.PRESENT


def test_the_worker_s_refusal_and_a_deleted_scene_are_remembered(folder, place):
    images.draw(place / "a.png", seed=1)
    images.draw(place / "b.png", seed=2)
    scan(folder)
    job = IngestJob.objects.get(source_name="a.png")
    IngestJob.objects.filter(pk=job.pk).update(state="failed", reason="a.png is broken in the middle.")
    Scene.objects.all().delete()
    assert scan(folder)[0] == {}
    reasons = dict(ArchiveFile.objects.values_list("path", "reason"))
    assert reasons["a.png"] == "a.png is broken in the middle." and "deleted" in reasons["b.png"]
    assert Scene.objects.count() == 0, "what somebody deleted does not come back by itself"


def test_links_are_not_followed(folder, place, tmp_path):
    images.draw(tmp_path / "secret" / "s.png", seed=9)
    images.draw(place / "a.png", seed=1)
    (place / "out").symlink_to(tmp_path / "secret")
    (place / "out.png").symlink_to(tmp_path / "secret" / "s.png")
    (place / "in.png").symlink_to(place / "a.png")
    (place / "loop").symlink_to(place)
    (place / "self.png").symlink_to("self.png")
    counts, report = scan(folder)
    assert counts["new"] == 1 and counts["links"] == 2 and set(report.names["links"]) == {"out", "out.png"}
    assert Scene.objects.get().title == "a"


def test_files_that_are_still_being_copied_wait(folder, place, settings):
    images.draw(place / "a.png", seed=1)
    counts, _ = scan(folder, settle_seconds=3600)
    assert counts == {"waiting": 1} and not Scene.objects.exists() and not ArchiveFile.objects.exists()
    assert scan(folder)[0] == {"new": 1}


def test_names_that_the_catalogue_cannot_hold_are_reported(folder, place):
    with open(os.fsencode(place) + b"/\xff.png", "wb") as file:
        file.write(images.content())
    counts, report = scan(folder)
    assert counts == {"unreadable": 1} and "UTF-8" in report.names["unreadable"][0]


def test_two_scans_of_one_folder_never_work_at_once(folder, place):
    images.draw(place / "a.png", seed=1)
    ArchiveFolder.objects.update(scanning_since=timezone.now(), heartbeat_at=timezone.now())
    with pytest.raises(Conflict, match="already"):
        scan(folder)
    assert not Scene.objects.exists()
    ArchiveFolder.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))  # Its process died.
    assert scan(folder)[0] == {"new": 1}


def test_a_scan_that_was_taken_over_stops(folder, place, monkeypatch):
    images.draw(place / "a.png", seed=1)
    monkeypatch.setattr("imagery.services.archive_scan._REPORT_SECONDS", 0.0)
    taken = timezone.now() + timedelta(seconds=5)

    def take_over(report):
        ArchiveFolder.objects.update(scanning_since=taken)

    report = archive_folder_scan(folder_id=folder.pk, progress=take_over)
    folder.refresh_from_db()
    assert report.state == "running" and folder.scanning_since == taken and not ArchiveFile.objects.exists()


def test_a_scan_whose_time_is_over_goes_on(folder, place):
    for number in range(3):
        images.draw(place / str(number) / "x.png", seed=number)
    _, report = scan(folder, seconds=0)
    assert report.state == "continued"
    folder.refresh_from_db()
    assert folder.scanned_at is None and folder.scanning_since is None
    _, report = scan(folder, seconds=60)
    assert report.state == "finished" and Scene.objects.count() == 3


def test_a_world_file_comes_along(folder, place):
    images.draw(place / "a.png", seed=1)
    (place / "a.pgw").write_text("10\n0\n0\n-10\n435735\n4179455\n")
    assert scan(folder)[0] == {"new": 1}
    assert set(Asset.objects.values_list("key", flat=True)) >= {"data", "worldfile"}
    assert scan(folder)[0] == {}


def test_resolutions_of_a_product_are_one_scene(folder, place):
    for metres, bands in (("10", ("B02", "B03", "B04")), ("20", ("B05", "B04"))):
        for band in bands:
            path = place / "S2A.SAFE" / f"R{metres}m" / f"T32_{band}_{metres}m.tif"
            images.geotiff(path, images.deep_ramp(bands=1, top=2000 + int(band[1:]) + int(metres)))
    assert scan(folder)[0] == {"new": 1}
    assert Scene.objects.get().assets.filter(role="data").count() == ArchiveFile.objects.count() == 5
    file = ArchiveFile.objects.get(path="S2A.SAFE/R20m/T32_B05_20m.tif")
    assert archive_files_take_again(files=[file], user=folder.collection.owner) == 5


@pytest.mark.django_db(transaction=True)
def test_a_scan_killed_in_the_middle_goes_on(folder, place, tmp_path):
    """A real process is killed with SIGKILL while it takes files in; another scan finishes, everything once."""
    for number in range(36):
        images.draw(place / f"{number}.png", seed=number)
    late = {"folder": folder, "size": 1, "modified_ns": 1, "seen_at": timezone.now()}
    with transaction.atomic():
        ArchiveFile.objects.create(path="9.png", **late)  # Not visible to the process, which will wait for this row.
        process = subprocess.Popen(
            [sys.executable, "manage.py", "archive", "scan"],
            cwd=PROJECT,
            env=child_environment(
                tmp_path / "child",
                {"RSPORTAL_ARCHIVE_ROOTS": str(tmp_path), "RSPORTAL_ARCHIVE_SETTLE_SECONDS": "0"},
            ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            taken = ArchiveFile.objects.exclude(path="9.png")
            wait_for(lambda: taken.exists() or process.poll() is not None, seconds=60, what="the first files")
        finally:
            process.kill()
            process.wait()
        transaction.set_rollback(True)
    assert ArchiveFile.objects.count() == 32 and ArchiveFolder.objects.get().scanning_since is not None
    with pytest.raises(Conflict):
        scan(folder)
    ArchiveFolder.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))  # It has been silent for long.
    _, report = scan(folder)
    assert report.state == "finished"
    assert Scene.objects.count() == 36 == ArchiveFile.objects.filter(state=State.PRESENT).count()
    assert Asset.objects.filter(role="data").count() == 36 and not ArchiveFile.objects.filter(scene=None).exists()
