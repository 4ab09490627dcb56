"""Drawn and pasted areas: read with a sentence for what is wrong, and met by exactly the scenes they meet."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import Polygon
from shapely.affinity import translate
from shapely.geometry import shape

from imagery.area import MAX_POINTS, area_parse
from imagery.models import Scene
from rsportal.errors import InvalidInput
from tests.factories import make_collection, make_scene

SQUARE = {"type": "Polygon", "coordinates": [[[10, 50], [12, 50], [12, 52], [10, 52], [10, 50]]]}
HOLED = {
    "type": "Polygon",
    "coordinates": [
        [[0, 0], [30, 0], [30, 30], [0, 30], [0, 0]],
        [[10, 10], [10, 20], [20, 20], [20, 10], [10, 10]],
    ],
}


def box(west, south, east, north):
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


@pytest.mark.parametrize(
    "given_area",
    [
        SQUARE,
        {"type": "Feature", "properties": {}, "geometry": SQUARE},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": SQUARE}]},
        {"type": "GeometryCollection", "geometries": [SQUARE]},
        {"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"]]},
    ],
)
def test_every_wrapping_of_a_polygon_is_the_same_area(given_area):
    area = area_parse(json.dumps(given_area))
    assert shape(area.as_geojson()).equals(shape(SQUARE))
    assert area_parse(str(area)) == area


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("", "GeoJSON"),
        ("[1]", "GeoJSON"),
        ("{", "GeoJSON"),
        ('{"type":"Polygon"}', "coordinates"),
        ('{"type":"Polygon","coordinates":[[]]}', "coordinates"),
        ('{"type":"Circle","coordinates":[1,2]}', "Circle"),
        ('{"type":"Polygon","coordinates":[[[0,0],[1,1]]]}', "cannot be read"),
        ('{"type":"Polygon","coordinates":[[[0,0],[2,2],[2,0],[0,2],[0,0]]]}', "crosses"),
        ('{"type":"Polygon","coordinates":[[[50,100],[51,100],[51,101],[50,100]]]}', "not on Earth"),
        ('{"type":"Polygon","coordinates":[[["a","b"],[1,1],[2,0],[0,0]]]}', "longitude"),
        ('{"type":"FeatureCollection","features":[]}', "no geometry"),
        ('{"type":"Polygon","coordinates":[[[0,0],[0,1e999],[2,0],[0,0]]]}', "longitude"),
    ],
)
def test_what_is_no_area_is_refused_with_a_sentence(raw, says):
    with pytest.raises(InvalidInput) as refused:
        area_parse(raw)
    assert refused.value.field == "intersects"
    assert says in refused.value.message


def test_an_area_of_many_points_is_simplified_and_says_by_how_much():
    round_lake = shape({"type": "Point", "coordinates": [10, 50]}).buffer(1, quad_segs=500)
    area = area_parse(round_lake.__geo_interface__)
    assert sum(len(ring) for polygon in area.polygons for ring in polygon) <= MAX_POINTS
    found = shape(area.as_geojson())
    assert 0 < area.tolerance < 0.01
    assert found.symmetric_difference(round_lake).area < 2 * area.tolerance * round_lake.length


def test_points_and_lines_are_thin_areas():
    assert (
        shape(area_parse({"type": "Point", "coordinates": [10, 50]}).as_geojson()).distance(
            Polygon(SQUARE["coordinates"][0])
        )
        == 0
    )
    line = area_parse({"type": "LineString", "coordinates": [[9, 49], [13, 53]]})
    assert shape(line.as_geojson()).intersects(shape(SQUARE))


def found_by(given_area):
    return set(Scene.objects.meeting(area_parse(given_area)).values_list("title", flat=True))


def scene_at(collection, title, footprint):
    return make_scene(collection, title=title, footprint=footprint)


@pytest.mark.django_db
def test_a_scene_is_found_by_what_it_covers_not_by_its_box():
    collection = make_collection()
    scene_at(collection, "slanted", {"type": "Polygon", "coordinates": [[[0, 0], [10, 10], [0, 10], [0, 0]]]})
    scene_at(collection, "nowhere", None)
    assert found_by(box(8, 0, 9, 1)) == set()  # Inside its box, outside the triangle.
    assert found_by(box(0.5, 5, 0.6, 5.1)) == {"slanted"}  # The area lies in the scene,
    assert found_by(box(-5, -5, 20, 20)) == {"slanted"}  # the scene in the area,
    assert found_by(box(-5, 4, 20, 5)) == {"slanted"}  # or they cross without a corner in the other.


@pytest.mark.django_db
def test_a_scene_wholly_in_a_hole_is_not_found():
    collection = make_collection()
    scene_at(collection, "in the hole", box(12, 12, 13, 13))
    scene_at(collection, "over its edge", box(19, 12, 21, 13))
    scene_at(collection, "covers the hole", box(5, 5, 25, 25))
    assert found_by(HOLED) == {"over its edge", "covers the hole"}


@pytest.mark.django_db
def test_places_across_the_antimeridian_are_found_however_they_are_named():
    collection = make_collection()
    fiji = {
        "type": "MultiPolygon",
        "coordinates": [box(178, -19, 180, -16)["coordinates"], box(-180, -19, -179, -16)["coordinates"]],
    }
    scene_at(collection, "fiji", fiji)
    scene_at(collection, "east", box(-179.5, -18, -179.2, -17))
    scene_at(collection, "west", box(179.2, -18, 179.5, -17))
    everything = {"fiji", "east", "west"}
    assert found_by(box(179, -18, 181, -17)) == everything
    assert found_by(box(-181, -18, -179, -17)) == everything
    assert found_by(box(-179.9, -18, -179, -17)) == {"fiji", "east"}
    assert found_by(box(0, -18, 1, -17)) == set()
    hole = {
        "type": "Polygon",
        "coordinates": [box(170, -30, 190, 0)["coordinates"][0], box(177, -20, 182, -15)["coordinates"][0][::-1]],
    }
    assert found_by(hole) == set()


corner = st.tuples(st.integers(-179, 178), st.integers(-80, 78))


@st.composite
def triangles(draw):
    points = draw(st.lists(corner, min_size=3, max_size=3, unique=True))
    made = Polygon(points)
    return (
        made
        if made.area > 1
        else Polygon([points[0], (points[0][0] + 1, points[0][1]), (points[0][0], points[0][1] + 1)])
    )


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    footprints=st.lists(triangles(), min_size=1, max_size=4), asked=triangles(), turn=st.sampled_from([-360, 0, 360])
)
def test_the_database_agrees_with_shapely(footprints, asked, turn):
    collection = make_collection()
    for number, footprint in enumerate(footprints):
        scene_at(collection, str(number), footprint.__geo_interface__)
    named = translate(asked, xoff=turn)
    found = set(
        Scene.objects.filter(collection=collection)
        .meeting(area_parse(named.__geo_interface__))
        .values_list("title", flat=True)
    )
    assert found == {str(number) for number, footprint in enumerate(footprints) if footprint.intersects(asked)}
