"""Importing from files and static catalogues: item by item, from where it stopped, the broken ones named."""

import io
import json
from typing import Any, BinaryIO, cast

import pytest
from django.core.management import CommandError, call_command

from imagery.models import Scene, StacImport
from imagery.services.stac_items import stac_items_store
from imagery.stac.filters_in import Wanted, wanted_parse
from imagery.stac.json_stream import NotJson, members
from imagery.stac.source import items_of
from rsportal.errors import InvalidInput
from tests.imagery.stac.conftest import counts
from tests.stac_server import item


def lines_of(path, items):
    path.write_text("".join(f"{json.dumps(each)}\n" for each in items))
    return path


class Slowly(io.BytesIO):
    """Gives few bytes at a time, and counts how far it was read."""

    def read(self, size=-1):
        return super().read(7 if size else size)


def test_members_of_an_object_one_by_one():
    text = '\ufeff { "type" : "Feat", "n": 12, "features": [ {"a": [1, "]"]} , {"b": "é\\"}"} ], "z": null }'
    listed = [("features", {"a": [1, "]"]}), ("features", {"b": 'é"}'})]
    expected = [("type", "Feat"), ("n", 12), *listed, ("z", None)]
    for file in (io.BytesIO(text.encode()), Slowly(text.encode())):
        assert list(members(file, name="x")) == expected
    assert list(members(io.BytesIO(b"{}"), name="x")) == []
    assert list(members(io.BytesIO(b'{"features":[]}'), name="x")) == []


@pytest.mark.parametrize(
    "text",
    [
        "", "[1]", "{", '{"a"', '{"a":}', '{"a":1', '{"features":[1,', '{"features":[1 2]}', '{"a":1 "b":2}', "{1:2}",
        b'{"a":"\xff"}', '{"a":' + "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_object_is_refused_where_it_breaks(text):
    with pytest.raises(NotJson, match=r"^x\.json is not JSON: .* \(character \d+\)\.$"):
        list(members(io.BytesIO(text if isinstance(text, bytes) else text.encode()), name="x.json"))


def test_a_large_collection_is_not_held_in_memory():
    class Endless(io.RawIOBase):
        """A collection that never ends, with the longest wait for its next byte."""

        def __init__(self):
            self.start = b'{"features": ['

        def read(self, size=-1):
            out, self.start = self.start, json.dumps(item(1)).encode() + b","
            return out

    found = members(cast(BinaryIO, Endless()), name="x")
    assert [next(found)[1]["id"] for _ in range(1000)] == ["item-0001"] * 1000


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["items.ndjson", "items.json"])
def test_lines_and_collections_come_in_with_what_is_broken_named(bring_in, tmp_path, name):
    items: list[Any] = [item(n) for n in range(230)]
    items[7] = {**items[7], "geometry": {"type": "Point", "coordinates": [1, 2]}}
    items[9] = "text"
    if name == "items.ndjson":
        path = lines_of(tmp_path / name, items)
        with path.open("a") as file:
            file.write("\n{broken\n" + json.dumps(item(300)))
        refused, added = 3, 229
    else:
        path = tmp_path / name
        path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
        refused, added = 2, 228
    report = bring_in(path, fails=f"{refused} items were refused")
    assert counts(report) == (added, 0, 0, refused, 0)
    reasons = {each["item"]: each["reason"] for each in report["refusals"]}
    (point,) = [where for where in reasons if where.startswith("item-0007")]
    assert "8" in point and "a Polygon or MultiPolygon is needed" in reasons[point]
    assert any("10" in where and "no STAC item" in reason for where, reason in reasons.items())
    report = bring_in(path, fails="were refused")
    assert counts(report) == (0, 0, added, refused, 0)


@pytest.mark.django_db
def test_an_import_of_lines_goes_on_after_the_line_it_reached(bring_in, tmp_path, monkeypatch):
    path = lines_of(tmp_path / "items.ndjson", [item(n) for n in range(250)])
    calls: list[int] = []

    def dies_at_the_third(**more):
        calls.append(len(more["found"]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return stac_items_store(**more)

    monkeypatch.setattr("imagery.services.stac_import.stac_items_store", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        bring_in(path)
    run = StacImport.objects.get()
    assert (run.state, run.done, run.cursor["line"]) == (StacImport.State.RUNNING, 200, 200)
    assert counts(bring_in(path)) == (250, 0, 0, 0, 0)
    assert calls == [100, 100, 50, 50]
    run.refresh_from_db()
    assert (run.state, run.added) == (StacImport.State.DONE, 250)


@pytest.mark.django_db
def test_a_changed_item_alone_is_written(bring_in, tmp_path):
    items = [item(n) for n in range(5)]
    bring_in(lines_of(tmp_path / "items.ndjson", items))
    before = {scene.stac_id: scene.updated_at for scene in Scene.objects.all()}
    items[2]["properties"]["platform"] = "another"
    items[2]["properties"].pop("gsd")
    assert counts(bring_in(lines_of(tmp_path / "items.ndjson", items))) == (0, 1, 4, 0, 0)
    after = {scene.stac_id: scene.updated_at for scene in Scene.objects.all()}
    assert {name for name in after if after[name] != before[name]} == {"item-0002"}
    assert Scene.objects.filter(stac_id="item-0002", platform="another", gsd=None).exists()
    twice = [items[0], {**items[0], "properties": {**items[0]["properties"], "gsd": 9.0}}]
    assert counts(bring_in(lines_of(tmp_path / "twice.ndjson", twice))) == (0, 1, 1, 0, 0)
    assert Scene.objects.get(stac_id="item-0000").gsd == 9.0


@pytest.mark.django_db
def test_a_dry_run_writes_nothing(bring_in, collection, tmp_path):
    path = lines_of(tmp_path / "items.ndjson", [item(n) for n in range(3)])
    report = bring_in(path, "--dry-run")
    assert report["dry_run"] and report["added"] == 3
    assert not Scene.objects.exists() and not StacImport.objects.exists()
    bring_in(path)
    assert bring_in(path, "--dry-run")["unchanged"] == 3
    call_command("stac_import", str(path), "--collection", "not-there", "--dry-run", "--json")


@pytest.mark.django_db
def test_words_for_people(collection, tmp_path, capsys):
    path = lines_of(tmp_path / "items.ndjson", [item(1), {**item(2), "id": ""}])
    with pytest.raises(CommandError, match=r"^1 items were refused\.$"):
        call_command("stac_import", str(path), "--collection", collection.slug, "--no-wait")
    out, err = capsys.readouterr()
    assert "1  added" in out and "1  refused" in out and "no pixels reachable" in out
    assert "Refused: items.ndjson, line 2: id must be a text of 1 to 300 characters." in err
    for arguments, sentence in (
        ([], "Name a source, or --retry-pixels"),
        ([str(path), "--retry-pixels"], "Name a source, or --retry-pixels"),
        ([str(path), "--limit", "-1"], "1 or more"),
        ([str(tmp_path / "gone.json")], r"gone\.json is not a file; name a file or an address"),
        ([str(path), "--bbox", "1,2,3"], "bbox is four numbers"),
        ([str(path), "--datetime", "2024-13"], "write a moment or an interval"),
        ([str(path), "--user", "nobody"], "There is no user"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("stac_import", *arguments, "--collection", collection.slug)


@pytest.mark.django_db
def test_who_may_not_add_may_not_import(collection, tmp_path):
    from tests.factories import make_user

    make_user("stranger")
    path = lines_of(tmp_path / "items.ndjson", [item(1)])
    with pytest.raises(CommandError, match="You may not add to the collection"):
        call_command("stac_import", str(path), "--collection", collection.slug, "--user", "stranger")
    assert not Scene.objects.exists()


@pytest.mark.django_db
def test_a_static_catalogue_is_walked_once(archive, bring_in):
    for number in range(30):
        archive.documents[f"/cat/{number % 3}/{number}.json"] = item(number)
    for child in range(3):
        links = [{"rel": "item", "href": f"./{number}.json"} for number in range(30) if number % 3 == child]
        links += [{"rel": "child", "href": "../catalog.json"}, {"rel": "parent", "href": "../catalog.json"}]
        archive.documents[f"/cat/{child}/collection.json"] = {"type": "Collection", "id": str(child), "links": links}
    children = [{"rel": "child", "href": f"{child}/collection.json"} for child in (0, 1, 2, 1, 9)]
    archive.documents["/cat/catalog.json"] = {"type": "Catalog", "id": "c", "links": children}
    del archive.documents["/cat/2/5.json"]
    report = bring_in(archive.url("/cat/catalog.json"), fails="2 items were refused")
    assert counts(report) == (29, 0, 0, 2, 0)
    assert [each["reason"].partition(" answers")[0].rpartition("/cat/")[2] for each in report["refusals"]] == [
        "2/5.json",
        "9/collection.json",
    ]
    assert archive.count(r"/cat/0/collection\.json") == 1 and archive.count(r"/cat/catalog\.json") == 1
    assert Scene.objects.get(stac_id="item-0007").stac["href"] == archive.url("/cat/1/7.json")


def test_a_catalogue_goes_on_without_reading_again_what_was_passed(archive):
    for number in range(20):
        archive.documents[f"/{number}.json"] = item(number)
    links = [{"rel": "item", "href": f"{number}.json"} for number in range(20)]
    archive.documents["/catalog.json"] = {"type": "Catalog", "links": links}
    found = list(items_of(archive.url("/catalog.json"), wanted=Wanted(), cursor={"items": 15}))
    assert [each.item["id"] for each in found] == [f"item-{number:04}" for number in range(15, 20)]
    assert found[-1].cursor == {"items": 20}
    assert archive.count(r"^/\d+\.json") == 5


@pytest.mark.parametrize(
    ("bbox", "datetime", "collections", "numbers"),
    [
        ("10.0,50.0,10.025,50.005", "", [], [0, 1, 2]),
        ("170,0,10.005,60", "", [], [0]),
        ("", "2024-03-15", [], [2]),
        ("", "2024-03-15T10:00:00Z/2024-04-15T10:00:00Z", [], [2, 3]),
        ("", "../2024-01-31", [], [0]),
        ("", "", ["others"], []),
        ("", "", ["tests", "others"], list(range(6))),
    ],
)
def test_filters_hold_for_files_too(tmp_path, bbox, datetime, collections, numbers):
    path = lines_of(tmp_path / "items.ndjson", [item(n) for n in range(6)])
    wanted = wanted_parse(bbox=bbox, datetime=datetime, collections=collections)
    assert [each.item["id"] for each in items_of(str(path), wanted=wanted)] == [f"item-{n:04}" for n in numbers]


@pytest.mark.parametrize("text", ["..", "../..", "a/b", "2024-01-01/2023-01-01", "2024-01-01/2024-02-01/2024-03-01"])
def test_intervals_that_mean_nothing_are_refused(text):
    with pytest.raises(InvalidInput) as refused:
        wanted_parse(datetime=text)
    assert refused.value.field == "datetime"
