"""Scenes as STAC Items."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pystac
import pytest

from imagery.models import Asset, Collection, Scene
from imagery.stac.item_out import ItemPlaces, scene_item
from tests.factories import make_collection, make_scene, utc
from tests.imagery.stac.validating import check_stac

pytestmark = pytest.mark.django_db
PLACES = ItemPlaces(
    asset_href=lambda asset: f"https://portal.example/{asset.key}",
    self_href="https://portal.example/item",
    collection="https://portal.example/collection",
    root="https://portal.example/root",
    page="https://portal.example/page",
)


def written(scene: Scene, *, originals: bool = True) -> dict[str, Any]:
    """Return the checked item of a scene."""
    scene.refresh_from_db()
    item = scene_item(scene, assets=scene.assets.all(), originals=originals, places=PLACES)
    check_stac(item)
    return json.loads(json.dumps(item))


@pytest.fixture
def open_collection(owner) -> Collection:
    return make_collection(
        "coast",
        owner=owner,
        title="Coast",
        license="cc-by-4.0",
        license_url="https://creativecommons.org/licenses/by/4.0/",
        providers=[{"name": "Survey", "roles": ["producer", "licensor"], "url": "https://survey.example"}],
        keywords=["coast"],
        doi="10.5066/P9OGBGM6",
        citation="Survey (2020): Coast.",
    )


def full_scene(collection: Collection, **fields: Any) -> Scene:
    """Return a scene of which everything is known."""
    values: dict[str, Any] = {
        "title": "Harbour",
        "bbox": (9.5, 53.2, 10.25, 53.7),
        "datetime": utc(2020, 5, 31, 10),
        "platform": "sentinel-2a",
        "instruments": ["msi"],
        "gsd": 10.0,
        "cloud_cover": 12.5,
        "bands": [{"name": "red"}, {"name": "band 2"}],
        "properties": {"view:off_nadir": 2.5, "proj:transform": [10, 0, 5, 0, -10, 7], "mission:orbit": {"n": 1}},
    }
    return make_scene(collection, files=True, **{**values, **fields})


def test_everything_known_is_said_under_its_stac_name(open_collection) -> None:
    scene = full_scene(open_collection)
    item = written(scene)
    assert (item["id"], item["collection"]) == (str(scene.pk), "coast")
    assert item["bbox"] == [9.5, 53.2, 10.25, 53.7]
    assert item["geometry"] == scene.footprint
    said = item["properties"]
    expected = {
        "title": "Harbour",
        "datetime": "2020-05-31T10:00:00Z",
        "platform": "sentinel-2a",
        "instruments": ["msi"],
        "gsd": 10.0,
        "eo:cloud_cover": 12.5,
        "proj:code": "EPSG:4326",
        "proj:shape": [64, 64],
        "proj:transform": [10, 0, 5, 0, -10, 7],
        "view:off_nadir": 2.5,
        "mission:orbit": {"n": 1},
        "license": "CC-BY-4.0",
        "sci:doi": "10.5066/P9OGBGM6",
        "sci:citation": "Survey (2020): Coast.",
        "rsportal:content_hash": scene.content_hash,
    }
    assert expected.items() <= said.items()
    assert "start_datetime" not in said
    assert said["providers"][0]["name"] == "Survey"
    rels = {link["rel"]: link["href"] for link in item["links"]}
    assert rels["cite-as"] == "https://doi.org/10.5066/P9OGBGM6"
    assert rels["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert {"self", "root", "parent", "collection", "alternate"} <= set(rels)
    data = item["assets"]["data"]
    row = Asset.objects.get(scene=scene, key="data")
    assert data["file:size"] == row.size
    assert data["file:checksum"] == f"1220{row.sha256}"
    assert data["roles"] == ["data"]
    assert data["bands"] == [{"name": "red", "eo:common_name": "red"}, {"name": "band 2"}]
    assert data["raster:spatial_resolution"] == 10.0
    thumbnail = item["assets"]["thumbnail"]
    assert (thumbnail["roles"], thumbnail["type"]) == (["thumbnail"], "image/webp")
    assert thumbnail["processing:software"]["rsportal"]
    prefixes = {address.split("/")[3] for address in item["stac_extensions"]}
    assert prefixes == {"eo", "file", "processing", "projection", "raster", "scientific"}


def test_an_item_names_no_extension_whose_fields_it_lacks(owner) -> None:
    item = written(make_scene(make_collection("bare", owner=owner), width=0, height=0, datetime=utc(2020)))
    assert {address.split("/")[3] for address in item["stac_extensions"]} == {"file"}


def test_originals_are_named_only_to_those_who_get_them(open_collection) -> None:
    item = written(full_scene(open_collection), originals=False)
    assert set(item["assets"]) == {"thumbnail", "overview"}


def test_a_scene_without_place_has_no_box(owner) -> None:
    item = written(make_scene(make_collection("flat", owner=owner), datetime=utc(2020)))
    assert item["geometry"] is None
    assert "bbox" not in item


def test_a_scene_across_the_antimeridian_is_two_polygons_and_a_box_from_west_to_east(owner) -> None:
    east, west = [[170, -20], [180, -20], [180, -10], [170, -10], [170, -20]], [
        [-180, -20], [-175, -20], [-175, -10], [-180, -10], [-180, -20],
    ]  # fmt: skip
    scene = make_scene(
        make_collection("dateline", owner=owner),
        datetime=utc(2020),
        footprint={"type": "MultiPolygon", "coordinates": [[east], [west]]},
        west=170.0,
        south=-20.0,
        east=-175.0,
        north=-10.0,
    )
    item = written(scene)
    assert item["bbox"] == [170.0, -20.0, -175.0, -10.0]
    assert item["geometry"]["type"] == "MultiPolygon"


def test_an_interval_has_no_single_moment(owner) -> None:
    scene = make_scene(
        make_collection("span", owner=owner),
        start_datetime=utc(2019),
        end_datetime=datetime(2020, 1, 1, 1, 2, 3, 4, UTC),
    )
    said = written(scene)["properties"]
    assert said["datetime"] is None
    assert said["start_datetime"] == "2019-01-01T00:00:00Z"
    assert said["end_datetime"] == "2020-01-01T01:02:03.000004Z"
    assert "rsportal:not_known" not in said


def test_a_date_that_nobody_knows_is_bounded_and_named_as_unknown(owner) -> None:
    scene = make_scene(make_collection("undated", owner=owner))
    said = written(scene)["properties"]
    assert said["datetime"] is None
    assert said["start_datetime"] == "1858-01-01T00:00:00Z"
    assert said["end_datetime"] == scene.created_at.isoformat().replace("+00:00", "Z")
    assert said["rsportal:not_known"] == ["start_datetime", "end_datetime"]


def test_half_an_interval_is_completed_and_the_added_half_named(owner) -> None:
    scene = make_scene(make_collection("half", owner=owner), start_datetime=utc(2019), datetime=utc(2019, 2))
    said = written(scene)["properties"]
    assert said["datetime"] == "2019-02-01T00:00:00Z"
    assert said["rsportal:not_known"] == ["end_datetime"]


def test_a_licence_in_words_is_other(owner) -> None:
    collection = make_collection(
        "words", owner=owner, license="Ask the survey first", license_url="https://x.example/l"
    )
    item = written(make_scene(collection, datetime=utc(2020)))
    assert item["properties"]["license"] == "other"
    link = next(link for link in item["links"] if link["rel"] == "license")
    assert link["title"] == "Ask the survey first"


def imported(owner, **stac: Any) -> Scene:
    """Return a scene as an import leaves it."""
    return make_scene(
        make_collection("naip", owner=owner),
        title="al_m_1",
        stac_id="al_m_1",
        status=Scene.Status.METADATA,
        bbox=(-86.0, 30.0, -85.0, 31.0),
        datetime=utc(2021, 11, 3, 16),
        properties={"naip:state": "al", "created": "2022-01-01T00:00:00Z"},
        stac={
            "href": "https://source.example/items/al_m_1",
            "stac_extensions": [
                "https://stac-extensions.github.io/eo/v1.0.0/schema.json",
                "https://other.example/extension/v1.0.0/schema.json",
            ],
            "links": [
                {"rel": "self", "href": "https://source.example/items/al_m_1"},
                {"rel": "derived_from", "href": "https://source.example/raw/1"},
                {"rel": "preview", "href": "/archive/secret.html"},
            ],
            "assets": {
                "image": {"href": "https://data.example/1.tif", "roles": ["data"], "x:y": 1},
                "thumbnail": {"href": "https://data.example/1.jpg", "roles": ["thumbnail"]},
                "local": {"href": "/archive/secret.tif", "roles": ["data"]},
            },
            "others": {"foreign": {"a": 1}},
            **stac,
        },
    )


def test_an_imported_item_keeps_what_it_brought(owner) -> None:
    scene = imported(owner)
    Asset.objects.filter(scene=scene).delete()
    before = copy.deepcopy(scene.stac)
    scene.refresh_from_db()
    item = scene_item(scene, assets=[], originals=False, places=PLACES)
    assert scene.stac == before
    assert item["id"] == "al_m_1"
    assert item["foreign"] == {"a": 1}
    assert item["properties"]["naip:state"] == "al"
    assert item["properties"]["created"] == "2022-01-01T00:00:00Z"
    assert "title" not in item["properties"]
    assert item["assets"]["image"] == {"href": "https://data.example/1.tif", "roles": ["data"], "x:y": 1}
    assert "https://other.example/extension/v1.0.0/schema.json" in item["stac_extensions"]
    assert not any("/eo/" in address for address in item["stac_extensions"])
    links = {link["rel"]: link["href"] for link in item["links"]}
    assert links["derived_from"] == "https://source.example/raw/1"
    assert links["via"] == "https://source.example/items/al_m_1"
    assert links["self"] == "https://portal.example/item"


def test_paths_of_the_server_never_leave_it(owner) -> None:
    scene = imported(owner)
    text = json.dumps(scene_item(scene, assets=scene.assets.all(), originals=False, places=PLACES))
    assert "/archive/" not in text


def test_pictures_of_the_portal_stand_beside_those_of_the_source(owner) -> None:
    scene = imported(owner, stac_extensions=[])
    Asset.objects.create(
        scene=scene, key="thumbnail", role=Asset.Role.THUMBNAIL, path="t.webp", filename="thumbnail.webp",
        media_type="image/webp", size=3, sha256="0" * 64,
    )  # fmt: skip
    assets = written(scene)["assets"]
    assert assets["thumbnail"]["href"] == "https://data.example/1.jpg"
    assert assets["portal_thumbnail"]["href"] == "https://portal.example/thumbnail"


def test_pystac_reads_an_item(open_collection) -> None:
    item = pystac.Item.from_dict(written(full_scene(open_collection)))
    assert item.common_metadata.platform == "sentinel-2a"
    assert item.ext.proj.code == "EPSG:4326"
    assert item.ext.proj.shape == [64, 64]
    assert item.assets["data"].ext.file.size
