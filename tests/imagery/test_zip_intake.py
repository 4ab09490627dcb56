"""Zip archives: what is taken out of them, what is refused by name, and what is refused as a whole."""

import stat
import zipfile
from uuid import uuid4

import pytest

from imagery.models import IngestJob, Scene
from imagery.services import zip_entries
from imagery.services.upload_files import leftovers_remove, private_folder
from imagery.services.zip_entries import ZipRefused
from imagery.services.zip_intake import zip_ingest, zip_unpacked
from tests.factories import picture
from tests.imagery.zips import add, lying_size, overlapping, raw_name, zip_of

PICTURE = picture(1)
_MIB = 1024 * 1024


def unpack(path):
    """Return (the files that came out with their bytes, the refusals, how many were left out)."""
    with zip_unpacked(path, filename=path.name) as unpacked:
        folder = unpacked.folder
        files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert not folder.exists()
    return files, {refusal.name: refusal.reason for refusal in unpacked.refusals}, unpacked.left_out


def refused(path):
    with pytest.raises(ZipRefused) as error, zip_unpacked(path, filename=path.name):
        pass
    assert path.name in error.value.message
    assert not [p for p in path.parent.glob("media/uploads/*") if p.is_dir()]
    return error.value.message


def test_imagery_and_its_sidecars_come_out_and_the_rest_is_left(tmp_path):
    entries = {
        "trip/a.png": PICTURE, "trip/a.pgw": b"1\n0\n0\n-1\n0\n0\n", "trip/a.prj": b"x", "trip/readme.txt": b"hello",
        "trip/lone.prj": b"x", "__MACOSX/trip/._a.png": b"x", "trip/.hidden/b.png": PICTURE, "城市/江.png": PICTURE,
    }  # fmt: skip
    files, refusals, left_out = unpack(zip_of(tmp_path / "trip.zip", entries))
    assert sorted(files) == ["trip/a.pgw", "trip/a.png", "trip/a.prj", "城市/江.png"]
    assert files["trip/a.png"] == PICTURE
    assert (refusals, left_out) == ({}, 2)


@pytest.mark.parametrize(
    "name",
    ["../out.png", "a/../../out.png", "/etc/out.png", "\\\\host\\out.png", "..\\out.png", "C:\\out.png", "c:out.png",
     "a\nb.png", "\x1b[31m.png", "x" * 300 + ".png", "d/" * 30 + "a.png"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    path = zip_of(tmp_path / "a.zip", {"good.png": PICTURE})
    add(path, name, PICTURE)
    files, refusals, _left = unpack(path)
    assert list(files) == ["good.png"]
    assert len(refusals) == 1
    assert all(shown.isprintable() for shown in refusals)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "media"]


def test_links_devices_encrypted_nested_and_doubled_entries_are_refused_by_name(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"good.png": PICTURE})
    add(path, "link.png", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)
    add(path, "device.png", b"", mode=stat.S_IFCHR | 0o666)
    add(path, "pipe.png", b"", mode=stat.S_IFIFO | 0o666)
    add(path, "secret.png", PICTURE, flags=1)
    add(path, "inner.zip", b"PK")
    add(path, "odd.png", PICTURE, method=zipfile.ZIP_LZMA)
    with pytest.warns(UserWarning, match="Duplicate name"):
        add(path, "good.png", b"another")
    files, refusals, _left = unpack(path)
    assert files == {"good.png": PICTURE}
    words = {
        "link.png": "link", "device.png": "device", "pipe.png": "device", "secret.png": "encrypted",
        "inner.zip": "archive inside", "odd.png": "number 14", "good.png": "another entry",
    }  # fmt: skip
    assert sorted(refusals) == sorted(words)
    for name, word in words.items():
        assert word in refusals[name]


def test_a_folder_with_the_name_of_a_file_harms_nobody(tmp_path):
    files, refusals, _left = unpack(zip_of(tmp_path / "a.zip", {"a.png": PICTURE, "a.png/b.png": PICTURE}))
    assert list(files) == ["a.png"] and list(refusals) == ["a.png/b.png"]


def test_names_in_other_encodings_are_read(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"XXXX.png": PICTURE, "YYYYYY.png": picture(2)})
    raw_name(path, b"XXXX.png", "长江".encode("gb18030") + b".png")
    raw_name(path, b"YYYYYY.png", "黄河".encode() + b".png")
    files, refusals, _left = unpack(path)
    assert (sorted(files), refusals) == (["长江.png", "黄河.png"], {})


def test_a_damaged_entry_is_named_and_the_rest_goes_on(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"bad.png": PICTURE * 3, "good.png": PICTURE}, method=zipfile.ZIP_STORED)
    content = path.read_bytes()
    path.write_bytes(content.replace(PICTURE * 3, PICTURE * 2 + bytes(len(PICTURE))))
    files, refusals, _left = unpack(path)
    assert list(files) == ["good.png"] and "damaged" in refusals["bad.png"]


def test_an_entry_that_hides_its_size_is_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a.tif": bytes(5 * _MIB), "good.png": PICTURE})
    lying_size(path, 5 * _MIB, 1000)
    files, refusals, _left = unpack(path)
    assert list(files) == ["good.png"] and "damaged" in refusals["a.tif"]


def test_an_entry_beyond_the_limit_of_a_file_is_refused(tmp_path, settings):
    settings.UPLOAD_MAX_BYTES = 1000
    files, refusals, _left = unpack(zip_of(tmp_path / "a.zip", {"a.tif": bytes(1001), "good.png": PICTURE}))
    assert list(files) == ["good.png"] and "a.tif" in refusals


def test_bombs_are_refused_as_a_whole(tmp_path, settings, monkeypatch):
    bomb = zip_of(tmp_path / "bomb.zip", {f"{number}.tif": bytes(40 * _MIB) for number in range(3)})
    assert "zip bomb" in refused(bomb)
    assert "share the same bytes" in refused(overlapping(tmp_path / "fifield.zip", 50, bytes(_MIB)))
    settings.UPLOAD_ZIP_MAX_BYTES = 100
    assert "100" in refused(zip_of(tmp_path / "large.zip", {"a.png": PICTURE}))
    monkeypatch.setattr(zip_entries, "MOST_ENTRIES", 3)
    many = zip_of(tmp_path / "many.zip", {f"{number}.png": b"" for number in range(4)})
    assert "4 entries" in refused(many)


def test_what_is_unpacked_is_counted_whatever_the_table_says(tmp_path, monkeypatch):
    """The table is believed for refusing, never for taking."""
    monkeypatch.setattr("imagery.services.zip_intake.totals_check", lambda *_: None)
    bomb = zip_of(tmp_path / "bomb.zip", {f"{number}.tif": bytes(40 * _MIB) for number in range(3)})
    assert "zip bomb" in refused(bomb)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x03\x04" + bytes(100), b"PK\x05\x06" + b"\xff" * 18])
def test_archives_that_are_none_are_refused(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert refused(path)


def test_a_table_of_impossible_length_is_not_read(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a.png": PICTURE})
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    content[end + 12 : end + 16] = (0x7FFFFFFF).to_bytes(4, "little")
    path.write_bytes(content)
    assert "table of contents" in refused(path)


def test_private_folders_of_dead_processes_are_swept(media_folder, monkeypatch):
    monkeypatch.setattr("imagery.services.upload_files._YOUNG_SECONDS", -1.0)
    dead = media_folder / "uploads" / "work-dead"
    dead.mkdir(parents=True)
    (dead / "half.tif").write_bytes(b"x")
    with private_folder() as alive:
        assert leftovers_remove(lambda ids: ids) == 1
        assert alive.exists() and not dead.exists()


@pytest.mark.django_db
def test_the_scenes_of_an_archive_are_taken_in_and_the_refused_have_jobs(tmp_path, collection, owner):
    path = zip_of(
        tmp_path / "trip.zip",
        {"a.png": picture(1), "b/again.png": picture(1), "b/c.png": picture(2), "broken.png": b"no", "x.txt": b"x"},
    )
    add(path, "../out.png", PICTURE)
    batch, seen = uuid4(), []
    outcome = zip_ingest(
        path, filename="trip.zip", collection=collection, user=owner, batch=batch,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert (outcome.queued, outcome.duplicate, outcome.left_out, len(outcome.refused)) == (2, 1, 1, 2)
    jobs = dict(IngestJob.objects.filter(batch=batch).values_list("source_name", "state"))
    assert jobs == {
        "a.png": "queued", "again.png": "duplicate", "c.png": "queued", "broken.png": "failed",
        "trip.zip: ../out.png": "failed",
    }  # fmt: skip
    assert Scene.objects.count() == 2
    assert seen[0][0] == 0 and seen[-1][0] == seen[-1][1]
