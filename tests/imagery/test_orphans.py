"""Media folders without a scene."""

import io
import os
import time
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from imagery.services.orphans import orphans_delete, orphans_find
from imagery.storage import file_write, scene_folder, tiles_folder
from rsportal.errors import Conflict
from tests.factories import make_scene

pytestmark = pytest.mark.django_db


def leave(media_folder, *, hours: float, folder=scene_folder):
    """Leave a folder as a process does that was killed after copying a file, so long ago."""
    scene_id = uuid4()
    place = media_folder / folder(scene_id)
    place.mkdir(parents=True)
    (place / "data.png").write_bytes(b"x" * 100)
    age(place, hours)
    return place


def age(place, hours):
    """Set the clocks of a folder back. (The time of its entry cannot be: the test looks at it from the future.)"""
    then = time.time() - hours * 3600
    for path in (*place.rglob("*"), place):
        os.utime(path, (then, then))


@pytest.fixture
def tomorrow(monkeypatch):
    """Let the sweeper live two days later than the files."""
    later = time.time() + 48 * 3600
    monkeypatch.setattr("imagery.services.orphans._now", lambda: later)


def test_only_folders_without_a_scene_go_and_only_when_told(media_folder, tomorrow):
    scene = make_scene()
    kept = media_folder / file_write(b"kept", scene_id=scene.pk, name="thumbnail.webp").path
    orphan = leave(media_folder, hours=0)
    tiles = leave(media_folder, hours=0, folder=tiles_folder)
    (media_folder / "scenes" / "zz").mkdir()
    (media_folder / "scenes" / "zz" / "not-a-scene").mkdir()
    found = orphans_find()
    assert sorted(found.orphans) == sorted(str(p.relative_to(media_folder)) for p in (orphan, tiles))
    assert found.bytes > 200 and found.folders == 3 and orphan.exists()
    out = io.StringIO()
    call_command("sweep_media", stdout=out)
    assert orphan.exists() and "2 of 3" in out.getvalue() and "nothing deleted" in out.getvalue()
    call_command("sweep_media", "--delete", stdout=out)
    assert not orphan.exists() and not tiles.exists() and kept.exists()
    assert (media_folder / "scenes" / "zz" / "not-a-scene").exists()


def test_young_folders_are_left_alone(media_folder):
    orphan = leave(media_folder, hours=0)
    age(orphan, 100)  # A copy may keep the times of its source: when the entry was made counts, too.
    assert orphans_find().young == 1 and orphans_delete().deleted == 0
    with pytest.raises(CommandError, match="hour"):
        call_command("sweep_media", "--older-than", "0")


def test_the_wrong_database_deletes_nothing(media_folder, tomorrow):
    places = [leave(media_folder, hours=0) for _ in range(25)]
    with pytest.raises(Conflict, match="25 of the 25"):
        orphans_delete()
    assert all(place.exists() for place in places)
    assert orphans_delete(force=True).deleted == 25


def test_links_are_not_followed(media_folder, tmp_path, tomorrow):
    outside = tmp_path / "outside" / str(uuid4())
    outside.mkdir(parents=True)
    parent = media_folder / "scenes" / "aa"
    parent.mkdir(parents=True)
    (parent / str(uuid4())).symlink_to(outside)
    assert orphans_delete().deleted == 0 and outside.exists()
