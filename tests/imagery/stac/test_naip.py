"""The real thing: a thousand NAIP items in one command; once more changes nothing."""

import json
import time
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagery.models import IngestJob, Scene, StacImport
from tests.factories import make_collection

pytestmark = pytest.mark.django_db
COUNTS = ("items", "added", "changed", "unchanged", "refused", "queued")
NOTHING = dict.fromkeys(COUNTS, 0)


@pytest.fixture
def naip(data_dir: Path) -> Path:
    path = data_dir / "stac" / "naip_items.ndjson"
    if not path.is_file():
        pytest.skip("needs naip_items.ndjson, which is not on this machine")
    return path


def run(path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict:
    call_command("stac_import", str(path), "--collection", "naip", "--json", *more)
    report: dict = json.loads(capsys.readouterr().out)
    return report


def test_the_collection_alone_fills_what_is_empty(naip: Path, capsys: pytest.CaptureFixture[str]):
    collection = make_collection("naip", attribution="Written here")
    report = run(naip.with_name("naip_collection.json"), capsys)
    assert report["items"] == 0
    collection.refresh_from_db()
    assert collection.description.startswith("The [National Agriculture Imagery Program]")
    assert collection.providers[0]["name"] == "USDA Farm Service Agency"
    assert "NAIP" in collection.keywords and collection.attribution == "Written here"
    assert collection.stac["collection"] == "naip" and "summaries" in collection.stac["others"]


def test_a_thousand_items_come_in_and_a_second_run_changes_nothing(naip: Path, capsys: pytest.CaptureFixture[str]):
    make_collection("naip")
    begin = time.monotonic()
    first = run(naip, capsys)
    took = time.monotonic() - begin
    assert [first[key] for key in ("items", "added", "changed", "unchanged", "refused", "queued")] == [
        1000,
        1000,
        0,
        0,
        0,
        0,
    ]
    assert first["scenes"]["metadata"] == Scene.objects.filter(status=Scene.Status.METADATA).count() == 1000
    before = list(Scene.objects.order_by("pk").values())

    begin = time.monotonic()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        second = run(naip, capsys)
    again = time.monotonic() - begin
    assert {key: second[key] for key in COUNTS} == {**NOTHING, "items": 1000, "unchanged": 1000}
    assert list(Scene.objects.order_by("pk").values()) == before
    assert StacImport.objects.filter(state=StacImport.State.DONE).count() == 2
    assert not IngestJob.objects.exists()
    writes = [
        q["sql"] for q in asked if q["sql"].startswith(("INSERT", "UPDATE", "DELETE")) and "stacimport" not in q["sql"]
    ]
    assert writes == []
    assert max(took, again) < 60
    print(f"{took:.1f} s, then {again:.1f} s, {len(asked)} queries")
