"""Windows of scenes of any size."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagery.tiling import MAX_WINDOWS, TileWindow, level_sides, tile_windows, with_data

SIZES = st.tuples(st.integers(1, 6000), st.integers(1, 6000))


@settings(max_examples=80, deadline=None)
@given(SIZES)
def test_windows_lie_inside_once_and_cover_the_scene_at_every_level(size):
    width, height = size
    windows = tile_windows(width, height)
    assert windows == tile_windows(width, height)
    assert len(set(windows)) == len(windows) <= MAX_WINDOWS
    assert windows[0] == TileWindow(level=0, x=0, y=0, width=width, height=height)
    for level, side in enumerate(level_sides(width, height), start=1):
        mine = [window for window in windows if window.level == level]
        assert all(w.x + w.width <= width and w.y + w.height <= height for w in mine)
        assert all((w.width, w.height) == (min(side, width), min(side, height)) for w in mine)
        for starts, length in (({w.x for w in mine}, width), ({w.y for w in mine}, height)):
            ordered = sorted(starts)
            assert ordered[0] == 0 and ordered[-1] == max(0, length - side)
            assert all(0 < b - a <= 0.75 * side + 1 for a, b in pairwise(ordered))
        assert len(mine) == len({w.x for w in mine}) * len({w.y for w in mine})


@pytest.mark.parametrize(
    ("size", "sides", "count"),
    [
        ((224, 224), [], 1),
        ((256, 256), [], 1),
        ((383, 100), [], 1),
        ((384, 384), [256], 5),
        ((627, 603), [256], 10),
        ((1933, 1947), [1024, 512, 256], 135),
        ((10980, 10980), [4096, 2048, 1024, 512], 1103),
    ],
)
def test_known_scenes(size, sides, count):
    assert level_sides(*size) == sides
    assert len(tile_windows(*size)) == count


def test_levels_end_where_windows_would_be_too_many():
    assert len(tile_windows(4000, 4000, max_windows=60)) <= 60
    assert level_sides(4000, 4000, max_windows=60)[-1] > 256


def test_an_empty_scene_has_no_windows():
    with pytest.raises(ValueError, match="0 x 5"):
        tile_windows(0, 5)


def test_windows_without_data_are_dropped_but_never_the_whole():
    windows = tile_windows(2000, 1000)
    mask = np.zeros((100, 200), dtype=bool)
    mask[:, :100] = True  # the left half has data
    kept = with_data(windows, mask, width=2000, height=1000)
    assert 1 < len(kept) < len(windows) and kept[0].level == 0
    assert all(window.x < 1000 for window in kept)
    assert {window for window in windows if window.x + window.width <= 1000} <= set(kept)
    assert with_data(windows, np.zeros_like(mask), width=2000, height=1000) == windows[:1]


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(0, 2**32 - 1))
def test_the_share_of_data_is_that_of_the_mask(size, seed):
    width, height = min(size[0], 900), min(size[1], 900)
    mask = np.random.default_rng(seed).random((height, width)) > 0.75
    windows = tile_windows(width, height)
    kept = set(with_data(windows, mask, width=width, height=height, least=0.25))
    for window in windows[1:]:
        part = mask[window.y : window.y + window.height, window.x : window.x + window.width]
        assert (window in kept) == (part.mean() >= 0.25)
