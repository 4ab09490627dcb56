"""Measures of ranked lists: counted by hand, against every order of the ties, and against plain definitions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagery.evaluation.metrics import (
    average_precision,
    bootstrap,
    draws,
    ndcg,
    paired_bootstrap,
    precision_at,
    rank_correlation,
    recall_at,
)


def plain_average_precision(relevant: list[bool]) -> float:
    """The definition, item by item."""
    found, summed = 0, 0.0
    for rank, good in enumerate(relevant, start=1):
        if good:
            found += 1
            summed += found / rank
    return summed / found


def plain_ndcg(gains: list[float], cut: int) -> float:
    """The definition, item by item."""

    def dcg(values: list[float]) -> float:
        return sum(value / math.log2(rank + 1) for rank, value in enumerate(values[:cut], start=1))

    return dcg(gains) / dcg(sorted(gains, reverse=True))


def orders(scores: list[int]) -> list[tuple[int, ...]]:
    """Every order of the items that puts higher scores first."""
    return [
        order
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]


def test_average_precision_by_hand() -> None:
    # Relevant at ranks 1, 3 and 6: (1/1 + 2/3 + 3/6) / 3.
    assert average_precision([1, 0, 1, 0, 0, 1]) == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)
    assert average_precision([1, 0, 1, 0, 0, 1], total=4) == pytest.approx((1 + 2 / 3 + 1 / 2) / 4)
    # Two tied items, one of them relevant: first or second with equal chance.
    assert average_precision([1, 0], scores=[5, 5]) == pytest.approx(0.75)


def test_ndcg_by_hand() -> None:
    # Gains 3, 2, 0, 1 against the ideal 3, 2, 1, 0.
    got = 3 + 2 / math.log2(3) + 1 / math.log2(5)
    best = 3 + 2 / math.log2(3) + 1 / math.log2(4)
    assert ndcg([3, 2, 0, 1]) == pytest.approx(got / best)
    assert ndcg([0, 1], cut=1) == 0.0
    # The list is cut off: three more items of the archive are worth something.
    assert ndcg([1, 0], cut=2, ideal=[1, 1, 1, 1]) == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert ndcg([1, 0], cut=1, scores=[2, 2]) == pytest.approx(0.5)


def test_recall_and_precision_by_hand() -> None:
    assert recall_at([1, 0, 1, 1], 3) == pytest.approx(2 / 3)
    assert recall_at([1, 0, 1, 1], 3, total=8) == pytest.approx(2 / 8)
    assert precision_at([1, 0, 1, 1], 3) == pytest.approx(2 / 3)
    assert precision_at([1], 10) == pytest.approx(0.1)
    # Four tied items, two relevant, two places: one relevant item is expected.
    assert recall_at([1, 1, 0, 0], 2, scores=[0, 0, 0, 0]) == pytest.approx(0.5)


def test_nothing_to_find_is_no_score() -> None:
    assert average_precision([0, 0]) is None
    assert ndcg([0, 0]) is None
    assert recall_at([0, 0], 1) is None
    assert average_precision([]) is None


@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6).filter(lambda x: any(f for _, f in x))
)
@settings(max_examples=60, deadline=None)
def test_ties_give_the_mean_over_all_orders(items: list[tuple[int, bool]]) -> None:
    scores, relevant = [s for s, _ in items], [f for _, f in items]
    ranked = [[relevant[i] for i in order] for order in orders(scores)]
    cut = 3
    assert average_precision(relevant, scores=scores) == pytest.approx(
        np.mean([plain_average_precision(each) for each in ranked])
    )
    assert ndcg(relevant, cut=cut, scores=scores) == pytest.approx(
        np.mean([plain_ndcg([float(f) for f in each], cut) for each in ranked])
    )
    assert recall_at(relevant, cut, scores=scores) == pytest.approx(
        np.mean([sum(each[:cut]) / sum(relevant) for each in ranked])
    )


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
def test_a_list_in_order_needs_no_scores(relevant: list[bool]) -> None:
    scores = -np.arange(len(relevant))
    assert average_precision(relevant) == pytest.approx(plain_average_precision(relevant))
    assert average_precision(relevant) == pytest.approx(average_precision(relevant, scores=scores))
    assert ndcg(relevant) == pytest.approx(plain_ndcg([float(f) for f in relevant], 10))


def test_rank_correlation_by_hand() -> None:
    assert rank_correlation([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    # Ranks 1 2 3 4 against 1 3 2 4: 1 - 6 * 2 / (4 * 15).
    assert rank_correlation([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    # Ranks 1.5 1.5 3 against 1 2 3: covariance 0.5 over sqrt(0.5 * 2/3).
    assert rank_correlation([0, 0, 1], [1, 2, 3]) == pytest.approx(0.5 / math.sqrt(0.5 * 2 / 3))
    assert rank_correlation([1, 1], [1, 2]) is None


def test_the_bootstrap_interval_of_a_mean_has_its_known_width() -> None:
    values = np.random.default_rng(5).normal(3.0, 2.0, size=400)
    found = bootstrap(values)
    error = values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert bootstrap(values) == found
    assert bootstrap(values, seed=1) != found


def test_values_that_hang_together_are_drawn_together() -> None:
    values = np.random.default_rng(6).normal(size=100)
    repeated, groups = np.repeat(values, 9), np.repeat(np.arange(100), 9)
    alone, together, naive = bootstrap(values), bootstrap(repeated, groups=groups), bootstrap(repeated)
    assert together.low == pytest.approx(alone.low)
    assert together.high == pytest.approx(alone.high)
    assert naive.high - naive.low < 0.5 * (alone.high - alone.low)


def test_a_paired_difference_is_sharper_than_two_intervals() -> None:
    random = np.random.default_rng(7)
    first = random.uniform(size=300)
    second = first + 0.02 + random.normal(scale=0.01, size=300)
    gain = paired_bootstrap(first, second)
    assert gain.above_zero
    assert gain.mean == pytest.approx(0.02, abs=0.002)
    assert not paired_bootstrap(first, first).above_zero
    assert bootstrap(first).high > bootstrap(second).low


def test_every_round_draws_as_many_as_there_are() -> None:
    blocks = list(draws(700, rounds=2_500, seed=1))
    assert len(blocks) > 1
    whole = np.concatenate(blocks)
    assert whole.shape == (2_500, 700)
    assert (whole.sum(axis=1) == 700).all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: average_precision([1, 1], total=1),
        lambda: average_precision([1, 0], scores=[1.0, float("nan")]),
        lambda: average_precision([[1, 0]]),
        lambda: ndcg([1, -1]),
        lambda: recall_at([1], 0),
        lambda: rank_correlation([1, 2], [1, 2, 3]),
        lambda: bootstrap([]),
        lambda: bootstrap([1.0, float("nan")]),
        lambda: paired_bootstrap([1.0], [1.0, 2.0]),
    ],
)
def test_what_cannot_be_measured_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        wrong()
