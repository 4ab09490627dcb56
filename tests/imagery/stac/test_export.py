"""``manage.py stac_export``: a static catalogue that others can read."""

import hashlib
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pystac
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError, OutputWrapper

from imagery.management import counter
from imagery.models import Asset, Collection, Scene
from imagery.models.collection import Visibility
from imagery.services.stac_export import ExportOptions, catalog_export
from tests.factories import make_collection, make_encoder, make_scene, make_user, utc
from tests.imagery.stac.validating import check_stac

pytestmark = pytest.mark.django_db


@pytest.fixture
def open_collection(owner) -> Collection:
    make_encoder()
    return make_collection("coast", owner=owner, license="CC-BY-4.0", visibility=Visibility.ALL_USERS)


def export(collection: Collection, out: Path, *args: str, **options: Any) -> str:
    """Run the command and return what it says."""
    said = io.StringIO()
    call_command("stac_export", "--collection", collection.slug, "--out", str(out), *args, stdout=said, **options)
    return said.getvalue()


def scene(collection: Collection, **fields: Any) -> Scene:
    return make_scene(collection, files=True, **{"datetime": utc(2020), "bbox": (9.5, 53.2, 10.25, 53.7), **fields})


def test_pystac_reads_the_catalogue_and_every_document_is_valid(open_collection, tmp_path) -> None:
    made = [scene(open_collection, title=f"Harbour {number}") for number in range(3)]
    made.append(make_scene(open_collection, stac_id="plain.name_1", status=Scene.Status.METADATA))
    make_scene(open_collection, status=Scene.Status.PENDING)
    assert "4 items" in export(open_collection, tmp_path / "out", "--with-files", "thumbnails")
    catalog = pystac.Catalog.from_file(str(tmp_path / "out" / "catalog.json"))
    (child,) = catalog.get_children()
    items = list(child.get_items())
    assert {item.id for item in items} == {str(row.pk) for row in made[:3]} | {"plain.name_1"}
    assert (tmp_path / "out/coast/items/plain.name_1/plain.name_1.json").is_file()
    for item in items:
        root, collection = item.get_root(), item.get_collection()
        assert root is not None
        assert collection is not None
        assert (root.id, collection.id) == ("rsportal", "coast")
    for path in (tmp_path / "out").rglob("*.json"):
        check_stac(json.loads(path.read_text()))


@pytest.mark.parametrize(("files", "keys"), [("thumbnails", {"thumbnail", "overview"}), ("data", None)])
def test_files_lie_beside_their_item(open_collection, tmp_path, files: str, keys: set[str] | None) -> None:
    row = scene(open_collection)
    report = export(open_collection, tmp_path / "out", "--with-files", files)
    folder = tmp_path / "out/coast/items" / str(row.pk)
    assets = json.loads((folder / f"{row.pk}.json").read_text())["assets"]
    assert set(assets) == keys or {"data", "thumbnail", "overview"}
    assert f"{len(assets)} files" in report
    for asset in assets.values():
        content = (folder / asset["href"]).read_bytes()
        assert asset["file:size"] == len(content)
        assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()


def test_without_files_only_the_portal_s_address_is_named(open_collection, tmp_path) -> None:
    row = scene(open_collection)
    export(open_collection, tmp_path / "a")
    export(open_collection, tmp_path / "b", "--portal", "https://portal.example/")
    inside = f"coast/items/{row.pk}/{row.pk}.json"
    assert json.loads((tmp_path / "a" / inside).read_text())["assets"] == {}
    asset = json.loads((tmp_path / "b" / inside).read_text())["assets"]["data"]
    assert asset["href"] == f"https://portal.example/api/v1/scenes/{row.pk}/assets/data/"


def test_originals_stay_where_the_licence_does_not_let_them_go(owner, tmp_path) -> None:
    collection = make_collection("closed", owner=owner, license="", visibility=Visibility.ALL_USERS)
    row = scene(collection)
    viewer = make_user("viewer")
    said = export(collection, tmp_path / "viewer", "--with-files", "data", "--user", viewer.username)
    assert "Original files were left out" in said
    names = {path.name for path in (tmp_path / "viewer/closed/items" / str(row.pk)).iterdir()}
    assert names == {f"{row.pk}.json", "thumbnail.webp", "overview.webp"}
    export(collection, tmp_path / "owner", "--with-files", "data")
    assert (tmp_path / "owner/closed/items" / str(row.pk) / "data.png").is_file()


def test_only_what_the_person_may_see_goes_out(owner, tmp_path) -> None:
    private = make_collection("private", owner=owner)
    scene(private)
    with pytest.raises(CommandError, match="may see"):
        export(private, tmp_path / "out", "--user", make_user("stranger").username)
    assert not (tmp_path / "out").exists()


def test_an_embargo_holds_for_viewers(open_collection, tmp_path) -> None:
    scene(open_collection, embargo_until=utc(2999))
    assert "0 items" in export(open_collection, tmp_path / "viewer", "--user", make_user("viewer").username)
    assert "1 items" in export(open_collection, tmp_path / "owner")


def test_a_file_that_changed_or_went_is_left_out_and_named(open_collection, tmp_path, settings) -> None:
    row = scene(open_collection)
    thumbnail, data = (Asset.objects.get(scene=row, key=key) for key in ("thumbnail", "data"))
    (settings.MEDIA_ROOT / thumbnail.path).write_bytes(b"others")
    (settings.MEDIA_ROOT / data.path).unlink()
    said = export(open_collection, tmp_path / "out", "--with-files", "data")
    assert "2 files were left out" in said
    assert "has changed" in said
    folder = tmp_path / "out/coast/items" / str(row.pk)
    assert {path.name for path in folder.iterdir()} == {f"{row.pk}.json", "overview.webp"}
    assert set(json.loads((folder / f"{row.pk}.json").read_text())["assets"]) == {"overview"}


def test_one_file_of_lines(open_collection, tmp_path) -> None:
    made = {str(scene(open_collection).pk) for _number in range(2)}
    export(open_collection, tmp_path / "out", "--ndjson", "--with-files", "thumbnails")
    items = [json.loads(line) for line in (tmp_path / "out/coast/items.ndjson").read_text().splitlines()]
    assert {item["id"] for item in items} == made
    for item in items:
        check_stac(item)
        assert (tmp_path / "out/coast" / item["assets"]["thumbnail"]["href"]).is_file()
    document = json.loads((tmp_path / "out/coast/collection.json").read_text())
    assert {"rel": "items", "href": "./items.ndjson", "type": "application/x-ndjson"} in document["links"]


def test_names_that_are_no_file_names_and_names_that_clash(open_collection, tmp_path) -> None:
    rows = [make_scene(open_collection, stac_id=name) for name in ("../../etc/passwd", "A", "a/b", ".hidden", "ä")]
    rows.append(make_scene(open_collection, stac_id=str(rows[0].pk)))
    export(open_collection, tmp_path / "out")
    items = list(pystac.Catalog.from_file(str(tmp_path / "out/catalog.json")).get_items(recursive=True))
    assert sorted(item.id for item in items) == sorted(row.stac_id for row in rows)
    outside = {path for path in tmp_path.rglob("*.json") if not path.is_relative_to(tmp_path / "out")}
    assert not outside


def test_a_folder_that_holds_something_is_refused(open_collection, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(CommandError, match="not empty"):
        export(open_collection, tmp_path)


def test_memory_does_not_grow_with_the_collection(open_collection, tmp_path, owner) -> None:
    def peak(name: str, count: int) -> int:
        """Add scenes of 10 kB each, export them all and return the most bytes held at once."""
        facts = {"status": "ready", "properties": {"words": "x" * 10_000}}
        Scene.objects.bulk_create(
            [Scene(collection=open_collection, title=f"{n}", content_hash=f"{name}-{n}", **facts) for n in range(count)]
        )
        options = ExportOptions(ndjson=True)
        tracemalloc.start()
        try:
            catalog_export(user=owner, collections=[open_collection], out=tmp_path / name, options=options)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak("few", 400), peak("many", 1600)
    assert (tmp_path / "many/coast/items.ndjson").stat().st_size > 2000 * 10_000
    assert many < 1.3 * few


@pytest.mark.parametrize(
    ("terminal", "said"), [(False, "1 of 2 items\n2 of 2 items\n"), (True, "\r1 of 2 items\r2 of 2 items\n")]
)
def test_the_counter_writes_lines_or_over_a_line(monkeypatch, terminal: bool, said: str) -> None:
    monkeypatch.setattr(counter, "_LINES_SECONDS", 0.0)
    monkeypatch.setattr(counter, "_TERMINAL_SECONDS", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    out = io.StringIO()
    shown = counter.Counter(OutputWrapper(out), "items")
    shown.show(1, 2)
    shown.show(2, 2)
    assert out.getvalue() == said
