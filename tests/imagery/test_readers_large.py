"""Large rasters: overviews are used where there are any, and memory does not follow the size where there are none."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from imagery.readers import UnreadableImage, gdal, open_scene
from tests import images

ROOT = Path(__file__).resolve().parents[2]
READ = """
import json, sys
from pathlib import Path
from django.conf import settings
settings.configure(USE_I18N=False, PILLOW_MAX_PIXELS=1, VRT_ROOTS=[])
from imagery.readers import open_scene
def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024
with open_scene({"data": Path(sys.argv[1])}) as reader:
    reader.read((0, 0, 64, 64))
    before = memory("VmRSS")
    data = reader.read(out_size=(512, 512))
    print(json.dumps({"grown_mb": memory("VmHWM") - before, "mean": float(data.array.mean())}))
"""


@pytest.mark.parametrize("layout", [{"tiled": True, "blockxsize": 512, "blockysize": 512}, {"blockysize": 1}])
def test_memory_does_not_follow_the_size_of_a_raster_without_overviews(tmp_path, layout):
    path = tmp_path / "large.tif"  # Most of its blocks are not even stored: unpacked they take as much as any.
    profile = {"driver": "GTiff", "width": 8_000, "height": 8_000, "count": 3, "dtype": "uint16", "sparse_ok": True}
    with rasterio.open(path, "w", **profile, **layout, interleave="pixel") as target:
        target.write(np.full((3, 512, 512), 40, dtype=np.uint16), window=Window(0, 0, 512, 512))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        cwd=ROOT, capture_output=True, text=True, check=True, env={},
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["mean"] == pytest.approx(40 * 512**2 / 8_000**2, rel=0.1)
    assert told["grown_mb"] < 230, "the raster has 366 MB"


def test_overviews_are_read_in_place_of_all_pixels(tmp_path):
    """The overviews of this file are told from its pixels: they are of another value."""
    path = images.geotiff(
        tmp_path / "a.tif", np.full((3, 1024, 1024), 50, dtype=np.uint8), tiled=True, blockxsize=256, blockysize=256
    )
    with rasterio.open(path, "r+") as target:
        target.build_overviews([2, 4, 8])
    for level in range(3):
        with rasterio.open(path, "r+", overview_level=level) as overview:
            overview.write(np.full((3, overview.height, overview.width), 200 + level, dtype=np.uint8))
    with open_scene({"data": path}) as reader:
        means = {size: reader.read(out_size=(size, size)).array.mean() for size in (1024, 512, 256, 128, 64, 700)}
        part = reader.read((256, 256, 512, 512), (64, 64)).array.mean()
    assert means == {1024: 50, 512: 200, 256: 201, 128: 202, 64: 202, 700: 50}
    assert part == 202


def test_a_read_that_would_take_hours_ends(tmp_path, monkeypatch):
    path = images.geotiff(tmp_path / "slow.tif", np.zeros((3, 2000, 2000), dtype=np.uint8))
    monkeypatch.setattr(gdal, "_LONGEST_READ_SECONDS", 0.0)
    monkeypatch.setattr(gdal, "_STRIPE_BYTES", 100_000)
    with open_scene({"data": path}) as reader, pytest.raises(UnreadableImage, match=r"slow\.tif takes more than"):
        reader.read(out_size=(100, 100))


def test_stripes_change_no_pixel(tmp_path, monkeypatch):
    array = np.random.default_rng(0).integers(1, 60_000, (3, 997, 1003)).astype(np.uint16)
    array[:, 400:500, 300:700] = 0
    with open_scene({"data": images.geotiff(tmp_path / "a.tif", array, nodata=0)}) as reader:
        for window, size in [(None, (101, 97)), ((13, 21, 800, 900), (64, 64)), ((0, 0, 1003, 997), (1003, 997))]:
            monkeypatch.setattr(gdal, "_STRIPE_BYTES", 1 << 40)
            expected = reader.read(window, size)
            monkeypatch.setattr(gdal, "_STRIPE_BYTES", 200_000)
            found = reader.read(window, size)
            assert np.array_equal(found.array, expected.array) and np.array_equal(found.mask, expected.mask)


def test_a_band_for_every_number_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 3000, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(path, "w", **profile, interleave="band"):
        pass
    with pytest.raises(UnreadableImage, match="3000 bands, the limit is 2000"):
        open_scene({"data": path})


@pytest.mark.parametrize("fill", [np.nan, np.inf, -np.inf, -3.4028235e38])
def test_floats_without_a_declared_nodata_hide_what_is_no_measurement(tmp_path, fill):
    array = (images.deep_ramp() / 10_000).astype(np.float32)
    array[:, :12] = fill
    with open_scene({"data": images.geotiff(tmp_path / "a.tif", array)}) as reader:
        data = reader.read()
    assert not data.mask[:12].any() and data.mask[12:].all()


def test_bigtiff(tmp_path):
    path = images.geotiff(tmp_path / "a.tif", BIGTIFF="YES")
    assert path.read_bytes()[2] == 43
    with open_scene({"data": path}) as reader, open_scene({"data": images.geotiff(tmp_path / "b.tif")}) as classic:
        assert np.array_equal(reader.read().array, classic.read().array)
