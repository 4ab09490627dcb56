"""Pictures in Web Mercator against independent computations: PROJ for places, GDAL's warper for colours."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform

from imagery.maptiles import TILE_SIDE, BBox, lonlat_to_mercator, tile_bounds, tile_meets, zooms_of
from imagery.readers import Reader, open_scene
from imagery.rendering import Renderer
from imagery.warping import mercator_picture, pixels_at
from tests.images import geotiff
from tests.rasters import SIDE, telling, telling_raster

_SIZE = (TILE_SIDE, TILE_SIDE)
_GRIDS = {
    "utm north": ("EPSG:32618", Affine(10, 0, 435730, 0, -10, 4179460)),
    "utm south": ("EPSG:32756", Affine(30, 0, 300000, 0, -30, 6250000)),
    "web mercator": ("EPSG:3857", Affine(4.777, 0, -8239000, 0, -4.777, 4970000)),
    "degrees": ("EPSG:4326", Affine(0.001, 0, 8.5, 0, -0.001, 47.4)),
    "antimeridian": ("EPSG:4326", Affine(0.01, 0, 178.75, 0, -0.01, -16)),
    "0 to 360": ("EPSG:4326", Affine(0.01, 0, 250, 0, -0.01, 40)),
    "utm over the antimeridian": ("EPSG:32660", Affine(100, 0, 810000, 0, -100, 1_800_000)),
    "north polar": ("EPSG:3413", Affine(1000, 0, -600000, 0, -1000, -1_500_000)),
    "south polar": ("EPSG:3031", Affine(500, 0, 1_000_000, 0, -500, 1_200_000)),
    "equal area": ("EPSG:3035", Affine(25, 0, 4_321_000, 0, -25, 3_210_000)),
    "rotated": ("EPSG:32618", Affine(8.66, 5, 435730, 5, -8.66, 4179460)),
    "south-up": ("EPSG:32618", Affine(10, 0, 435730, 0, 10, 4179460)),
}


def _tile_at(lon: float, lat: float, z: int) -> tuple[int, int, int]:
    x, y = lonlat_to_mercator((lon + 180) % 360 - 180, lat)
    half = np.pi * 6378137
    return z, int((x + half) / (2 * half) * (1 << z)), int((half - y) / (2 * half) * (1 << z))


def _truth(path: Path, bounds: tuple[float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return columns and rows of the stored grid at every pixel of a tile: PROJ point by point, nothing shared."""
    left, bottom, right, top = bounds
    x = left + (np.arange(TILE_SIDE) + 0.5) * (right - left) / TILE_SIDE
    y = top - (np.arange(TILE_SIDE) + 0.5) * (top - bottom) / TILE_SIDE
    xx, yy = np.meshgrid(x, y)
    lon = np.degrees(xx / 6378137)
    lat = np.degrees(2 * np.arctan(np.exp(yy / 6378137)) - np.pi / 2)
    with rasterio.open(path) as data:
        xs, ys = transform("EPSG:4326", data.crs, lon.ravel(), lat.ravel())
        best = None
        turns = {"EPSG:4326": 360.0, "EPSG:3857": 2 * np.pi * 6378137}.get(str(data.crs), 0.0)
        for turn in (-turns, 0.0, turns):
            back, px, py = ~data.transform, np.asarray(xs) + turn, np.asarray(ys)
            columns, rows = back.a * px + back.b * py + back.c, back.d * px + back.e * py + back.f
            inside = (columns >= 0) & (columns < SIDE) & (rows >= 0) & (rows < SIDE)
            if best is None or inside.sum() > best[0]:
                best = (inside.sum(), columns, rows)
    assert best is not None
    return best[1].reshape(xx.shape), best[2].reshape(xx.shape)


def bbox_of(reader: Reader) -> BBox:
    """Return the bounding box of a scene that has a place."""
    assert reader.footprint is not None
    return reader.footprint.bbox


@pytest.mark.parametrize("name", _GRIDS)
def test_every_pixel_shows_the_place_it_should(tmp_path, name):
    crs, grid = _GRIDS[name]
    path = telling_raster(tmp_path / "raster.tif", crs, grid)
    with open_scene({"data": path}) as reader:
        west, south, east, north = bbox_of(reader)
        zoom = zooms_of(bbox_of(reader), reader.gsd_m or 1.0).most
        middle = (west + (east if west <= east else east + 360)) / 2
        renderer = Renderer(reader)
        seen = 0
        for lon, lat in ((middle, (south + north) / 2), (west + 1e-6, (south + north) / 2), (middle, north - 1e-6)):
            bounds = tile_bounds(*_tile_at(lon, lat, zoom))
            picture = mercator_picture(renderer, bounds, _SIZE, bbox=bbox_of(reader))
            columns, rows = _truth(path, bounds)
            inside = (columns > 1) & (columns < SIDE - 1) & (rows > 1) & (rows < SIDE - 1)
            outside = (columns < -1) | (columns > SIDE + 1) | (rows < -1) | (rows > SIDE + 1)
            assert (picture[inside][:, 3] == 255).all()
            assert (picture[outside] == 0).all()
            # A sample's value is the number of its column; its centre lies half a pixel further.
            assert np.abs(picture[inside][:, 0] - (columns[inside] - 0.5)).max() <= 1.0
            assert np.abs(picture[inside][:, 1] - (rows[inside] - 0.5)).max() <= 1.0
            seen += int(inside.sum())
        assert seen > 5_000


@pytest.mark.parametrize("name", _GRIDS)
def test_from_afar_a_scene_is_where_it_is_and_nowhere_else(tmp_path, name):
    """The tiles of zooms 0 to 3: far away, projections mean nothing, fail, or mean somewhere else again."""
    crs, grid = _GRIDS[name]
    path = telling_raster(tmp_path / "raster.tif", crs, grid)
    with open_scene({"data": path}) as reader:
        west, south, east, north = bbox_of(reader)
        seen = 0
        for z in range(4):
            bounds = [
                tile_bounds(z, x, y)
                for x in range(1 << z)
                for y in range(1 << z)
                if tile_meets(z, x, y, bbox_of(reader))
            ]
            for left, bottom, right, top in bounds:
                columns, rows = pixels_at(reader, (left, bottom, right, top), _SIZE, bbox=bbox_of(reader))
                off = 0.25 * 360 / (TILE_SIDE << z)  # A quarter of a pixel of the picture.
                row, column = np.nonzero((columns >= 0) & (columns < SIDE) & (rows >= 0) & (rows < SIDE))
                lon = np.degrees((left + (column + 0.5) * (right - left) / TILE_SIDE) / 6378137)
                lat = np.degrees(np.arctan(np.sinh((top - (row + 0.5) * (top - bottom) / TILE_SIDE) / 6378137)))
                lon = west - off + (lon - west + off) % 360
                assert (lon - 1e-6 <= (east if west <= east else east + 360) + off).all()
                assert ((lat >= south - off) & (lat <= north + off)).all()
                seen += len(lon)
        if (east - west) % 360 > 2:  # Else it may lie between the pixels.
            assert seen


def test_a_scene_placed_by_control_points(tmp_path):
    """Its points lie on a rotated grid, so every pixel's place is known."""
    crs, grid = _GRIDS["rotated"]
    path = tmp_path / "points.tif"
    places = [(column, row) for column in (0, 125, SIDE) for row in (0, 125, SIDE)]
    points = [
        GroundControlPoint(row=row, col=column, x=x, y=y)
        for column, row in places
        for x, y in [(grid.a * column + grid.b * row + grid.c, grid.d * column + grid.e * row + grid.f)]
    ]
    with rasterio.open(
        path, "w", driver="GTiff", width=SIDE, height=SIDE, count=3, dtype="uint8", crs=crs, gcps=points
    ) as target:
        target.write(telling())
    plain = telling_raster(tmp_path / "grid.tif", crs, grid)
    with open_scene({"data": path}) as reader, open_scene({"data": plain}) as truth:
        west, south, east, north = bbox_of(truth)
        bounds = tile_bounds(*_tile_at((west + east) / 2, (south + north) / 2, 14))
        found = mercator_picture(Renderer(reader), bounds, _SIZE, bbox=bbox_of(reader)).astype(int)
        wanted = mercator_picture(Renderer(truth), bounds, _SIZE, bbox=bbox_of(truth)).astype(int)
    both = (found[..., 3] > 0) & (wanted[..., 3] > 0)
    assert both.sum() > 0.97 * (wanted[..., 3] > 0).sum() > 10_000
    assert np.percentile(np.abs(found - wanted)[both][:, :2], 99) <= 1.5


def test_colours_agree_with_the_warper_of_gdal(tmp_path):
    crs, grid = _GRIDS["utm north"]
    rng = np.random.default_rng(3)
    noise = np.repeat(np.repeat(rng.integers(0, 255, (3, 25, 25)), 10, axis=1), 10, axis=2).astype(np.uint8)
    path = geotiff(tmp_path / "raster.tif", noise, crs=crs, transform=grid)
    with open_scene({"data": path}) as reader, rasterio.open(path) as data:
        bounds = tile_bounds(*_tile_at(-75.716, 37.75, 14))
        left, bottom, right, top = bounds
        ours = mercator_picture(Renderer(reader), bounds, _SIZE, bbox=bbox_of(reader))
        with WarpedVRT(
            data, crs="EPSG:3857", transform=Affine((right - left) / 256, 0, left, 0, (bottom - top) / 256, top),
            width=256, height=256, resampling=Resampling.bilinear, add_alpha=True, tolerance=0.01,
        ) as warped:  # fmt: skip
            theirs = np.moveaxis(warped.read(), 0, -1).astype(int)
    both = (ours[..., 3] > 0) & (theirs[..., 3] == 255)
    assert both.mean() > 0.5
    off = np.abs(ours[both][:, :3].astype(int) - theirs[both][:, :3])
    assert np.percentile(off, 99) <= 2
    assert ((ours[..., 3] > 0) != (theirs[..., 3] > 0)).mean() < 0.01


def test_pixels_without_data_are_transparent_and_do_not_bleed(tmp_path):
    array = np.full((3, 100, 100), 200, dtype=np.uint8)
    array[:, 40:60, 40:60] = 0
    path = geotiff(tmp_path / "hole.tif", array, nodata=0, transform=_GRIDS["utm north"][1])
    with open_scene({"data": path}) as reader:
        west, south, east, north = bbox_of(reader)
        picture = mercator_picture(
            Renderer(reader),
            tile_bounds(*_tile_at((west + east) / 2, (south + north) / 2, 15)),
            _SIZE,
            bbox=bbox_of(reader),
        )
    data = picture[..., 3] == 255
    assert (picture[~data] == 0).all()
    assert (picture[data][:, :3] == 200).all()
    assert 0.02 < (~data).mean() < 0.9


def test_a_large_raster_is_read_from_its_overviews(tmp_path, monkeypatch):
    """A picture of all of a large scene asks for few pixels, whatever the scene holds."""
    crs, grid = _GRIDS["utm north"]
    path = tmp_path / "large.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=6000, height=6000, count=1, dtype="uint8", crs=crs, transform=grid,
        tiled=True, compress="deflate",
    ) as target:  # fmt: skip
        target.write(np.full((6000, 6000), 90, dtype=np.uint8), 1)
        target.build_overviews([2, 4, 8, 16], Resampling.average)
    with open_scene({"data": path}) as reader:
        asked = []
        read = reader.read

        def watched(*args):
            asked.append(args)
            return read(*args)

        monkeypatch.setattr(reader, "read", watched)
        west, south, east, north = bbox_of(reader)
        bounds = tile_bounds(*_tile_at((west + east) / 2, (south + north) / 2, 9))
        picture = mercator_picture(Renderer(reader), bounds, _SIZE, bbox=bbox_of(reader))
    sizes = [args[1] for args in asked]
    assert sizes
    assert all(max(size) <= 1024 for size in sizes)
    assert (picture[..., 3] == 255).any()
