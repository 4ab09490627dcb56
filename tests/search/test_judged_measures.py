"""Measures, intervals and p-values against values computed by hand, and plots as numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagery.evaluation.metrics import bootstrap
from search.judged.measures import MEASURES, interpolated_precision, list_scores, unanswered
from search.judged.plots import BOTTOM, LEFT, RIGHT, TOP, Values, linear, logarithmic, nice_ticks, series
from search.judged.summary import difference, intervals, run_summary


def test_eleven_points_of_a_textbook_list():
    # Relevant at ranks 1, 3, 6, 10 and 15 of 15, five in all (Manning et al. 2008, example of section 8.4's method).
    gains = np.zeros(15)
    gains[[0, 2, 5, 9, 14]] = 1
    expected = [1, 1, 1, 2 / 3, 2 / 3, 1 / 2, 1 / 2, 2 / 5, 2 / 5, 1 / 3, 1 / 3]
    assert interpolated_precision(gains, relevant=5) == pytest.approx(expected)
    # Of ten relevant scenes only those five are found: beyond recall .5 there is nothing.
    half = interpolated_precision(gains, relevant=10)
    assert half == pytest.approx([1, 1, 2 / 3, 1 / 2, 2 / 5, 1 / 3, 0, 0, 0, 0, 0])


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 20))
def test_interpolated_precision_falls_and_is_the_best_from_there_on(flags, missed):
    gains = np.array(flags, dtype=float)
    relevant = int(gains.sum()) + missed
    if not relevant:
        return
    points = interpolated_precision(gains, relevant=relevant)
    assert (np.diff(points) <= 1e-12).all()
    found = np.cumsum(gains)
    for step, value in enumerate(points):
        reached = [
            found[rank] / (rank + 1) for rank in range(len(gains)) if 10 * found[rank] >= max(step * relevant, 1)
        ]
        assert value == pytest.approx(max(reached, default=0.0))


def test_unjudged_hits_are_wrong_and_the_condensed_list_leaves_them_out():
    scores = list_scores(["x", "a", "y", "b"], {"a": 1, "b": 0, "c": 1})
    assert scores is not None
    assert scores.measures["map"] == pytest.approx(1 / 2 / 2)
    assert scores.measures["map_condensed"] == pytest.approx(1 / 2)
    assert scores.measures["judged10"] == 0.5
    assert scores.recall[:3] == pytest.approx([0, 0.5, 0.5])
    # What is known to be of another class is judged, and wrong.
    known = list_scores(["x", "a", "y", "b"], {"a": 1, "b": 0, "c": 1}, known_wrong={"x", "y", "a"})
    assert known is not None and known.measures["judged10"] == 1.0
    assert known.measures["map_condensed"] == known.measures["map"] == scores.measures["map"]
    assert list_scores(["a"], {"a": 0}) is None
    nothing = list_scores([], {"a": 1})
    assert nothing is not None and set(nothing.measures.values()) == {0.0}
    assert set(unanswered("why", relevant=1).measures) == set(MEASURES) == set(scores.measures)


def test_intervals_of_columns_are_those_of_one():
    values = np.random.default_rng(1).random((30, 3))
    groups = [str(row % 7) for row in range(30)]
    for column, found in enumerate(intervals(values, groups=groups)):
        alone = bootstrap(values[:, column], groups=groups)
        assert (found.mean, found.low, found.high) == pytest.approx((alone.mean, alone.low, alone.high))
    with pytest.raises(ValueError, match="at least one query"):
        intervals(np.empty((0, 3)))


def test_p_is_small_for_a_real_difference_and_one_for_none():
    random = np.random.default_rng(2)
    first = random.random(60)
    noise = random.normal(0, 0.1, 60)
    assert difference(first, first + 0.2 + noise).p < 0.002
    assert difference(first, first).p == 1.0
    apart = difference(first, first + noise - noise.mean() + 0.005)
    assert apart.p > 0.3 and apart.interval.low < 0 < apart.interval.high
    # As often as chance has it, chance alone is called a difference: 5 % of trials at p <= .05.
    ps = [difference(np.zeros(40), np.random.default_rng(seed).normal(0, 1, 40)).p for seed in range(120)]
    assert 0.005 <= np.mean(np.array(ps) <= 0.05) <= 0.13
    # Two values, both moved by 1: of the shifted resamples every one has the mean 0.
    assert difference([0.0, 0.0], [1.0, 1.0]).p == pytest.approx(1 / 2001)


def test_queries_of_one_class_are_drawn_together():
    first = np.zeros(40)
    second = np.repeat(np.random.default_rng(3).normal(0.1, 0.5, 4), 10)
    alone, together = difference(first, second), difference(first, second, groups=[str(row // 10) for row in range(40)])
    assert alone.interval.mean == pytest.approx(together.interval.mean)
    assert together.interval.high - together.interval.low > 2 * (alone.interval.high - alone.interval.low)
    assert together.p > alone.p


def test_a_summary_holds_every_language_and_counts():
    scores = {key: list_scores(ranked, {"a": 1}) for key, ranked in (("1", ["a", "b"]), ("2", ["b", "a"]))}
    assert all(scores.values())
    found = run_summary(scores, groups={"1": "x", "2": "x"}, languages={"1": "en", "2": "zh"})  # type: ignore[arg-type]
    assert (found["queries"], found["groups"], found["unanswered"]) == (2, 1, 0)
    assert found["measures"]["map"] == [0.75, 0.75, 0.75], "one group is all that can be drawn"
    assert found["languages"]["zh"]["map"][0] == 0.5 and found["languages"]["en"]["queries"] == 1
    assert len(found["precision"]) == 11 and len(found["recall"]) == 10
    assert run_summary({}, groups={}, languages={}) == {"queries": 0, "unanswered": 0}


def test_plots_are_numbers_inside_their_frame():
    x, y = logarithmic(1, 1_000, LEFT, RIGHT), linear(0, 1, BOTTOM, TOP)
    assert (x(1), x(1_000), y(0), y(1)) == (LEFT, RIGHT, BOTTOM, TOP)
    assert x(10) - x(1) == pytest.approx(x(100) - x(10), abs=0.02)
    drawn = series(2, Values("one", [1, 10], [(0.5, 0.25, 0.75), (1.0, 1.0, 1.0)], ["a", "b"]), x, y)
    middle = (TOP + BOTTOM) / 2
    assert drawn.line == f"{LEFT},{middle} {x(10)},{TOP}"
    assert drawn.band.split()[0] == f"{LEFT},{y(0.75)}" and drawn.band.split()[-1] == f"{LEFT},{y(0.25)}"
    assert drawn.bars.startswith(f"M{LEFT},{y(0.25)}V{y(0.75)}") and [mark.label for mark in drawn.marks] == ["a", "b"]


@given(st.floats(-1, 1), st.floats(0, 2))
def test_ticks_enclose_what_is_drawn(low, span):
    ticks = nice_ticks(low, low + span)
    assert ticks[0] <= low + 1e-6 and ticks[-1] >= low + span - 1e-6
    assert 2 <= len(ticks) <= 8
