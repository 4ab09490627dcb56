"""The click model draws what it says, and the measures measure what they say."""

import numpy as np
import pytest

from rsportal.errors import InvalidInput
from search.simulation.clicks import ClickModel
from search.simulation.measures import Change, residual_change, summary_of

DRAWS = 4_000


@pytest.mark.parametrize(("eta", "noise"), [(1.0, 0.05), (0.5, 0.3), (1.5, 0.0), (0.0, 1.0)])
def test_hits_are_opened_as_often_as_the_model_says(eta, noise):
    relevant = np.array([True, False, True, True, False] * 4)
    expected = (1 / np.arange(1, 21)) ** eta * np.where(relevant, 1, noise)
    model, rng = ClickModel(eta=eta, noise=noise), np.random.default_rng(5)
    opened = np.zeros(20)
    for _draw in range(DRAWS):
        opened[model.opened(relevant, rng)] += 1
    assert model.chances(relevant) == pytest.approx(expected)
    assert np.abs(opened / DRAWS - expected).max() < 4 * np.sqrt(0.25 / DRAWS)


@pytest.mark.parametrize("wrong", [{"eta": -1.0}, {"noise": 1.5}, {"page": 0}, {"eta": float("nan")}])
def test_a_model_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidInput, match="--" + next(iter(wrong))):
        ClickModel(**wrong)


def test_the_residual_is_without_everything_that_was_shown():
    relevant = np.array([True, True, False, False, True, False])
    before, after = np.array([0, 1, 2, 3, 4, 5]), np.array([1, 0, 4, 5, 2, 3])
    found = residual_change(before=before, after=after, relevant=relevant, shown=np.array([0, 1]))
    assert found is not None
    assert found.ap == pytest.approx(100 * (1 - 1 / 3)), "of 2, 3, 4, 5 the one that matters was third and is first"
    assert found.ndcg10 == pytest.approx(100 * (1 - 1 / np.log2(4)))
    learnt_by_heart = np.array([1, 0, 2, 3, 4, 5])
    same = residual_change(before=before, after=learnt_by_heart, relevant=relevant, shown=np.array([0, 1]))
    assert same is not None and same.ap == 0
    assert residual_change(before=before, after=after, relevant=relevant, shown=np.array([0, 1, 4])) is None


def test_every_query_counts_the_same_and_any_loss_is_worse():
    few, many = [Change(ap=-1e-3, ndcg10=0)], [Change(ap=3, ndcg10=1, promoted=True)] * 9
    found = summary_of([few, many])
    assert found.gain_ap == pytest.approx(1.4995)
    assert (found.worse_share, found.promoted_share, found.gain_ndcg10) == (0.5, 0.5, 0.5)
    assert summary_of([[Change(ap=-1e-9, ndcg10=0)]]).worse_share == 0, "the rounding of sums is no loss"
    assert list(found.as_json()) == ["gain_ap", "gain_ndcg10", "worse_share", "promoted_share", "ci95"]


def test_the_interval_is_of_queries_not_of_their_many_people():
    rng = np.random.default_rng(3)
    queries = [[Change(ap=gain, ndcg10=0)] * 500 for gain in rng.normal(1, 5, size=20)]
    low, high = summary_of(queries).ci95
    assert 2 < high - low < 7, "20 queries of spread 5: about 4 x 5 / sqrt(20)"
    assert summary_of(queries).ci95 == (low, high)
