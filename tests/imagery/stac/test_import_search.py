"""Importing from a STAC API: pages, filters, failures, and going on after it was killed."""

import json
import os
import signal
import subprocess
import sys
from typing import SupportsIndex
from urllib.parse import parse_qs

import pytest

from imagery.models import Scene, StacImport
from tests.imagery.stac.conftest import counts
from tests.processes import PROJECT, child_environment, wait_for
from tests.stac_server import item

pytestmark = pytest.mark.django_db
State = StacImport.State


@pytest.fixture
def many(archive):
    archive.items = {f"item-{n:04}": item(n) for n in range(35)}
    return archive


@pytest.mark.parametrize("post", [True, False])
def test_all_pages_of_a_search_come_in_once(many, bring_in, post):
    many.post = post
    assert counts(bring_in(many.url("/"))) == (35, 0, 0, 0, 0)
    assert Scene.objects.count() == 35
    searches = [each for each in many.asked if each.path == "/search"]
    assert {each.method for each in searches} == ({"POST"} if post else {"GET"})
    assert len(searches) == 4
    before = list(Scene.objects.order_by("pk").values())
    assert counts(bring_in(many.url("/"))) == (0, 0, 35, 0, 0)
    assert list(Scene.objects.order_by("pk").values()) == before


def test_filters_are_asked_of_the_search(many, bring_in):
    box = ["--bbox=10.0,50.0,10.085,50.1", "--datetime", "2024-02-01/2024-04-30", "--collections", "tests"]
    report = bring_in(many.url("/"), *box)
    assert report["added"] == 3
    assert set(Scene.objects.values_list("stac_id", flat=True)) == {"item-0001", "item-0002", "item-0003"}
    (asked,) = [each.body for each in many.asked if each.path == "/search"]
    assert asked["collections"] == ["tests"] and list(asked["bbox"]) == [10.0, 50.0, 10.085, 50.1]
    assert asked["datetime"].startswith("2024-02-01T00:00:00Z/2024-04-30T23:59:59")
    assert counts(bring_in(many.url("/"), "--collections", "others")) == (0, 0, 0, 0, 0)


def test_items_of_a_collection_and_what_the_collection_says(many, bring_in, collection):
    many.collection = {
        "type": "Collection", "id": "tests", "stac_version": "1.0.0", "license": "CC-BY-4.0", "keywords": ["aerial"],
        "description": "Of a test.", "providers": [{"name": "Tester", "roles": ["producer"]}], "sci:doi": "10.1/x",
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
        "links": [{"rel": "items", "href": many.url("/collections/tests/items")}],
    }  # fmt: skip
    collection.description = "Written here."
    collection.save()
    assert bring_in(many.url("/collections/tests"), "--limit", "12", "--datetime", "2024-01-01/..")["added"] == 12
    first = next(each for each in many.asked if each.path.endswith("/items"))
    assert parse_qs("datetime=" + first.query["datetime"][0]) == {"datetime": ["2024-01-01T00:00:00Z/.."]}
    many.items["item-0000"]["links"] = [{"rel": "collection", "href": many.url("/collections/tests")}]
    bring_in(many.url("/"))
    collection.refresh_from_db()
    assert (collection.license, collection.doi, collection.description) == ("CC-BY-4.0", "10.1/x", "Written here.")
    assert collection.providers == [{"name": "Tester", "roles": ["producer"]}]
    assert collection.stac["others"]["extent"]["spatial"] == {"bbox": [[-180, -90, 180, 90]]}


def test_limit_stops(many, bring_in):
    assert bring_in(many.url("/"), "--limit", "15")["added"] == 15
    assert Scene.objects.count() == 15


def test_busy_servers_are_asked_again(many, bring_in):
    many.failures = {"^/search$": [(429, {"Retry-After": "0"}), (503, {}), (200, {})][:2]}
    assert bring_in(many.url("/"))["added"] == 35
    assert many.count("^/search$") == 4 + 2


def test_an_import_that_stops_goes_on_where_it_was(many, bring_in):
    many.items = {f"item-{n:04}": item(n) for n in range(250)}
    many.page_items = 50
    many.failures = {"never": []}
    asked_before = []

    class FailAfter(list):
        """Answers the first three searches, and fails the others."""

        def __bool__(self) -> bool:
            return many.count("^/search$") > 3

        def pop(self, _index: SupportsIndex = -1) -> tuple[int, dict[str, str]]:
            return 500, {}

    many.failures = {"^/search$": FailAfter()}
    bring_in(many.url("/"), fails=r"/search cannot answer at present \(500 .*\); try again later\.$")
    run = StacImport.objects.get()
    assert (run.state, run.done, Scene.objects.count()) == (State.STOPPED, 150, 150)
    assert "500" in run.reason
    many.failures = {}
    asked_before = list(many.asked)
    report = bring_in(many.url("/"))
    assert (report["items"], report["added"]) == (250, 250)
    again = many.asked[len(asked_before) :]
    assert [each.path for each in again] == ["/search"] * 2  # Neither the root nor the first pages.
    run.refresh_from_db()
    assert (run.state, run.done, run.added) == (State.DONE, 250, 250)


def test_pages_that_never_end_are_left(many, bring_in):
    many.documents = {
        "/circle": {
            "type": "FeatureCollection",
            "features": [item(1)],
            "links": [{"rel": "next", "href": many.url("/circle")}],
        }
    }
    bring_in(many.url("/circle"), fails="its paging does not end")
    assert Scene.objects.count() == 1


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/nothing", r"/nothing answers with 404 Not Found\.$"),
        ("/text", r"text is not JSON: .*\.$"),
        ("/list", "is not JSON: “{” is missing"),
        ("/other", r"is no STAC item, collection of items or catalogue \(its type is Point\)\.$"),
    ],
)
def test_what_is_no_stac_is_named(archive, bring_in, tmp_path, path, sentence):
    (tmp_path / "text").write_text('{"type": "Feature", "id": ')
    archive.files = {"/text": tmp_path / "text"}
    archive.documents = {"/list": [1, 2], "/other": {"type": "Point", "coordinates": [1, 2]}}
    bring_in(archive.url(path), fails=sentence)
    assert not Scene.objects.exists()


def test_hosts_that_are_not_allowed_are_not_asked(many, bring_in, settings):
    settings.REMOTE_HOSTS = ["stac.example.org"]
    bring_in(many.url("/"), fails="is not one this portal may read from")
    settings.REMOTE_HOSTS, settings.REMOTE_PRIVATE = ["127.0.0.1:*"], False
    bring_in(many.url("/"), fails="not on the public internet")
    assert many.asked == []


@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_goes_on(many, bring_in, collection, tmp_path):
    many.items = {f"item-{n:04}": item(n) for n in range(1500)}
    many.page_items = 100
    command = [sys.executable, "manage.py", "stac_import", many.url("/"), "--collection", collection.slug, "--json"]
    extra = {"RSPORTAL_REMOTE_HOSTS": "127.0.0.1:*", "RSPORTAL_REMOTE_PRIVATE": "1"}
    process = subprocess.Popen(
        command, cwd=PROJECT, env=child_environment(tmp_path / "var", extra), stdout=subprocess.PIPE
    )
    try:
        wait_for(lambda: StacImport.objects.filter(done__gte=200).exists(), seconds=60, what="200 items")
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    run = StacImport.objects.get()
    assert (run.state, run.done % 100) == (State.RUNNING, 0)
    assert 200 <= run.done < 1500
    seen, held = len(many.asked), Scene.objects.count()
    assert run.done <= held <= run.done + 100
    report = bring_in(many.url("/"))
    assert (report["items"], report["refused"], Scene.objects.count()) == (1500, 0, 1500)
    assert len(many.asked) - seen <= (1500 - run.done) // 100 + 1
    assert json.dumps(report)
