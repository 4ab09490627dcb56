"""What an item says, as fields: places that are right or refused, older names, and anything else without a crash."""

import contextlib
import copy
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, shape

from imagery.geometry import Footprint
from imagery.stac.assets_in import assets_choose
from imagery.stac.fields_in import grid_fields, item_in
from imagery.stac.geometry_in import place_of
from rsportal.errors import InvalidInput
from tests.stac_server import item


def placed(geometry, bbox=None) -> Footprint:
    """Return the place of a geometry that has one."""
    place = place_of(geometry, bbox)
    assert place is not None
    return place


def polygon(*points):
    return {"type": "Polygon", "coordinates": [[list(point) for point in (*points, points[0])]]}


SQUARE = polygon((10, 50), (11, 50), (11, 51), (10, 51))


def test_a_place_stays_as_it_was_written():
    place = placed(SQUARE, [10, 50, 11, 51])
    assert (place.geometry, place.bbox) == (SQUARE, (10, 50, 11, 51))
    assert placed(SQUARE).bbox == (10, 50, 11, 51)
    assert placed(SQUARE, [9.9999, 49.9999, 11.0001, 51.0001]).bbox == (9.9999, 49.9999, 11.0001, 51.0001)
    assert placed(SQUARE, [10.0001, 50.0001, 10.9999, 50.9999]).bbox == (10, 50, 11, 51)  # Never within.
    assert place_of(None, [10, 50, 11, 51]) is None


def test_heights_are_dropped_and_open_rings_closed():
    high = {"type": "Polygon", "coordinates": [[[10, 50, 7], [11, 50, 7], [11, 51, 7], [10, 51, 7]]]}
    place = placed(high, [10, 50, 0, 11, 51, 7])
    assert (place.geometry, place.bbox) == (SQUARE, (10, 50, 11, 51))


@pytest.mark.parametrize(
    "ring",
    [
        ((179, 10), (-179, 10), (-179, 11), (179, 11)),  # Jumps over the seam.
        ((179, 10), (181, 10), (181, 11), (179, 11)),  # Goes on past it.
        ((-181, 10), (-179, 10), (-179, 11), (-181, 11)),
        ((-179, 11), (179, 11), (179, 10), (-179, 10)),
    ],
)
@pytest.mark.parametrize("bbox", [None, [179, 10, -179, 11], [-180, 10, 180, 11]])
def test_rings_over_the_antimeridian_are_cut_there(ring, bbox):
    place = placed(polygon(*ring), bbox)
    assert list(place.bbox) == [179, 10, -179, 11]
    assert place.geometry["type"] == "MultiPolygon"
    parts = shape(place.geometry)
    assert parts.is_valid and parts.area == pytest.approx(2)
    assert parts.covers(Point(179.5, 10.5)) and parts.covers(Point(-179.5, 10.5)) and not parts.covers(Point(0, 10.5))


def test_parts_on_both_sides_of_the_seam_are_one_place():
    parts = [
        [[[179, 0], [180, 0], [180, 1], [179, 1], [179, 0]]],
        [[[-180, 0], [-179, 0], [-179, 1], [-180, 1], [-180, 0]]],
    ]
    place = placed({"type": "MultiPolygon", "coordinates": parts}, [179, 0, -179, 1])
    assert place.geometry == {"type": "MultiPolygon", "coordinates": parts}
    assert list(place.bbox) == [179, 0, -179, 1]
    apart = [parts[0], [[[10, 0], [11, 0], [11, 1], [10, 1], [10, 0]]]]
    assert placed({"type": "MultiPolygon", "coordinates": apart}, None).bbox == (10, 0, 180, 1)


@pytest.mark.parametrize(
    ("geometry", "bbox", "field", "words"),
    [
        (SQUARE, [10, 51, 11, 50], "bbox", "south (51) is above north (50)"),
        (SQUARE, [50, 10, 51, 11], "bbox", "corners swapped"),
        (SQUARE, [11, 50, 10], "bbox", "list of four"),
        (SQUARE, [10, 50, 11, "51"], "bbox", "list of four"),
        (SQUARE, [10, 50, 11, 151], "bbox", "not in degrees"),
        (polygon((50, 100), (51, 100), (51, 101)), None, "geometry", "not in degrees"),
        (polygon((500000, 5), (600000, 5), (600000, 6)), None, "geometry", "not in degrees"),
        (polygon((10, 50), (11, 51), (11, 50), (10, 51)), None, "geometry", "no proper area (Self-intersection"),
        (polygon((10, 50), (11, 50), (12, 50)), None, "geometry", "no proper area"),
        (polygon((10, 50), (11, 50)), None, "geometry", "fewer than three"),
        (polygon((0, 80), (90, 80), (180, 80), (-90, 80)), None, "geometry", "goes around a pole"),
        ({"type": "Point", "coordinates": [10, 50]}, None, "geometry", "is Point; a Polygon or MultiPolygon"),
        ({"type": "Polygon"}, None, "geometry", "coordinates"),
        ({"type": "Polygon", "coordinates": [[1, 2, 3, 4]]}, None, "geometry", "not two numbers"),
        ({"type": "Polygon", "coordinates": [[[10, float("nan")]] * 4]}, None, "geometry", "not two numbers"),
        ([1], None, "geometry", "is list;"),
    ],
)
def test_what_is_no_place_on_earth_is_refused(geometry, bbox, field, words):
    with pytest.raises(InvalidInput) as refused:
        place_of(geometry, bbox)
    assert refused.value.field == field and words in refused.value.message and refused.value.message.endswith(".")


def test_fields_of_an_item_of_stac_1_0():
    given = item(
        1,
        assets={
            "image": {
                "href": "./a.tif", "type": "image/tiff", "roles": ["data"],
                "eo:bands": [{"name": "Red", "common_name": "red"}], "raster:bands": [{"data_type": "uint8"}],
            }
        },
        properties={
            "title": "A title", "datetime": None, "start_datetime": "2024-01-01T00:00:00Z", "eo:cloud_cover": 12.5,
            "end_datetime": "2024-01-02T00:00:00+02:00", "proj:epsg": 32632, "proj:shape": [200, 100],
            "instruments": ["oli"], "providers": [{"name": "X"}], "license": "proprietary", "sci:doi": "10.1/x",
        },
        foreign=[1, 2],
        links=[{"rel": "license", "href": "../licence.html"}, {"rel": "self", "href": "https://a.example/i/1.json"}],
    )  # fmt: skip
    found = item_in(given, base="https://mirror.example/x.json")
    fields = found.fields
    assert fields["datetime" if "datetime" in fields else "start_datetime"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert fields["end_datetime"] == datetime(2024, 1, 1, 22, tzinfo=UTC)
    assert (fields["title"], fields["proj_code"], fields["width"], fields["height"]) == (
        "A title",
        "EPSG:32632",
        100,
        200,
    )
    assert (fields["cloud_cover"], fields["instruments"], fields["platform"]) == (12.5, ["oli"], "tester-1")
    assert fields["properties"] == {"providers": [{"name": "X"}], "license": "other", "sci:doi": "10.1/x"}
    assert fields["stac"]["href"] == "https://a.example/i/1.json"
    assert fields["stac"]["links"][0]["href"] == "https://a.example/licence.html"
    assert found.assets["image"]["href"] == "https://a.example/i/a.tif"
    assert fields["stac"]["others"] == {"foreign": [1, 2]}
    assert grid_fields(assets_choose(found.assets))["bands"] == [
        {"name": "Red", "eo:common_name": "red", "data_type": "uint8"}
    ]


def test_a_scene_of_ours_comes_back_as_it_was():
    own = item(
        1,
        properties={
            "datetime": None, "start_datetime": "1858-01-01T00:00:00Z", "end_datetime": "2026-01-01T00:00:00Z",
            "rsportal:not_known": ["start_datetime"], "rsportal:content_hash": "0" * 64,
            "rsportal:embargo_until": "2030-01-01T00:00:00Z",
        },
    )  # fmt: skip
    fields = item_in(own).fields
    assert "start_datetime" not in fields and fields["end_datetime"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert fields["embargo_until"] == datetime(2030, 1, 1, tzinfo=UTC)
    assert fields["properties"] == {}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"type": "Collection"}, "type", "It is no STAC item"),
        ({"id": ""}, "id", "1 to 300 characters"),
        ({"id": 7}, "id", "1 to 300 characters"),
        ({"id": "x" * 301}, "id", "1 to 300 characters"),
        ({"assets": []}, "assets", "assets must be an object."),
        ({"links": {}}, "links", "links must be a list."),
        ({"properties": "x"}, "properties", "properties must be an object."),
        ({"assets": {"a": {"title": "no"}}}, "assets", "The asset “a” has no href."),
        ({"properties": {"datetime": "yesterday"}}, "datetime", "2024-05-31T10:20:30Z"),
        ({"properties": {"eo:cloud_cover": 140}}, "eo:cloud_cover", "from 0 to 100"),
        ({"x": float("inf")}, "item", "not finite"),
        ({"x": "a\x00b"}, "item", "NUL"),
        ({"x": "\ud800"}, "item", "surrogate"),
        ({"x": "y" * 1_100_000}, "item", "It is too long"),
    ],
)  # fmt: skip
def test_one_broken_member_is_named(change, field, words):
    with pytest.raises(InvalidInput) as refused:
        item_in({**item(1), **change})
    assert words in refused.value.message
    assert field in (refused.value.field or "") or field in refused.value.message


def test_the_fingerprint_follows_every_change_and_no_order():
    one = item(1)
    turned = dict(reversed(list(one.items())))
    assert item_in(one).fingerprint == item_in(turned).fingerprint
    assert item_in({**one, "links": [{"rel": "x", "href": "y"}]}).fingerprint != item_in(one).fingerprint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAIP_LIKE = item(
    1,
    assets={
        "image": {"href": "https://x.example/a.tif", "type": "image/tiff", "roles": ["data"], "bands": [{"name": "r"}]}
    },
    properties={"proj:shape": [2, 3], "proj:code": "EPSG:4326", "instruments": ["a"], "eo:cloud_cover": 3},
    links=[{"rel": "self", "href": "https://x.example/1.json"}],
)


def places(value, path=()):
    """Return the paths of everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, each in inner for found in ((*path, key), *places(each, (*path, key)))]


PLACES = places(NAIP_LIKE)


@settings(max_examples=300, deadline=None)
@given(where=st.sampled_from(PLACES), what=JSON)
def test_whatever_an_item_holds_it_is_taken_or_refused_with_a_sentence(where, what):
    broken = copy.deepcopy(NAIP_LIKE)
    inside = broken
    for key in where[:-1]:
        inside = inside[key]
    inside[where[-1]] = what
    with contextlib.suppress(InvalidInput):
        found = item_in(broken)
        assets_choose(found.assets)
        assert found.fields.keys() >= {"stac_id", "footprint", "title", "stac"}
        json.dumps([found.fields["stac"], found.fields["properties"], grid_fields(found.assets)], allow_nan=False)
