"""Windows of large scenes drawn in one walk: the same pictures as read one by one, in bounded memory."""

from typing import cast

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin

from imagery import sweep
from imagery.readers import Reader, open_scene
from imagery.rendering import Renderer
from imagery.sweep import window_drawn, windows_drawn, windows_swept
from imagery.tiling import TileRule, TileWindow, tile_windows

IMAGE_SIZE = 64


def land(width, height, bands=3, seed=1):
    """Smooth patches with a few hard edges, 20 to 235; (bands, h, w) float32."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    planes = []
    for band in range(bands):
        plane = 110 + 50 * np.sin(x / (37 + 9 * band)) + 45 * np.cos(y / (53 - 7 * band))
        for left, top in random.integers(0, max(width, height), (12, 2)):
            plane[top : top + 90, left : left + 60] += 20
        planes.append(np.clip(plane, 20, 235))
    return np.stack(planes)


def written(path, array, *, block=None, nodata=None, scale=1):
    data = (array * scale).astype("uint8" if scale == 1 else "uint16")
    layout = {"tiled": True, "blockxsize": block, "blockysize": block} if block else {}
    with rasterio.open(
        path, "w", driver="GTiff", width=data.shape[2], height=data.shape[1], count=len(data), dtype=data.dtype,
        crs="EPSG:32632", transform=from_origin(300_000, 5_400_000, 10, 10), nodata=nodata, **layout,
    ) as file:  # fmt: skip
        file.write(data)
    return {"data": path}


def off(image, other):
    return float(np.abs(np.asarray(image, np.int16) - np.asarray(other, np.int16)).mean())


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        ((1500, 900), {"block": 128}),
        ((1501, 907), {"block": 256}),
        ((700, 1999), {}),
        ((300, 2100), {"block": 64}),  # A strip: windows as wide as the scene.
        ((1333, 1111), {"scale": 40}),
        ((1333, 1111), {"scale": 40, "block": 512}),
    ],
)
@pytest.mark.parametrize("image_size", [64, 100, 224, 384])
def test_a_walk_draws_what_reading_one_by_one_draws(tmp_path, size, layout, image_size):
    files = written(tmp_path / "scene.tif", land(*size), **layout)
    windows = tile_windows(*size)[1:]
    assert len({window.level for window in windows}) >= 2
    with open_scene(files) as reader:
        renderer = Renderer(reader)
        drawn = list(windows_swept(renderer, windows, image_size=image_size))
        assert sorted(window for window, _image in drawn) == sorted(windows)
        for window, image in drawn:
            alone = window_drawn(renderer, window, image_size)
            assert image.size == alone.size
            assert off(image, alone) < 1.5, window


def test_pixels_without_data_do_not_darken_their_neighbours(tmp_path):
    array = np.full((3, 1200, 1200), 200, np.float32)
    array[:, 501:903, 333:777] = 0
    array[:, :700, :91] = 0
    files = written(tmp_path / "scene.tif", array, nodata=0, block=256)
    windows = tile_windows(1200, 1200)[1:]
    with open_scene(files) as reader:
        for window, image in windows_swept(Renderer(reader), windows, image_size=64):
            pixels = np.asarray(image)
            assert off(image, window_drawn(Renderer(reader), window, 64)) < 4, window
            # The last step to the encoder's size mixes an edge with black once; halving never does.
            assert ((pixels == 0) | (pixels == 200)).mean() > 0.97, window


def test_a_wide_scene_is_walked_in_columns_and_every_window_comes_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "_WIDEST_PIXELS", 700)
    monkeypatch.setattr(sweep, "_READ_BYTES", 200_000)
    size = (5000, 700)
    files = written(tmp_path / "scene.tif", land(*size), block=128)
    windows = tile_windows(*size)[1:]
    with open_scene(files) as reader:
        renderer = Renderer(reader)
        walks = list(sweep._walks(windows, IMAGE_SIZE))
        assert len(walks) > 3
        assert sorted(wanted.window for walk in walks for wanted in walk) == sorted(windows)
        drawn = dict(windows_swept(renderer, windows, image_size=IMAGE_SIZE))
        assert len(drawn) == len(windows)
        for window in windows:
            assert off(drawn[window], window_drawn(renderer, window, IMAGE_SIZE)) < 1.5, window


def test_what_is_missing_after_a_stop_is_drawn_as_before(tmp_path):
    size = (1500, 1200)
    files = written(tmp_path / "scene.tif", land(*size), block=256)
    windows = tile_windows(*size)[1:]
    with open_scene(files) as reader:
        renderer = Renderer(reader)
        at_once = dict(windows_swept(renderer, windows, image_size=IMAGE_SIZE))
        missing = windows[7::3]
        again = dict(windows_swept(renderer, missing, image_size=IMAGE_SIZE))
    assert set(again) == set(missing)
    assert all(off(again[window], at_once[window]) < 1.5 for window in missing)


class _Counting:
    """A reader that notes which pixels are asked for."""

    def __init__(self, reader):
        self.reader, self.pixels, self.most = reader, 0, 0

    def __getattr__(self, name):
        return getattr(self.reader, name)

    def read(self, window=None, out_size=None, bands=None):
        _x, _y, width, height = window or self.reader.whole
        self.pixels += width * height
        self.most = max(self.most, width * height)
        return self.reader.read(window, out_size, bands)


def test_every_pixel_is_read_once_and_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "_READ_BYTES", 1_000_000)
    monkeypatch.setattr(sweep, "_STRIP_BYTES", 3_000_000)
    size = (3000, 2400)
    files = written(tmp_path / "scene.tif", land(*size), block=256)
    windows = tile_windows(*size)[1:]
    with open_scene(files) as reader:
        counting = _Counting(reader)
        for _drawn in windows_swept(Renderer(cast(Reader, counting)), windows, image_size=224):
            pass
    assert counting.pixels == size[0] * size[1]
    assert counting.most * 3 <= 1_000_000


def test_rows_are_let_go_when_no_window_needs_them(tmp_path):
    size = (600, 6000)
    files = written(tmp_path / "scene.tif", land(*size), block=256)
    windows = tile_windows(*size, rule=TileRule(gsd_max=10), gsd_m=10)[1:]
    with open_scene(files) as reader:
        (part,) = sweep._walks(windows, 224)
        walk = sweep._Walk(Renderer(reader), part, 224)
        most = 0
        for _drawn in walk.run():
            most = max(most, *(rows.filled for rows in walk.rows.values()))
    assert most <= 256 + walk.strip + 2 < 1000


def test_large_scenes_are_walked_and_palettes_and_small_scenes_are_not(tmp_path, monkeypatch):
    asked = []

    def swept(renderer, windows, *, image_size):
        asked.append(renderer)
        return []

    monkeypatch.setattr(sweep, "windows_swept", swept)
    size = (2600, 1700)
    files = written(tmp_path / "large.tif", land(*size), block=256)
    windows = tile_windows(*size)
    with open_scene(files) as reader:
        whole = np.zeros((170, 260, 3), np.uint8)
        drawn = list(windows_drawn(Renderer(reader), windows, image_size=64, whole=lambda: whole))
        assert [window.level for window, _image in drawn] == [0] and len(asked) == 1
        assert drawn[0][1].size == (98, 64)
    size = (500, 450)
    files = written(tmp_path / "small.tif", land(*size))
    with open_scene(files) as reader:
        drawn = list(windows_drawn(Renderer(reader), tile_windows(*size)[1:], image_size=64, whole=lambda: whole))
    assert len(drawn) == 9 and len(asked) == 1
    index = (land(2600, 1700, bands=1)[0] // 40).astype(np.uint8)
    with rasterio.open(
        tmp_path / "p.tif", "w", driver="GTiff", width=2600, height=1700, count=1, dtype="uint8"
    ) as file:
        file.write(index, 1)
        file.write_colormap(1, {n: (n * 30, 255 - n * 30, 0, 255) for n in range(8)})
    with open_scene({"data": tmp_path / "p.tif"}) as reader:
        list(windows_drawn(Renderer(reader), windows[1:5], image_size=64, whole=lambda: whole))
    assert len(asked) == 1


@settings(max_examples=25, deadline=None)
@given(
    st.integers(300, 3000), st.integers(300, 3000), st.integers(50, 400), st.floats(0.25, 0.5), st.integers(200, 4000)
)
def test_walks_hold_every_window_once_and_are_narrow(width, height, image_size, overlap, widest):
    windows = tile_windows(width, height, rule=TileRule(overlap=overlap))[1:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "_WIDEST_PIXELS", widest)
        walks = list(sweep._walks(windows, image_size))
    assert sorted(wanted.window for walk in walks for wanted in walk) == sorted(windows)
    for walk in walks:
        finest = min(wanted.halvings for wanted in walk)
        widest_window = max(wanted.window.width for wanted in walk)
        assert sweep._extent(walk) <= max(widest << finest, (widest << finest) // 2 + widest_window)
        assert all(min(w.size) * (1 << w.halvings) <= min(w.window.width, w.window.height) for w in walk)


def test_a_window_of_the_whole_has_no_place_in_a_walk(tmp_path):
    files = written(tmp_path / "scene.tif", land(400, 400))
    with open_scene(files) as reader:
        (found,) = windows_swept(
            Renderer(reader), [TileWindow(level=1, y=100, x=50, width=256, height=256)], image_size=256
        )
    assert found[1].size == (256, 256)
