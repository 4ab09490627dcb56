"""What was imported goes out as it came in, up to the differences that docs/stac.md lists."""

import copy
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from imagery.models import Collection, Scene
from imagery.models.collection import Visibility
from imagery.stac.names import EXTENSIONS, STRUCTURAL_LINKS
from imagery.stac.upgrade import item_upgraded
from tests.factories import make_collection
from tests.imagery.stac.validating import check_stac

pytestmark = pytest.mark.django_db
ADDED = {"created", "updated", "license", "providers", "sci:doi", "sci:citation", "rsportal:content_hash"}
"""Properties that an export adds where the item has none."""
MOMENTS = {"datetime", "start_datetime", "end_datetime", "created", "updated"}
ITEM: dict[str, Any] = {
    "type": "Feature",
    "stac_version": "1.1.0",
    "stac_extensions": [
        "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
        "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
        "https://ours.example/mine/v1.0.0/schema.json",
    ],
    "id": "S2A_1",
    "geometry": {"type": "Polygon", "coordinates": [[[9, 50], [10, 50], [10, 51], [9, 51], [9, 50]]]},
    "bbox": [9, 50, 10, 51],
    "properties": {
        "title": "A scene",
        "description": "With words",
        "datetime": "2021-03-04T05:06:07.123456Z",
        "created": "2021-03-05T00:00:00Z",
        "platform": "sentinel-2a",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "gsd": 10,
        "eo:cloud_cover": 12.5,
        "eo:snow_cover": 0,
        "proj:code": "EPSG:32632",
        "proj:shape": [100, 200],
        "proj:transform": [10, 0, 500000, 0, -10, 5600000],
        "view:off_nadir": 3.5,
        "mine:nested": {"a": [1, {"b": None}]},
        "providers": [{"name": "ESA", "roles": ["producer"], "url": "https://esa.example"}],
    },
    "links": [
        {"rel": "self", "href": "https://source.example/items/S2A_1", "type": "application/geo+json"},
        {"rel": "collection", "href": "https://source.example/collection"},
        {"rel": "derived_from", "href": "https://source.example/l1c/S2A_1"},
        {"rel": "cite-as", "href": "https://doi.org/10.1234/x"},
    ],
    "assets": {
        "B04": {
            "href": "https://data.example/B04.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "roles": ["data", "reflectance"],
            "bands": [{"name": "B04", "eo:common_name": "red", "data_type": "uint16", "nodata": 0}],
            "mine:odd": True,
        },
        "metadata": {"href": "https://data.example/MTD.xml", "roles": ["metadata"]},
        "thumbnail": {"href": "https://data.example/t.jpg", "roles": ["thumbnail"], "type": "image/jpeg"},
    },
    "collection": "sentinel-2",
    "foreign": {"kept": True},
}


def variants() -> list[dict[str, Any]]:
    """Return items that are odd in one way each."""
    odd: list[dict[str, Any]] = [copy.deepcopy(ITEM) for _number in range(6)]
    odd[0] |= {"stac_version": "1.0.0"}
    odd[0]["properties"] |= {"proj:epsg": 32632}
    del odd[0]["properties"]["proj:code"]
    odd[0]["assets"]["B04"] |= {
        "eo:bands": [{"name": "B04", "common_name": "red", "center_wavelength": 0.665}],
        "raster:bands": [{"data_type": "uint16", "nodata": 0, "scale": 0.0001, "spatial_resolution": 10}],
    }
    del odd[0]["assets"]["B04"]["bands"]
    odd[1]["properties"] |= {
        "datetime": None, "start_datetime": "2021-01-01T00:00:00Z", "end_datetime": "2021-12-31T23:59:59Z",
    }  # fmt: skip
    odd[2] |= {"geometry": None}
    del odd[2]["bbox"]
    east, west = (
        [[179, 0], [180, 0], [180, 1], [179, 1], [179, 0]],
        [[-180, 0], [-179, 0], [-179, 1], [-180, 1], [-180, 0]],
    )
    odd[3] |= {"geometry": {"type": "MultiPolygon", "coordinates": [[east], [west]]}, "bbox": [179, 0, -179, 1]}
    del odd[4]["properties"]["title"]
    odd[5]["properties"] = {"datetime": "2021-03-04T05:06:07Z"}
    odd[5]["assets"] = {}
    odd[5]["stac_extensions"] = []
    for number, item in enumerate(odd):
        item["id"] = f"odd-{number}"
    return [ITEM, *odd]


def normal(properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties in which moments that are the same are written the same."""
    moments = {name: value for name, value in properties.items() if name in MOMENTS and value}
    return properties | {name: datetime.fromisoformat(value) for name, value in moments.items()}


def same(original: dict[str, Any], exported: dict[str, Any]) -> None:
    """Fail unless an exported item is the one that was imported, up to the documented differences."""
    wanted = item_upgraded(original)
    properties, found = normal(wanted["properties"]), normal(exported["properties"])
    for name in ADDED - set(properties):
        found.pop(name, None)
    assert found == properties
    assert exported["assets"] == wanted["assets"]
    for name in ("id", "geometry", "bbox", "foreign"):
        assert exported.get(name) == wanted.get(name)
    kept = [link for link in exported["links"] if link["rel"] not in STRUCTURAL_LINKS]
    via = next((link["href"] for link in wanted["links"] if link["rel"] == "self"), None)
    assert [link["href"] for link in kept if link["rel"] == "via"] == ([via] if via else [])
    ours = [link for link in wanted["links"] if link["rel"] not in STRUCTURAL_LINKS]
    assert [link for link in kept if link["rel"] != "via"] == ours
    others = {address for address in wanted["stac_extensions"] if address not in EXTENSIONS.values()}
    assert others <= set(exported["stac_extensions"])


def valid(exported: dict[str, Any]) -> None:
    """Fail unless an exported item is valid; of extensions that only its source knows, nobody here has the rules."""
    known = [address for address in exported["stac_extensions"] if address in EXTENSIONS.values()]
    check_stac({**exported, "stac_extensions": known})


def there_and_back(source: Path, tmp_path: Path, collection: Collection) -> dict[str, dict[str, Any]]:
    """Import a file, export the collection and return the items by their id."""
    call_command("stac_import", str(source), "--collection", collection.slug, "--json", "--metadata-only")
    out = tmp_path / f"out-{collection.slug}"
    call_command("stac_export", "--collection", collection.slug, "--out", str(out), "--ndjson", stdout=io.StringIO())
    lines = (out / collection.slug / "items.ndjson").read_text().splitlines()
    return {item["id"]: item for item in map(json.loads, lines)}


def test_a_small_set_goes_there_and_back(owner, tmp_path, capsys) -> None:
    items = variants()
    source = tmp_path / "items.ndjson"
    source.write_text("".join(json.dumps(item) + "\n" for item in items))
    found = there_and_back(source, tmp_path, make_collection("first", owner=owner))
    assert set(found) == {item["id"] for item in items}
    for item in items:
        same(item, found[item["id"]])
        valid(found[item["id"]])


def test_an_export_that_is_imported_again_is_the_same_export(owner, tmp_path, capsys) -> None:
    source = tmp_path / "items.ndjson"
    source.write_text("".join(json.dumps(item) + "\n" for item in variants()))
    first = there_and_back(source, tmp_path, make_collection("first", owner=owner))
    again = tmp_path / "out-first" / "first" / "items.ndjson"
    second = there_and_back(again, tmp_path, make_collection("second", owner=owner))
    for key, item in first.items():
        for each in (item, second[key]):
            each["properties"] = {name: v for name, v in each["properties"].items() if not name.startswith("rsportal:")}
            each["properties"] |= {"updated": None}
            each["links"] = [link for link in each["links"] if link["rel"] not in {*STRUCTURAL_LINKS, "via"}]
        assert second[key] | {"collection": "first"} == item


def test_a_thousand_naip_items_go_there_and_back(data_dir: Path, owner, tmp_path, capsys) -> None:
    source = data_dir / "stac" / "naip_items.ndjson"
    if not source.is_file():
        pytest.skip("needs naip_items.ndjson, which is not on this machine")
    collection = make_collection("naip", owner=owner, visibility=Visibility.ALL_USERS)
    found = there_and_back(source, tmp_path, collection)
    originals = [json.loads(line) for line in source.read_text().splitlines()]
    assert len(found) == len(originals) == 1000
    assert Scene.objects.filter(collection=collection, status=Scene.Status.METADATA).count() == 1000
    for item in originals:
        same(item, found[item["id"]])
    for item in originals[::100]:  # Two judges take their time.
        valid(found[item["id"]])
