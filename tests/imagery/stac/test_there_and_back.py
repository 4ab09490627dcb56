"""What an export wrote comes in again as the same scenes, pixels included."""

from typing import Any

import pytest
from django.core.management import call_command

from imagery.models import Asset, Collection, Scene
from imagery.services.ingest import ingest_jobs_drain
from tests.factories import make_collection
from tests.imagery.stac.conftest import counts
from tests.stac_server import item

pytestmark = pytest.mark.django_db
SAME = (
    "stac_id", "title", "status", "datetime", "start_datetime", "end_datetime", "platform", "instruments", "gsd",
    "cloud_cover", "proj_code", "footprint", "west", "south", "east", "north", "width", "height", "bands",
)  # fmt: skip


def told(collection: Collection) -> dict[str, dict[str, Any]]:
    """Return what is said of each scene, by its title."""
    return {row["title"]: row for row in Scene.objects.filter(collection=collection).values(*SAME)}


def test_an_exported_catalogue_comes_in_again(archive, cogs, bring_in, collection, encoder, tmp_path, capsys):
    archive.files = {"/files/large.tif": cogs / "large.tif"}
    asset = {"href": archive.url("/files/large.tif"), "type": "image/tiff; application=geotiff", "roles": ["data"]}
    archive.items = {
        "item-0001": item(1, assets={"image": asset}, properties={"eo:cloud_cover": 4.5, "x:y": {"z": [1, None]}}),
        "item-0002": item(2, properties={"title": "Only words", "instruments": ["msi"]}, foreign={"a": 1}),
    }
    collection.license = "CC-BY-4.0"
    collection.save()
    bring_in(archive.url("/"), "--copy")
    ingest_jobs_drain()
    out = tmp_path / "out"
    call_command("stac_export", "--collection", collection.slug, "--out", str(out), "--with-files", "data")
    capsys.readouterr()

    again = make_collection("again", owner=collection.owner)
    call_command("stac_import", str(out / "catalog.json"), "--collection", "again", "--json", "--no-wait", "--copy")
    ingest_jobs_drain()
    first, second = told(collection), told(again)
    assert first.keys() == second.keys() == {"item-0001", "Only words"}
    for title in first:
        assert first[title] == second[title], title
    pictures = Asset.objects.filter(role=Asset.Role.DATA).values_list("sha256", flat=True)
    assert len(pictures) == 2 and len(set(pictures)) == 1
    again.refresh_from_db()
    assert again.license == "CC-BY-4.0"
    new = Scene.objects.get(collection=again, stac_id="item-0002")
    assert new.stac["others"] == {"foreign": {"a": 1}}
    assert Scene.objects.get(collection=again, stac_id="item-0001").properties["x:y"] == {"z": [1, None]}
    capsys.readouterr()
    report = bring_in(archive.url("/"), "--copy")
    assert counts(report) == (0, 0, 2, 0, 0)
