"""Registering archive folders, the command, and which scans are due."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule

from imagery import tasks_archive
from imagery.models import ArchiveFolder
from imagery.schedules import schedules_ensure
from imagery.services.archive_folders import archive_folder_register, archive_scans_due
from imagery.services.archive_scan import archive_folder_scan
from rsportal.errors import InvalidInput
from tests import images

pytestmark = pytest.mark.django_db


def test_the_command_registers_scans_and_reports(place, collection, capsys):
    images.draw(place / "a.png", seed=1)
    (place / "broken.tif").write_text("no picture")
    call_command("archive", "add", str(place), "--collection", collection.slug, "--every-hours", "0")
    call_command("archive", "scan", "--json")
    told = capsys.readouterr().out.splitlines()
    assert json.loads(told[-1])["counts"]["new"] == 1
    call_command("archive", "report", str(place))
    assert "refused" in (said := capsys.readouterr().out) and str(place / "broken.tif") in said
    call_command("archive", "list")
    assert f"{place}  {collection.slug}" in capsys.readouterr().out
    with pytest.raises(CommandError, match="registered with this collection already"):
        call_command("archive", "add", str(place / ".." / "archive"), "--collection", collection.slug)
    with pytest.raises(CommandError, match="outside"):
        call_command("archive", "add", "/etc", "--collection", collection.slug)
    place.rename(place.with_name("gone"))
    with pytest.raises(CommandError, match="1 of 1 folders"):
        call_command("archive", "scan")
    assert "mounted" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["relative", "", "/nowhere\x00", "/proc/self", "{tmp}/var/media", "{tmp}/nothing"])
def test_what_is_no_archive_folder_is_refused(place, collection, tmp_path, path):
    with pytest.raises(InvalidInput) as refusal:
        archive_folder_register(path=path.format(tmp=tmp_path), collection=collection, user=None)
    assert refusal.value.field == "path" and not ArchiveFolder.objects.exists()


def test_a_link_that_leads_out_of_the_roots_is_refused(place, collection, tmp_path):
    (tmp_path / "way-out").symlink_to("/usr")
    with pytest.raises(InvalidInput, match="outside"):
        archive_folder_register(path=str(tmp_path / "way-out"), collection=collection, user=None)


def test_scans_that_are_due_are_queued(folder, place):
    assert archive_scans_due() == [folder.pk]
    archive_folder_scan(folder_id=folder.pk)
    assert archive_scans_due() == []
    ArchiveFolder.objects.update(scanned_at=timezone.now() - timedelta(hours=25))
    assert archive_scans_due() == [folder.pk]
    ArchiveFolder.objects.update(every_hours=0)
    assert archive_scans_due() == []
    ArchiveFolder.objects.update(scanning_since=timezone.now(), heartbeat_at=timezone.now() - timedelta(hours=1))
    assert archive_scans_due() == [folder.pk], "a scan whose process died"
    ArchiveFolder.objects.update(active=False)
    assert archive_scans_due() == []


def test_the_worker_s_task_goes_on_until_it_is_done(folder, place, monkeypatch):
    images.draw(place / "a.png", seed=1)
    monkeypatch.setattr("imagery.services.archive_scan.SLICE_SECONDS", -1.0)
    assert tasks_archive.scan(folder.pk) == "continued"
    (queued,) = OrmQ.objects.all()
    assert (queued.func(), queued.task["args"]) == ("imagery.tasks_archive.scan", (folder.pk, False))
    monkeypatch.setattr("imagery.services.archive_scan.SLICE_SECONDS", 60.0)
    assert tasks_archive.scan(*queued.task["args"]) == "finished" and folder.files.count() == 1
    ArchiveFolder.objects.update(scanning_since=timezone.now(), heartbeat_at=timezone.now())
    assert tasks_archive.scan(folder.pk) == "busy"


def test_the_schedule_names_tasks_that_exist(db):
    schedules_ensure()
    names = set(Schedule.objects.filter(func__startswith="imagery.tasks_archive.").values_list("func", flat=True))
    assert names == {
        f"imagery.tasks_archive.{name}" for name in ("scans_due", "verify_nightly", "scene_hashes_missing")
    }
    assert all(callable(import_string(name)) for name in names)
