"""Windows of scenes of any size."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagery.tiling import (
    MAX_WINDOWS,
    WINDOWS_LIMIT,
    TileRule,
    TileWindow,
    all_windows_count,
    level_sides,
    tile_windows,
    with_data,
)
from rsportal.errors import InvalidInput

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
    few = TileRule(most=60)
    assert len(tile_windows(4000, 4000, rule=few)) <= 60
    assert level_sides(4000, 4000, rule=few)[-1] > 256
    assert all_windows_count(4000, 4000, rule=few) == all_windows_count(4000, 4000) == len(tile_windows(4000, 4000))


SAMPLINGS = st.one_of(st.none(), st.floats(0.05, 500))
RULES = st.builds(
    TileRule,
    overlap=st.floats(0.25, 0.5),
    gsd_min=SAMPLINGS,
    gsd_max=SAMPLINGS,
    most=st.integers(1, 3000),
)


@settings(max_examples=150, deadline=None)
@given(SIZES, RULES, SAMPLINGS)
def test_a_rule_holds_at_every_level(size, rule, gsd_m):
    width, height = size
    windows = tile_windows(width, height, rule=rule, gsd_m=gsd_m)
    sides = level_sides(width, height, rule=rule, gsd_m=gsd_m)
    assert windows[0].box == (0, 0, width, height)
    assert 1 <= len(windows) <= rule.most
    assert sides == sorted(sides, reverse=True) and {window.level for window in windows[1:]} == set(
        range(1, len(sides) + 1)
    )
    free = level_sides(width, height, rule=TileRule(overlap=rule.overlap, most=WINDOWS_LIMIT))
    assert set(sides) <= set(free), "limits take levels away, they never add any"
    for level, side in enumerate(sides, start=1):
        if gsd_m is not None:
            assert rule.gsd_min is None or gsd_m * side / 256 >= rule.gsd_min * 0.98
            assert rule.gsd_max is None or gsd_m * side / 256 <= rule.gsd_max * 1.02
        mine = [window for window in windows if window.level == level]
        assert all(w.x + w.width <= width and w.y + w.height <= height for w in mine)
        for starts, length in (({w.x for w in mine}, width), ({w.y for w in mine}, height)):
            ordered = sorted(starts)
            assert ordered[0] == 0 and ordered[-1] == max(0, length - side)
            assert all(0 < b - a <= (1 - rule.overlap) * side + 1 for a, b in pairwise(ordered))
        # What is as long as the overlap less two pixels (starts are whole pixels) lies whole in some window of a row.
        reach = max(0, int(rule.overlap * side) - 2)
        columns = {w.x for w in mine}
        for left in range(0, max(1, width - reach), max(1, width // 50)):
            assert any(x <= left and left + reach <= x + side for x in columns)


@pytest.mark.parametrize(
    ("rule", "gsd_m", "sides"),
    [
        (TileRule(), 10.0, [4096, 2048, 1024, 512]),  # 256 would be too many
        (TileRule(most=WINDOWS_LIMIT), 10.0, [4096, 2048, 1024, 512, 256]),
        (TileRule(gsd_min=20, most=WINDOWS_LIMIT), 10.0, [4096, 2048, 1024, 512]),
        (TileRule(gsd_min=20, most=WINDOWS_LIMIT), 10.03, [4096, 2048, 1024, 512]),
        (TileRule(gsd_min=20, most=WINDOWS_LIMIT), 9.97, [4096, 2048, 1024, 512]),
        (TileRule(gsd_max=40, most=WINDOWS_LIMIT), 10.0, [1024, 512, 256]),
        (TileRule(gsd_min=20, gsd_max=40, most=WINDOWS_LIMIT), 10.0, [1024, 512]),
        (TileRule(gsd_min=1000, most=WINDOWS_LIMIT), 10.0, []),
        (TileRule(gsd_min=20, gsd_max=40, most=WINDOWS_LIMIT), None, [4096, 2048, 1024, 512, 256]),
    ],
)
def test_levels_follow_the_sampling(rule, gsd_m, sides):
    assert level_sides(10980, 10980, rule=rule, gsd_m=gsd_m) == sides


def test_full_coverage_of_a_large_scene_is_counted_even_where_the_rule_ends_it():
    assert level_sides(20_000, 20_000) == [8192, 4096, 2048, 1024]
    assert all_windows_count(20_000, 20_000) == len(tile_windows(20_000, 20_000, rule=TileRule(most=WINDOWS_LIMIT)))
    assert all_windows_count(20_000, 20_000) > 10_000 > len(tile_windows(20_000, 20_000))


@pytest.mark.parametrize(
    ("rule", "field", "word"),
    [
        (TileRule(overlap=0.2), "tile_overlap", "0.2"),
        (TileRule(overlap=0.6), "tile_overlap", "0.6"),
        (TileRule(overlap=float("nan")), "tile_overlap", "nan"),
        (TileRule(gsd_min=0), "tile_gsd_min", "above 0"),
        (TileRule(gsd_max=float("inf")), "tile_gsd_max", "inf"),
        (TileRule(gsd_min=10, gsd_max=5), "tile_gsd_max", "swap"),
        (TileRule(most=0), "tile_most", "100,000"),
        (TileRule(most=WINDOWS_LIMIT + 1), "tile_most", "100,001"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_with_its_field(rule, field, word):
    with pytest.raises(InvalidInput, match=word) as refusal:
        rule.require_sensible()
    assert refusal.value.field == field


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
