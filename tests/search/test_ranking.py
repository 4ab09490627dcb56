"""Ranking as pure functions: bands, pages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.ranking import Band, bands_in_order, page_cut, probabilities, weaker_from


def test_bands_follow_the_calibration():
    calibration = {"scale": 10.0, "offset": -4.0}
    assert probabilities([0.4], calibration) == pytest.approx([0.5])
    assert bands_in_order([0.5, 0.4, 0.3, 0.1], calibration) == [Band.LIKELY, Band.LIKELY, Band.POSSIBLE, Band.UNLIKELY]


def test_an_uncalibrated_encoder_claims_nothing():
    assert probabilities([0.9], {}) is None
    words = bands_in_order([0.9, -0.9], {})
    assert words == [Band.POSSIBLE, Band.POSSIBLE]
    assert weaker_from(words) is None


def test_extreme_scores_do_not_overflow():
    with np.errstate(all="raise"):
        assert bands_in_order([1.0, -1.0], {"scale": 1e6, "offset": 0.0}) == [Band.LIKELY, Band.UNLIKELY]


def test_the_line_is_above_the_first_unlikely_hit():
    assert weaker_from([Band.LIKELY, Band.POSSIBLE, Band.UNLIKELY, Band.UNLIKELY]) == 2
    assert weaker_from([Band.UNLIKELY]) == 0
    assert weaker_from([]) is None


def test_pages_of_an_unchanged_ranking_are_slices():
    cut = page_cut(visible=[True] * 10, dropped=(), cut_to=0, page=2, size=4)
    assert (cut.ranks, cut.total, cut.pages, cut.cut_to, cut.dropped) == ([5, 6, 7, 8], 10, 3, 8, [])
    assert page_cut(visible=[True] * 10, dropped=(), cut_to=8, page=9, size=4).ranks == []
    assert page_cut(visible=[], dropped=(), cut_to=0, page=1, size=4).pages == 1


def test_hidden_hits_leave_no_hole_and_do_not_come_back():
    visible = [True] * 10
    visible[1] = False
    first = page_cut(visible=visible, dropped=(), cut_to=0, page=1, size=4)
    assert (first.ranks, first.dropped, first.total) == ([1, 3, 4, 5], [2], 9)
    again = page_cut(visible=[True] * 10, dropped=first.dropped, cut_to=first.cut_to, page=2, size=4)
    assert again.ranks == [6, 7, 8, 9]


@settings(max_examples=300)
@given(data=st.data(), count=st.integers(0, 30), size=st.integers(1, 7))
def test_following_the_pages_repeats_and_skips_nothing(data, count, size):
    """Visibility changes at random before every page: all that stayed visible are seen, nothing twice."""
    always = [True] * count
    seen: list[int] = []
    dropped: list[int] = []
    cut_to, page, pages = 0, 1, 1
    while page <= pages:
        visible = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
        always = [a and b for a, b in zip(always, visible, strict=True)]
        cut = page_cut(visible=visible, dropped=frozenset(dropped), cut_to=cut_to, page=page, size=size)
        assert all(visible[rank - 1] for rank in cut.ranks)
        assert len(cut.ranks) == size or page >= cut.pages, "a page that is not the last is full"
        seen += cut.ranks
        dropped, cut_to, pages, page = dropped + cut.dropped, cut.cut_to, cut.pages, page + 1
    assert len(seen) == len(set(seen))
    assert {rank for rank in range(1, count + 1) if always[rank - 1]} <= set(seen)
