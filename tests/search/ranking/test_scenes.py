"""From tiles to scenes, against definitions written out plainly."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.ranking.scenes import MOST_PLACES, SAME_PLACE, scenes_fuse, shared_area

_scores = st.sampled_from([-0.4, 0.0, 0.2, 0.5, 0.51, 0.9])
_windows = st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 4), st.integers(1, 4), st.integers(1, 4))
_rows = st.lists(st.tuples(st.integers(0, 4), _windows, _scores), max_size=25)


def _fuse(rows, weight=0.95):
    scenes, windows, scores = zip(*rows, strict=True) if rows else ((), (), ())
    return scenes_fuse(
        scenes=np.array(scenes, dtype=np.int64),
        windows=np.array(windows, dtype=np.int32).reshape(len(rows), 5),
        scores=np.array(scores, dtype=np.float64),
        weight=weight,
    )


def _worth(window, score, weight=0.95):
    return score - (1 - weight) * abs(score) if window[0] else score


@given(_rows)
def test_a_scene_is_worth_its_best_tile(rows):
    best: dict[int, tuple[float, int]] = {}
    for row, (scene, window, score) in enumerate(rows):
        best[scene] = min(best.get(scene, (math.inf, 0)), (-_worth(window, score), row))
    found = _fuse(rows)
    assert sorted(found.rows.tolist()) == sorted(row for _score, row in best.values())
    for row, score in zip(found.rows, found.scores, strict=True):
        assert score == pytest.approx(_worth(rows[row][1], rows[row][2]))


@settings(max_examples=200)
@given(_rows)
def test_further_places_are_windows_that_match_and_lie_apart(rows):
    found = _fuse(rows)
    lowest = min((score for _scene, _window, score in rows), default=0.0)
    for best, places, count in zip(found.rows, found.places, found.counts, strict=True):
        scene = rows[best][0]
        parts = [row for row, each in enumerate(rows) if each[0] == scene and each[1][0] > 0]
        assert count == len(parts)
        assert set(places) <= set(parts) - {best}
        assert len(places) <= MOST_PLACES
        assert all(rows[row][2] > (rows[best][2] + lowest) / 2 for row in places)
        assert [rows[row][2] for row in places] == sorted((rows[row][2] for row in places), reverse=True)
        shown = [row for row in (best, *places) if rows[row][1][0] > 0]
        for number, one in enumerate(shown):
            for two in shown[:number]:
                boxes = (np.array(rows[each][1][1:]) for each in (one, two))
                assert shared_area(*boxes) < SAME_PLACE


def test_a_window_inside_a_larger_one_is_the_same_place():
    rows = [(0, (1, 0, 0, 100, 100), 0.9), (0, (2, 25, 25, 50, 50), 0.8), (0, (2, 100, 0, 50, 50), 0.7)]
    found = _fuse([*rows, (1, (0, 0, 0, 64, 64), 0.0)])
    assert found.places[0].tolist() == [2]


def test_of_two_equal_matches_the_whole_scene_wins_also_below_zero():
    for score in (0.5, -0.5):
        rows = [(0, (1, 0, 0, 10, 10), score), (0, (0, 0, 0, 64, 64), score)]
        assert _fuse(rows).rows.tolist() == [1]


def test_without_discount_the_better_tile_wins():
    rows = [(0, (1, 0, 0, 10, 10), 0.501), (0, (0, 0, 0, 64, 64), 0.5)]
    assert _fuse(rows, weight=1.0).rows.tolist() == [0]


@pytest.mark.parametrize(
    ("one", "two", "share"),
    [((0, 0, 4, 4), (2, 2, 4, 4), 0.25), ((0, 0, 8, 8), (2, 2, 2, 2), 1.0), ((0, 0, 2, 2), (2, 0, 2, 2), 0.0)],
)
def test_shared_area(one, two, share):
    assert shared_area(np.array(one), np.array(two)) == shared_area(np.array(two), np.array(one)) == share
