"""Rasters placed by ground control points and RPCs, against computations that share no code with the reader."""

import math

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC

from imagery.readers import open_scene
from imagery.rendering import Renderer
from tests import images

WIDTH, HEIGHT = 300, 200


def positions():
    """Return (3, h, w) uint16 whose samples tell their own column, row and 1000."""
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    return np.stack([columns * 100 + 50, rows * 100 + 50, np.full_like(rows, 1000)]).astype(np.uint16)


def bent(column, row):
    """A curved mapping of pixels to UTM 33 N metres, by hand."""
    return (
        500_000 + 9.6 * column + 2.5 * row + 0.002 * column * row,
        5_000_000 + 2.2 * column - 9.8 * row + 0.003 * column * column,
    )


def waved(column, row):
    """A mapping that no polynomial of the second order meets."""
    x, y = bent(column, row)
    return x + 30 * math.sin(column / 40), y + 30 * math.cos(row / 30)


def with_points(path, mapping, *, crs="EPSG:32633", side=5, to=None):
    images.geotiff(path, positions(), crs=None, transform=None)
    warp = (lambda x, y: (x, y)) if to is None else Transformer.from_crs(crs, to, always_xy=True).transform
    points = [
        GroundControlPoint(row, column, *warp(*mapping(column, row)))
        for column in np.linspace(0, WIDTH, side)
        for row in np.linspace(0, HEIGHT, side)
    ]
    with rasterio.open(path, "r+") as target:
        target.gcps = (points, CRS.from_string(to or crs))
    return path


def corners(reader):
    """Return the vertices of the footprint in metres of UTM 33 N."""
    ring = reader.footprint.geometry["coordinates"][0]
    warp = Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True).transform
    return np.asarray([warp(*point) for point in ring])


def shown_where(reader, mapping, spots, size=None):
    """Return by how many source pixels the pixels shown at the ``spots`` (column, row) are not those of the file."""
    whole = reader.read(out_size=size)
    scale = 1 if size is None else size[0] / reader.width
    off = []
    for column, row in spots:
        x, y = mapping(column, row)
        shown_x, shown_y = (~reader.transform) @ (x, y)
        at = (int(shown_y * scale), int(shown_x * scale))
        assert whole.mask[at]
        off.append(math.hypot(whole.array[0][at] / 100 - column, whole.array[1][at] / 100 - row))
    return max(off)


SPOTS = [(20, 30), (150, 100), (280, 170), (40, 180), (260, 15), (150.5, 33.5)]


@pytest.mark.parametrize(("mapping", "side"), [(bent, 5), (waved, 12)], ids=["polynomial", "spline"])
@pytest.mark.parametrize("to", [None, "EPSG:4326"], ids=["projected points", "longitudes and latitudes"])
def test_control_points_place_outline_and_pixels(tmp_path, mapping, side, to):
    with open_scene({"data": with_points(tmp_path / "a.tif", mapping, side=side, to=to)}) as reader:
        assert reader.proj_code == "EPSG:32633" and reader.note == ""
        assert reader.gsd_m == pytest.approx(10, rel=0.1) and reader.transform is not None
        found = corners(reader)
        for corner in [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]:
            assert np.hypot(*(found - mapping(*corner)).T).min() < 5, "half a pixel"
        assert shown_where(reader, mapping, SPOTS) < 1.2
        assert shown_where(reader, mapping, SPOTS, (reader.width // 2, reader.height // 2)) < 2.5
        x, y = (round(value) for value in (~reader.transform) @ mapping(150, 100))
        part = reader.read((x - 16, y - 16, 32, 32))
        assert part.mask.all()
        assert np.abs(part.array.astype(int) - reader.read().array[:, y - 16 : y + 16, x - 16 : x + 16]).max() < 60
        assert not reader.read().mask[0, 0], "the corners of the grid lie outside the raster"
        assert Renderer(reader).render(None, (64, 48)).array.std() > 10


def test_points_on_a_plain_grid_need_no_other_pixels(tmp_path):
    def plain(column, row):
        return 500_000 + 8 * column + 6 * row, 5_000_000 + 6 * column - 8 * row

    with open_scene({"data": with_points(tmp_path / "a.tif", plain)}) as reader:
        assert (reader.width, reader.height) == (WIDTH, HEIGHT)
        assert np.array_equal(reader.read().array, positions())
        assert reader.transform is not None
        assert reader.transform.almost_equals(rasterio.Affine(8, 6, 500_000, 6, -8, 5_000_000), precision=1e-6)


def test_points_on_both_sides_of_the_antimeridian(tmp_path):
    def beyond(column, row):
        lon = 179.95 + column / 3000 + 1e-8 * column * row
        return (lon if lon <= 180 else lon - 360), 10 - row / 3000 + 2e-9 * column * column

    path = with_points(tmp_path / "a.tif", beyond, crs="EPSG:4326")
    with open_scene({"data": path}) as reader:
        assert reader.footprint is not None
        west, _south, east, _north = reader.footprint.bbox
        assert west == pytest.approx(179.95, abs=1e-4)
        assert east == pytest.approx(-179.95, abs=1e-3)
        assert reader.footprint.geometry["type"] == "MultiPolygon"
        assert reader.read().mask.mean() > 0.9


@pytest.mark.parametrize(
    ("points", "crs", "word"),
    [
        ([(0, 0, 5e5, 5e6), (0, 100, 5.01e5, 5e6)], "EPSG:32633", "few"),
        ([(0, 0, 5e5, 5e6), (50, 50, 5.005e5, 5e6), (100, 100, 5.01e5, 5e6)], "EPSG:32633", "few"),
        ([(0, 0, 5e5, 5e6), (0, 300, 5e5, 5e6), (200, 0, 5e5, 5e6), (200, 300, 5e5, 5e6)], "EPSG:32633", "usable"),
        ([(0, 0, 0, 0), (0, 300, 9, 0), (200, 300, 0, 1), (200, 0, 9, 1)], "EPSG:4326", "usable"),  # crossed
        ([(0, 0, 5e5, 9e9), (0, 300, 6e5, 9e9), (200, 0, 5e5, 8e9), (200, 300, 7e5, 8e9)], "EPSG:32633", ""),
        ([(0, 0, 5e5, 5e6), (0, 300, 6e5, 5e6), (200, 0, 5e5, 4e6)], None, "name no coordinate"),
    ],
)
def test_points_that_make_no_grid_are_a_note_and_never_a_place(tmp_path, points, crs, word):
    path = images.geotiff(tmp_path / "a.tif", positions(), crs=None, transform=None)
    with rasterio.open(path, "r+") as target:
        target.gcps = ([GroundControlPoint(*point) for point in points], CRS.from_string(crs) if crs else CRS())
    with open_scene({"data": path}) as reader:
        assert reader.footprint is None and word in reader.note and reader.note
        assert np.array_equal(reader.read().array, positions())


def rpc(**more):
    """Return an RPC whose mapping is plain enough to be inverted by hand; higher places lie further east."""
    zero = [0.0] * 20
    values = {
        "height_off": 120.0, "height_scale": 500.0, "lat_off": 45.0, "lat_scale": 0.01, "long_off": 13.0,
        "long_scale": 0.015, "line_off": HEIGHT / 2, "line_scale": HEIGHT / 2, "samp_off": WIDTH / 2,
        "samp_scale": WIDTH / 2, "line_den_coeff": [1.0, *zero[1:]], "samp_den_coeff": [1.0, *zero[1:]],
        "line_num_coeff": [0.0, 0.0, -1.0, 0.0, *zero[4:]], "samp_num_coeff": [0.0, 1.0, 0.0, 0.2, *zero[4:]],
        "err_bias": None, "err_rand": None,
    }  # fmt: skip
    return RPC(**(values | more))


def test_rpcs_place_outline_and_pixels(tmp_path):
    path = images.geotiff(tmp_path / "a.tif", positions(), crs=None, transform=None)
    with rasterio.open(path, "r+") as target:
        target.rpcs = rpc()

    def mapping(column, row):
        # Samples and lines are told at pixel centres; at the RPC's own mean height the fourth term is zero.
        lon = 13 + 0.015 * (column - 0.5 - WIDTH / 2) / (WIDTH / 2)
        lat = 45 - 0.01 * (row - 0.5 - HEIGHT / 2) / (HEIGHT / 2)
        return Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True).transform(lon, lat)

    with open_scene({"data": path}) as reader:
        assert reader.proj_code == "EPSG:32633"
        assert reader.gsd_m is not None and reader.transform is not None
        found = corners(reader)
        for corner in [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]:
            assert np.hypot(*(found - mapping(*corner)).T).min() < reader.gsd_m / 2
        assert shown_where(reader, mapping, SPOTS) < 1.2
        x, y = (round(value) for value in (~reader.transform) @ mapping(150, 100))
        part = reader.read((x - 16, y - 16, 32, 32))
        assert np.abs(part.array.astype(int) - reader.read().array[:, y - 16 : y + 16, x - 16 : x + 16]).max() < 60


def test_rpcs_of_nowhere_are_a_note(tmp_path):
    path = images.geotiff(tmp_path / "a.tif", positions(), crs=None, transform=None)
    with rasterio.open(path, "r+") as target:
        target.rpcs = rpc(lat_off=4500.0)
    with open_scene({"data": path}) as reader:
        assert reader.footprint is None and "RPCs" in reader.note
