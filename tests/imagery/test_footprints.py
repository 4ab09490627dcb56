"""Footprints of files against pyproj, a build of PROJ of its own: every point within half a pixel of the grid's edge.

An outline is brought back, edge by edge, into pixels of its file: all of it must run along the edge of the raster, and
every corner of the raster must be a corner of it.
"""

from itertools import pairwise

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.crs import CRS

from imagery.geometry import footprint_of_grid
from imagery.geometry_windows import polygon_window, window_polygon
from imagery.readers import open_scene
from tests import images

HALF_A_PIXEL = 0.5
FIXTURES = ("cogeo.tif", "RGB.byte.tif", "RGBA.uint16.tif", "rotated.tif", "rgb1_fake_nir_epsg3857.tif", "OSBS_029.tif")
ROTATED = Affine.rotation(30)


def grid(x, y, gsd, turn=None, *, south_up=False):
    return Affine.translation(x, y) @ (turn or Affine.identity()) @ Affine.scale(gsd, gsd if south_up else -gsd)


GRIDS = {
    "UTM 18 N": (32618, grid(435_730, 4_179_460, 10)),
    "UTM 34 S": (32734, grid(260_000, 6_240_000, 0.5)),
    "UTM 1 N across 180 degrees": (32601, grid(355_000, 7_400_000, 100)),
    "UTM 60 S across 180 degrees": (32760, grid(765_000, 6_000_000, 30)),
    "UTM rotated": (32633, grid(500_000, 5_300_000, 2, ROTATED)),
    "UTM south-up": (32633, grid(500_000, 5_300_000, 2, south_up=True)),
    "degrees": (4326, grid(10, 50, 1 / 3600)),
    "degrees across 180": (4326, grid(179.5, -16, 0.005)),
    "degrees from 0 to 360": (4326, grid(300, 20, 0.01)),
    "degrees rotated": (4326, grid(10, 50, 0.001, ROTATED)),
    "NAD83 degrees": (4269, grid(-100, 40, 0.001)),
    "Web Mercator": (3857, grid(1_000_000, 6_000_000, 4)),
    "Web Mercator at 80 degrees": (3857, grid(1_000_000, 15_000_000, 100)),
    "polar stereographic beside the north pole": (3413, grid(300_000, -500_000, 100)),
    "polar stereographic beside the south pole": (3031, grid(-900_000, 1_400_000, 500)),
    "universal polar stereographic": (32661, grid(2_100_000, 1_800_000, 50)),
    "around the north pole": (3413, grid(-60_000, 40_000, 400)),
    "around the south pole": (3031, grid(-600_000, 400_000, 4000)),
    "Lambert conformal conic": (2154, grid(700_000, 6_600_000, 5)),
    "Lambert azimuthal equal area": (3035, grid(4_300_000, 3_200_000, 20)),
    "Albers": (5070, grid(-500_000, 2_000_000, 30)),
    "US feet": (2263, grid(980_000, 200_000, 1)),
    "EASE": (6933, grid(5_000_000, 4_000_000, 1000)),
    "New Zealand": (2193, grid(1_570_000, 5_180_000, 10)),
}


def off_in_pixels(footprint, crs, transform, width, height):
    """Return by how many pixels an outline strays from the edge of a grid, and its worst corner."""
    back = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    inverse = ~transform
    geometry = footprint.geometry
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    strays, vertices = 0.0, []
    centre = transform @ (width / 2, height / 2)
    for polygon in polygons:
        for start, end in pairwise(polygon[0]):
            # Edges along the antimeridian and a pole are where RFC 7946 cuts, not where the raster ends.
            cut = {abs(start[0]), abs(end[0])} == {180} or {abs(start[1]), abs(end[1])} == {90}
            for share in np.linspace(0, 1, 9):
                lon, lat = (a + (b - a) * share for a, b in zip(start, end, strict=True))
                x, y = back.transform(lon, lat)
                if CRS.from_user_input(crs).is_geographic:
                    x += 360 * round((centre[0] - x) / 360)
                column, row = inverse @ (x, y)
                if share == 0:
                    vertices.append((column, row))
                if not cut:
                    outside = np.hypot(max(-column, 0, column - width), max(-row, 0, row - height))
                    inside = min(abs(column), abs(column - width), abs(row), abs(row - height))
                    strays = max(strays, outside or inside)
    around = np.asarray(vertices)
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    return strays, max(np.hypot(*(around - corner).T).min() for corner in corners)


def agrees(reader, stored=None):
    strays, corner = off_in_pixels(reader.footprint, reader.crs.to_wkt(), reader.transform, reader.width, reader.height)
    assert strays < HALF_A_PIXEL and corner < HALF_A_PIXEL, (strays, corner)
    if stored is not None:  # The same place as the file's own transform says, whichever way up it is presented.
        ends = {tuple(np.round(stored @ corner, 6)) for corner in [(0, 0), (reader.width, reader.height)]}
        shown = [(0, 0), (reader.width, reader.height), (reader.width, 0), (0, reader.height)]
        assert ends <= {tuple(np.round(reader.transform @ corner, 6)) for corner in shown}


@pytest.mark.parametrize("name", FIXTURES)
def test_real_files(data_dir, name):
    path = data_dir / "geotiff" / name
    with open_scene({"data": path}) as reader, rasterio.open(path) as dataset:
        if dataset.crs is None:
            assert reader.footprint is None and reader.note
        else:
            agrees(reader, dataset.transform)


@pytest.mark.parametrize("case", GRIDS)
def test_written_files(tmp_path, case):
    epsg, transform = GRIDS[case]
    path = images.geotiff(
        tmp_path / "a.tif", np.zeros((1, 200, 300), dtype=np.uint8), crs=f"EPSG:{epsg}", transform=transform
    )
    with open_scene({"data": path}) as reader:
        agrees(reader, transform)
        crossing = "180" in case or "around" in case
        assert reader.footprint is not None
        assert (reader.footprint.geometry["type"] == "MultiPolygon" or "around" in case) is crossing


@pytest.mark.parametrize("half", [32600, 32700], ids=["north", "south"])
def test_every_utm_zone(half):
    for zone in range(1, 61):
        transform = grid(300_000 + 3000 * zone, 9_000_000 - 140_000 * zone, 20)
        found = footprint_of_grid(CRS.from_epsg(half + zone), transform, 4000, 3000)
        strays, corner = off_in_pixels(found, f"EPSG:{half + zone}", transform, 4000, 3000)
        assert strays < HALF_A_PIXEL and corner < HALF_A_PIXEL, zone


@pytest.mark.parametrize(
    ("case", "points"),
    [("UTM 18 N", 100), ("Lambert conformal conic", 100), ("universal polar stereographic", 1200)],
)
def test_scenes_of_20_000_pixels(case, points):
    epsg, transform = GRIDS[case]
    found = footprint_of_grid(CRS.from_epsg(epsg), transform, 20_000, 20_000)
    if found is None:
        pytest.fail("the grid was refused")
    strays, corner = off_in_pixels(found, f"EPSG:{epsg}", transform, 20_000, 20_000)
    assert strays < HALF_A_PIXEL and corner < HALF_A_PIXEL
    assert sum(map(len, found.geometry["coordinates"])) < points, "no more points than the curve needs"


class Grid:
    """A place for windows."""

    def __init__(self, epsg, transform, width, height):
        self.crs, self.transform, self.width, self.height = CRS.from_epsg(epsg), transform, width, height


WINDOWED = {name: case for name, case in GRIDS.items() if "around" not in name}


@settings(max_examples=150, deadline=None)
@given(case=st.sampled_from(sorted(WINDOWED)), data=st.data())
def test_a_window_becomes_a_polygon_and_the_window_again(case, data):
    epsg, transform = WINDOWED[case]
    width, height = data.draw(st.integers(8, 1500)), data.draw(st.integers(8, 1500))
    place = Grid(epsg, transform, width, height)
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    window = (x, y, data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y)))
    polygon = window_polygon(place, window)
    assert polygon is not None
    assert polygon_window(place, polygon) == window


@settings(max_examples=60, deadline=None)
@given(
    case=st.sampled_from(["around the north pole", "around the south pole"]),
    x=st.integers(0, 250), y=st.integers(0, 150), width=st.integers(8, 300), height=st.integers(8, 200),
)  # fmt: skip
def test_windows_around_and_beside_a_pole(case, x, y, width, height):
    epsg, transform = GRIDS[case]
    place = Grid(epsg, transform, 300, 200)
    window = (x, y, min(width, 300 - x), min(height, 200 - y))
    polygon = window_polygon(place, window)
    if polygon is not None:  # An edge through the pole itself is told by no polygon.
        assert polygon_window(place, polygon) == window


def test_polygons_beside_and_across_the_edge():
    place = Grid(*GRIDS["UTM 18 N"], 1000, 800)
    wider = Grid(*GRIDS["UTM 18 N"], 5000, 5000)
    inside, beyond, beside = (
        window_polygon(wider, window) or {}
        for window in ((100, 200, 300, 100), (900, 700, 3000, 3000), (1200, 0, 50, 50))
    )
    assert polygon_window(place, inside) == (100, 200, 300, 100)
    assert polygon_window(place, beyond) == (900, 700, 100, 100)
    assert polygon_window(place, beside) is None
    elsewhere = {"type": "Polygon", "coordinates": [[[10, 50], [11, 50], [11, 51], [10, 51], [10, 50]]]}
    assert polygon_window(place, elsewhere) is None
    with pytest.raises(ValueError, match="LineString"):
        polygon_window(place, {"type": "LineString", "coordinates": []})
    nowhere = Grid(*GRIDS["UTM 18 N"], 10, 10)
    nowhere.crs = None
    assert window_polygon(nowhere, (0, 0, 5, 5)) is None and polygon_window(nowhere, elsewhere) is None
