"""The offline maps: right place, right proportions, whole across the antimeridian."""

import re
from math import isclose

import pytest

from rsportal.maps.convert import topology_rings
from rsportal.maps.land import Window, clip, land_in
from rsportal.maps.view import footprint_map, latitude_label, longitude_label
from rsportal.maps.world import Cell, spots


def polygon(west, south, east, north):
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def points(path):
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path)]


def test_footprint_keeps_its_proportions_on_the_ground():
    # At 60 degrees north a degree of longitude is half as long as a degree of latitude.
    drawn = footprint_map(polygon(10, 59.5, 12, 60.5), (10, 59.5, 12, 60.5))
    xs, ys = zip(*points(drawn.footprint), strict=True)
    assert isclose(max(xs) - min(xs), max(ys) - min(ys), rel_tol=0.02)


def test_footprint_lies_in_the_middle_of_its_map():
    drawn = footprint_map(polygon(-75.7, 37.5, -75.5, 37.7), (-75.7, 37.5, -75.5, 37.7))
    assert drawn.centre == (drawn.width / 2, drawn.height / 2)
    assert not drawn.whole_world
    assert drawn.land, "the coast of Virginia is near"


def test_small_footprint_gets_a_ring_and_a_large_one_does_not():
    assert footprint_map(polygon(8, 47, 8.001, 47.001), (8, 47, 8.001, 47.001)).ringed
    assert not footprint_map(polygon(8, 47, 9, 48), (8, 47, 9, 48)).ringed


def test_footprint_across_the_antimeridian_is_drawn_in_one_piece():
    parts = [polygon(179, -18, 180, -17)["coordinates"], polygon(-180, -18, -179, -17)["coordinates"]]
    drawn = footprint_map({"type": "MultiPolygon", "coordinates": parts}, (179, -18, -179, -17))
    xs = [x for x, _ in points(drawn.footprint)]
    assert 0 < min(xs) < drawn.width / 2 < max(xs) < drawn.width
    assert isclose((min(xs) + max(xs)) / 2, drawn.width / 2, abs_tol=0.2)
    assert drawn.land, "Fiji lies on both sides"


@pytest.mark.parametrize("bbox", [(-180, -90, 180, 90), (-180, 60, 180, 90), (170, -85, -170, -60), (0, -90, 1, -89)])
def test_extreme_footprints_stay_on_the_map(bbox):
    west, south, east, north = bbox
    drawn = footprint_map(polygon(west, south, east if east > west else east + 360, north), bbox)
    assert all(-1 <= x <= drawn.width + 1 for x, _ in points(drawn.footprint))
    assert all(-1 <= y <= drawn.height + 1 for _, y in points(drawn.footprint))


def test_land_is_clipped_to_the_window():
    window = Window(5, 45, 10, 48)
    rings = land_in(window)
    assert rings
    assert all(5 <= lon <= 10 and 45 <= lat <= 48 for ring in rings for lon, lat in ring)


def test_the_middle_of_the_pacific_has_no_land():
    assert land_in(Window(-135, -40, -131, -36)) == []


def test_clip_cuts_a_square_in_half():
    half = clip([(0, 0), (2, 0), (2, 2), (0, 2)], Window(1, -5, 5, 5))
    assert sorted(set(half)) == [(1, 0), (1, 2), (2, 0), (2, 2)]


def test_conversion_cuts_rings_that_run_across_the_antimeridian():
    topology = {
        "transform": {"scale": [1, 1], "translate": [0, 0]},
        "arcs": [[[170, 0], [9, 0], [-358, 0], [0, 10], [358, 0], [-9, 0], [0, -10]]],  # 170, 179, -179 and back
        "objects": {"land": {"geometries": [{"type": "Polygon", "arcs": [[0]]}]}},
    }
    rings = topology_rings(topology, decimals=1)
    assert all(-180 <= lon <= 180 for ring in rings for lon, _ in ring)
    assert all(max(lon for lon, _ in ring) - min(lon for lon, _ in ring) <= 20 for ring in rings)


def test_labels_name_the_hemisphere():
    assert [longitude_label(lon) for lon in (0, 15, -15, 190, 180)] == ["0°", "15°E", "15°W", "170°W", "180°"]
    assert [latitude_label(lat) for lat in (0, 30, -0.5)] == ["0°", "30°N", "0.5°S"]


def test_spots_add_up_cells_of_one_place_and_grow_with_the_count():
    drawn = spots([Cell(10, 50, 30), Cell(10, 50, 70), Cell(-60, 0, 1)])
    assert [(spot.x, spot.y, spot.count) for spot in drawn] == [(10, -50, 100), (-60, 0, 1)]
    assert drawn[0].radius > drawn[1].radius > 0


def test_no_cells_no_spots():
    assert spots([]) == []
