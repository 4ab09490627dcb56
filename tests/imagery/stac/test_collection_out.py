"""Collections as STAC Collections, and the catalogue."""

import json
from typing import Any

import pystac
import pytest

from imagery.models import Scene
from imagery.models.collection import Visibility
from imagery.selectors_stac import collection_facts, scenes_taken_out
from imagery.stac.collection_out import CollectionPlaces, catalog_document, collection_document
from tests.factories import make_collection, make_scene, make_user, utc
from tests.imagery.stac.validating import check_stac

pytestmark = pytest.mark.django_db
PLACES = CollectionPlaces(
    self_href="https://portal.example/c", root="https://portal.example/root", page="https://portal.example/page"
)


def written(user, collection) -> dict[str, Any]:
    """Return the checked document of a collection."""
    document = collection_document(collection, facts=collection_facts(user, collection), places=PLACES)
    check_stac(document)
    return json.loads(json.dumps(document))


def test_a_collection_tells_what_its_scenes_have_in_common(owner) -> None:
    collection = make_collection(
        "coast", owner=owner, license="CC-BY-4.0", keywords=["sea"], doi="10.5066/P9OGBGM6", citation="Us (2020)",
        attribution="Contains modified data", providers=[{"name": "Survey", "roles": ["host"]}], description="Shores",
    )  # fmt: skip
    make_scene(
        collection, bbox=(170, -20, 175, -10), datetime=utc(2019), platform="a", instruments=["msi", "oli"], gsd=10.0,
        cloud_cover=3.0,
    )  # fmt: skip
    make_scene(
        collection, bbox=(-178, -15, -170, -5), start_datetime=utc(2020), end_datetime=utc(2021), platform="b",
        gsd=30.0, instruments=["oli"], status=Scene.Status.METADATA,
    )  # fmt: skip
    make_scene(collection, bbox=(0, 0, 1, 1), datetime=utc(2000), status=Scene.Status.FAILED)
    document = written(owner, collection)
    assert document["extent"]["spatial"]["bbox"] == [[170.0, -20.0, -170.0, -5.0]]
    assert document["extent"]["temporal"]["interval"] == [["2019-01-01T00:00:00Z", "2021-01-01T00:00:00Z"]]
    assert document["summaries"] == {
        "platform": ["a", "b"],
        "instruments": ["msi", "oli"],
        "proj:code": ["EPSG:4326"],
        "gsd": {"minimum": 10.0, "maximum": 30.0},
        "eo:cloud_cover": {"minimum": 3.0, "maximum": 3.0},
    }
    assert (document["license"], document["keywords"], document["description"]) == ("CC-BY-4.0", ["sea"], "Shores")
    assert document["sci:doi"] == "10.5066/P9OGBGM6"
    assert document["rsportal:scene_count"] == 2
    assert [provider.name for provider in pystac.Collection.from_dict(document).providers or []] == ["Survey"]


def test_an_empty_collection_spans_what_nobody_can_deny(owner) -> None:
    document = written(owner, make_collection("empty", owner=owner, license="house rules"))
    assert document["extent"] == {
        "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
        "temporal": {"interval": [[None, None]]},
    }
    assert (document["license"], document["rsportal:license"]) == ("other", "house rules")
    assert document["description"] == "Empty"


def test_an_imported_collection_keeps_what_it_brought(owner) -> None:
    stac = {
        "href": "https://source.example/naip",
        "links": [
            {"rel": "items", "href": "https://source.example/naip/items"},
            {"rel": "describedby", "href": "https://source.example/about"},
        ],
        "assets": {"thumbnail": {"href": "https://source.example/naip.png"}},
        "stac_extensions": ["https://stac-extensions.github.io/item-assets/v1.0.0/schema.json"],
        "others": {"msft:region": "westeurope", "summaries": {"naip:year": ["2021"], "gsd": [0.3, 0.6]}},
    }
    collection = make_collection("naip", owner=owner, stac=stac)
    make_scene(collection, gsd=0.6, datetime=utc(2021))
    document = collection_document(collection, facts=collection_facts(owner, collection), places=PLACES)
    assert document["msft:region"] == "westeurope"
    assert document["summaries"]["naip:year"] == ["2021"]
    assert document["summaries"]["gsd"] == {"minimum": 0.6, "maximum": 0.6}
    rels = {link["rel"]: link["href"] for link in document["links"]}
    assert rels["describedby"] == "https://source.example/about"
    assert rels["via"] == "https://source.example/naip"
    assert "items" not in rels
    assert document["assets"]["thumbnail"]["href"] == "https://source.example/naip.png"


def test_who_may_take_away_what(owner) -> None:
    viewer, stranger = make_user(), make_user()
    collection = make_collection("shared", owner=owner, visibility=Visibility.MEMBERS, viewers=[viewer])
    plain = make_scene(collection)
    held = make_scene(collection, embargo_until=utc(2999))
    assert set(scenes_taken_out(owner, collection)) == {plain, held}
    assert set(scenes_taken_out(viewer, collection)) == {plain}
    assert not scenes_taken_out(stranger, collection)
    assert collection_facts(stranger, collection).count == 0


def test_a_catalogue_lists_its_children() -> None:
    document = catalog_document(
        id="rsportal", title="Archive", description="All", links=[{"rel": "child", "href": "./a.json"}]
    )
    check_stac(document)
