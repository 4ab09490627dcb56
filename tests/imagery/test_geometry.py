"""Footprints, boxes and ground sample distances, against independent computations."""

import math
from itertools import pairwise

import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform as warp
from rasterio.warp import transform_bounds

from imagery.geometry import footprint_of_grid, footprint_of_window, gsd_of_grid

MERCATOR_HALF = 20037508.342789244


def rings(footprint):
    geometry = footprint.geometry
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [polygon[0] for polygon in polygons]


def area(ring):
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring)) / 2


def well_formed(footprint):
    west, south, east, north = footprint.bbox
    assert -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90
    assert (footprint.geometry["type"] == "MultiPolygon") == (west > east)
    for ring in rings(footprint):
        assert ring[0] == ring[-1] and len(ring) >= 4
        assert area(ring) > 0, "outer rings run counterclockwise"
        assert all(-180 <= lon <= 180 and -90 <= lat <= 90 for lon, lat in ring)
    return True


def foot(epsg, transform, width, height):
    return footprint_of_grid(CRS.from_epsg(epsg), transform, width, height)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.integers(1, 60),
    easting=st.floats(200_000, 750_000),
    northing=st.floats(100_000, 8_500_000),
    gsd=st.sampled_from([0.1, 0.5, 10.0, 30.0]),
    side=st.integers(10, 3000),
    turn=st.floats(-180, 180),
)
def test_any_utm_grid_lies_where_its_corners_lie(zone, easting, northing, gsd, side, turn):
    crs = CRS.from_epsg(32600 + zone)
    grid = Affine.translation(easting, northing) @ Affine.rotation(turn) @ Affine.scale(gsd, -gsd)
    found = footprint_of_grid(crs, grid, side, side)
    assert found is not None and well_formed(found)
    corners = [(grid.a * x + grid.b * y + grid.c, grid.d * x + grid.e * y + grid.f)
               for x, y in [(0, 0), (side, 0), (side, side), (0, side)]]  # fmt: skip
    lons, lats = warp(crs, "EPSG:4326", [c[0] for c in corners], [c[1] for c in corners])
    west, south, east, north = found.bbox
    for lon, lat in zip(lons, lats, strict=True):
        assert south - 1e-6 <= lat <= north + 1e-6
        inside = west - 1e-6 <= lon <= east + 1e-6 if west <= east else lon >= west - 1e-6 or lon <= east + 1e-6
        assert inside
    assert gsd_of_grid(crs, grid, side, side) == pytest.approx(gsd, rel=0.011)


@settings(max_examples=60, deadline=None)
@given(
    west=st.floats(-180, 179.9),
    width=st.integers(1, 300),
    north=st.floats(-60, 89.9),
    height=st.integers(1, 250),
)
def test_any_geographic_grid_has_its_own_box(west, width, north, height):
    step = 0.1
    found = foot(4326, Affine(step, 0, west, 0, -step, north), width, height)
    assert found is not None and well_formed(found)
    assert found.bbox[0] == pytest.approx(west if west < 180 else west - 360, abs=1e-6)
    assert (found.bbox[2] - found.bbox[0]) % 360 == pytest.approx(width * step, abs=1e-5)
    assert sum(area(ring) for ring in rings(found)) == pytest.approx(width * step * height * step, rel=1e-4)


def test_edges_are_curves_not_chords():
    """The top edge of a UTM grid bulges beyond its corners; rasterio's densified bounds say by how much."""
    grid = Affine(1000, 0, 200_000, 0, -1000, 6_500_000)
    found = foot(32632, grid, 600, 600)
    assert found is not None
    expected = transform_bounds("EPSG:32632", "EPSG:4326", 200_000, 5_900_000, 800_000, 6_500_000, densify_pts=32)
    assert found.bbox == pytest.approx(expected, abs=2e-3)
    corner_lats = warp("EPSG:32632", "EPSG:4326", [200_000, 800_000], [6_500_000, 6_500_000])[1]
    assert found.bbox[3] > max(corner_lats) + 0.01


def test_across_the_antimeridian():
    found = foot(4326, Affine(0.1, 0, 170, 0, -0.1, 10), 200, 100)
    assert found is not None and well_formed(found)
    assert found.bbox == (170, 0, -170, 10)
    assert len(rings(found)) == 2


def test_utm_across_the_antimeridian():
    found = foot(32601, Affine(1000, 0, 100_000, 0, -1000, 7_500_000), 600, 100)
    assert found is not None and well_formed(found)
    assert found.bbox[0] > 170 and found.bbox[2] < -170


@pytest.mark.parametrize(("epsg", "pole"), [(3031, -90), (3413, 90)])
def test_around_a_pole(epsg, pole):
    found = foot(epsg, Affine(10_000, 0, -1_000_000, 0, -10_000, 1_000_000), 200, 200)
    assert found is not None and well_formed(found)
    assert (found.bbox[0], found.bbox[2]) == (-180, 180)
    assert pole in (found.bbox[1], found.bbox[3])
    inner = found.bbox[3] if pole < 0 else found.bbox[1]
    corner = warp(f"EPSG:{epsg}", "EPSG:4326", [-1_000_000], [1_000_000])[1][0]
    assert inner == pytest.approx(corner, abs=1e-4)
    # A point well inside and one well outside the square, at the same distance from the pole's parallel.
    ring = rings(found)[0]
    lats = sorted(abs(lat) for _, lat in ring if abs(lat) < 90)
    assert lats[0] < abs(warp(f"EPSG:{epsg}", "EPSG:4326", [0], [1_000_000])[1][0]) <= lats[-1] + 0.01


def test_beside_a_pole():
    found = foot(3031, Affine(10_000, 0, 100_000, 0, -10_000, 1_000_000), 50, 50)
    assert found is not None and well_formed(found)
    assert found.bbox[2] - found.bbox[0] < 60


@pytest.mark.parametrize(
    ("epsg", "grid", "size"),
    [
        (3857, Affine(2 * MERCATOR_HALF / 256, 0, -MERCATOR_HALF, 0, -2 * MERCATOR_HALF / 256, MERCATOR_HALF), 256),
        (4326, Affine(1, 0, -180, 0, -0.5, 90), 360),
        (4326, Affine(1, 0, 0, 0, -0.5, 90), 360),
        (4326, Affine(1, 0, -180.5, 0, -0.5, 90.25), 361),
    ],
)
def test_the_whole_world(epsg, grid, size):
    found = foot(epsg, grid, size, size)
    assert found is not None and well_formed(found)
    assert (found.bbox[0], found.bbox[2]) == (-180, 180)


@pytest.mark.parametrize(
    ("epsg", "grid"),
    [
        (32618, Affine(10, 0, 9e7, 0, -10, 4_000_000)),
        (4326, Affine(10, 0, 0, 0, -10, 500)),
        (4326, Affine(0.001, 0, 500, 0, -0.001, 45)),  # metres of a local grid, called degrees
        (4326, Affine(1, 0, 0, 0, 0, 0)),
        (32618, Affine(math.inf, 0, 0, 0, -10, 0)),
        (3413, Affine(10_000, 0, 0, 0, -10_000, 1_000_000)),  # its edge runs through the pole
    ],
)
def test_what_cannot_be_told_is_refused(epsg, grid):
    assert foot(epsg, grid, 200, 200) is None


@pytest.mark.parametrize(
    ("epsg", "grid", "metres"),
    [
        (32618, Affine(10, 0, 435730, 0, -10, 4179460), 10),
        (4326, Affine(1 / 3600, 0, 10, 0, -1 / 3600, 60), 21.85),  # 30.9 m north, 15.5 m east at 60 degrees
        (3857, Affine(10, 0, 0, 0, -10, 8_399_737), 5.0),  # Web Mercator doubles lengths at 60 degrees
        (2263, Affine(1, 0, 980_000, 0, -1, 200_000), 0.3048),  # US feet
    ],
)
def test_ground_sample_distance(epsg, grid, metres):
    assert gsd_of_grid(CRS.from_epsg(epsg), grid, 10, 10) == pytest.approx(metres, rel=0.01)


def test_windows_tile_their_scene():
    crs, grid = CRS.from_epsg(32618), Affine(10, 0, 435730, 0, -10, 4179460)
    whole = footprint_of_grid(crs, grid, 1000, 1000)
    corner = footprint_of_window(crs, grid, (500, 500, 500, 500))
    assert whole is not None and corner is not None
    assert corner.bbox[1] == pytest.approx(whole.bbox[1], abs=1e-3)
    assert corner.bbox[0] > whole.bbox[0] + 0.04
    assert area(rings(corner)[0]) == pytest.approx(area(rings(whole)[0]) / 4, rel=0.01)


def test_real_files(data_dir):
    for name in ("cogeo.tif", "RGB.byte.tif", "RGBA.uint16.tif", "OSBS_029.tif", "rgb1_fake_nir_epsg3857.tif"):
        with rasterio.open(data_dir / "geotiff" / name) as dataset:
            found = footprint_of_grid(dataset.crs, dataset.transform, dataset.width, dataset.height)
            expected = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds, densify_pts=32)
        assert found is not None and well_formed(found)
        assert found.bbox == pytest.approx(expected, abs=1e-4), name
