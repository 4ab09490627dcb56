"""Propensities from swaps: simulated people whose propensities are known are recovered within the intervals."""

import numpy as np
import pytest

from search.exploration.estimate import MIN_PEOPLE, falling, propensities_fit
from search.exploration.pairs import PairCounts
from search.exploration.propensity import propensity_along, propensity_assumed, propensity_of
from search.models import PositionPropensity
from tests.search.exploration.simulated import RANKS, people_counts

FOLD = np.where(RANKS <= 12, RANKS**-0.3, 0.3 * RANKS**-0.3)
"""Nobody's power law: a screen of twelve hits that are nearly all looked at, and few who scroll."""


@pytest.mark.parametrize(
    ("name", "propensity"),
    [("eta 0.5", RANKS**-0.5), ("eta 1", 1 / RANKS), ("eta 1.5", RANKS**-1.5), ("fold", FOLD)],
)
def test_known_propensities_lie_within_the_intervals(name, propensity):
    """In nineteen of twenty; ranks of one draw hold or fail together, so the bound is a loose one."""
    held = []
    for seed in range(4):
        people = people_counts(propensity, people=100, searches=16, share=0.1, seed=seed)
        found = propensities_fit(people, min_shows=10, rounds=300)
        assert found.ranks.tolist() == RANKS.astype(int).tolist()
        assert (found.propensity[0], found.low[0], found.high[0]) == (1.0, 1.0, 1.0)
        assert (found.propensity[1:] <= found.propensity[:-1] + 1e-12).all()
        assert (np.log(found.high / found.low)[1:5] < 2.0).all()  # They say something.
        held.append((found.low <= propensity) & (propensity <= found.high))
    assert np.mean(held) >= 0.88, (name, np.mean(held, axis=0))
    estimate = propensities_fit(people_counts(propensity, people=250, searches=16, share=0.2, seed=7), min_shows=10)
    assert np.abs(np.log(estimate.propensity[:5] / propensity[:5])).max() < 0.3


def test_what_a_ranking_is_worth_does_not_pass_for_position():
    """Where everybody looks at everything, good hits at the top are no bias."""
    people = people_counts(np.ones_like(RANKS), people=150, searches=12, share=0.1, seed=3)
    found = propensities_fit(people, min_shows=10, rounds=200)
    assert found.propensity[9] > 0.75
    assert found.high[9] > 0.95


def test_the_same_log_gives_the_same_figures():
    once, again = (
        propensities_fit(people_counts(1 / RANKS, people=20, searches=5, share=0.2, seed=1), min_shows=2, rounds=50)
        for _time in range(2)
    )
    assert once.enough
    for name in ("propensity", "low", "high", "shows"):
        assert getattr(once, name).tolist() == getattr(again, name).tolist()


def test_too_little_is_said_and_not_estimated():
    few = propensities_fit(
        people_counts(1 / RANKS, people=MIN_PEOPLE - 1, searches=30, share=0.2, seed=1), min_shows=1, rounds=20
    )
    assert (few.enough, few.people) == (False, MIN_PEOPLE - 1)
    assert few.deeds > 50
    silent = propensities_fit(
        people_counts(0 * RANKS, people=20, searches=5, share=0.2, seed=1), min_shows=1, rounds=20
    )
    assert (silent.enough, silent.deeds) == (False, 0)
    rare = people_counts(1 / RANKS, people=20, searches=20, share=0.1, seed=1)
    assert not propensities_fit(rare, min_shows=1_000, rounds=20).enough


def test_one_person_with_a_thousand_clicks_a_minute_moves_little():
    """They open whatever stands lower in exchanged pairs, ten thousand times."""
    people = list(people_counts(1 / RANKS, people=60, searches=30, share=0.2, seed=1))
    honest = propensities_fit(people, min_shows=10, rounds=50)
    liar = PairCounts.none()
    for rank in range(1, 50):
        liar.add(rank=rank, swapped=True, share=0.02, hits=50, shows=10_000, deeds=(0, 10_000))
    fooled = propensities_fit([*people, liar], min_shows=10, rounds=50)
    assert fooled.people == 61
    assert np.abs(fooled.propensity[:10] - honest.propensity[:10]).max() < 0.12


def test_pairs_that_were_shown_too_seldom_end_the_estimate():
    people = list(people_counts(1 / RANKS, people=30, searches=20, share=0.2, seed=1))
    for each in people:
        each.shows[6:] = 0
    found = propensities_fit(people, min_shows=10, rounds=20)
    assert found.ranks.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert len(found.shows) == 7


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3, 2, 1], [3, 2, 1]), ([3, 1, 2, 0], [3, 1.5, 1.5, 0]), ([1, 2, 3], [2, 2, 2]), ([5], [5])],
)
def test_falling_is_the_nearest_list_that_never_rises(values, expected):
    assert falling(np.array(values, float), np.ones(len(values))) == pytest.approx(expected)


def test_a_heavy_value_stays():
    assert falling(np.array([0.0, 1.0, 1.0]), np.array([1e12, 1.0, 1.0])) == pytest.approx([0, 0, 0], abs=1e-9)


@pytest.mark.django_db
def test_without_an_estimate_it_is_assumed_and_with_one_it_goes_on_beyond_it(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert propensity_of([1, 2, 10]) == pytest.approx([1, 0.5, 0.1])
    for rank, propensity in ((1, 1.0), (2, 0.8), (3, 0.6)):
        PositionPropensity.objects.create(rank=rank, propensity=propensity, low=0.1, high=1.0, shows=9)
    found = propensity_of([1, 2, 3, 6, 300])
    assert found == pytest.approx([1, 0.8, 0.6, 0.3, 0.006])
    assert propensity_along([2.0], []) == pytest.approx(propensity_assumed([2]))
