"""Counting pairs in the log, against a count by hand; and the command that keeps the estimate."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from search.exploration import estimate
from search.exploration.pairs import pair_counts
from search.exploration.swaps import swap_chances
from search.models import Event, FeedbackExclusion, Impression, LearningChoice, PositionPropensity, Ranking
from search.tasks import propensities_estimate
from tests import factories

pytestmark = pytest.mark.django_db

HITS = 6


@pytest.fixture
def scenes():
    collection = factories.make_collection()
    return [factories.make_scene(collection) for _number in range(HITS)]


def shown(user, scenes, *, swapped=(), opened=(), upto=HITS, share=0.1, kind="click", **fields) -> Ranking:
    """A ranking of which the first ``upto`` hits were shown and those at the ranks ``opened`` opened."""
    ranking = factories.make_ranking(user, scenes, swapped_ranks=list(swapped), swap_share=share, **fields)
    impressions = Impression.objects.bulk_create(
        Impression(ranking=ranking, scene_id=scenes[rank - 1].pk, rank=rank) for rank in range(1, upto + 1)
    )
    Event.objects.bulk_create(Event(impression=impressions[rank - 1], kind=kind, user=user) for rank in opened)
    return ranking


def test_deeds_at_pairs_are_weighted_so_that_either_order_counts_alike(scenes):
    user = factories.make_user()
    shown(user, scenes, opened=[1, 2])
    shown(user, scenes, swapped=[1], opened=[2])
    shown(user, scenes, swapped=[3], opened=[4, 3])
    (counts,) = pair_counts()
    here, still = swap_chances(rank=1, hits=HITS, share=0.1)
    moved, kept = still / (here + still), here / (here + still)
    assert counts.upper[0] == pytest.approx(kept)
    assert counts.lower[0] == pytest.approx(kept + moved)
    assert counts.shows[:4].tolist() == [1, 0, 1, 0]
    # The pair (2, 3) stood still in the first search only: in the others one of its hits was exchanged with another.
    here, still = swap_chances(rank=2, hits=HITS, share=0.1)
    assert (counts.upper[1], counts.lower[1]) == pytest.approx((here / (here + still), 0))
    here, still = swap_chances(rank=3, hits=HITS, share=0.1)
    assert (counts.upper[2], counts.lower[2]) == pytest.approx((still / (here + still),) * 2)


def test_several_deeds_with_a_hit_count_once_and_dislikes_not_at_all(scenes):
    user = factories.make_user()
    ranking = shown(user, scenes, opened=[1])
    for kind in (Event.Kind.LIKE, Event.Kind.DOWNLOAD):
        Event.objects.create(impression=ranking.impressions.get(rank=1), kind=kind, user=user)
    shown(user, scenes, opened=[1], kind="dislike")
    shown(user, scenes, opened=[2], kind="dwell")
    (counts,) = pair_counts()
    here, still = swap_chances(rank=1, hits=HITS, share=0.1)
    assert counts.upper[0] == pytest.approx(here / (here + still))
    assert counts.lower.sum() == 0


def test_a_page_that_nobody_asked_for_was_not_looked_at_and_a_hit_that_vanished_tells_nothing(scenes):
    user = factories.make_user()
    shown(user, scenes, upto=2, swapped=[2], opened=[2])
    (counts,) = pair_counts()
    assert counts.shows.tolist()[:3] == [0, 1, 0]
    assert counts.upper[1] > 0
    Ranking.objects.update(dropped_ranks=[3])
    assert not list(pair_counts())


def test_only_people_who_teach_everybody_and_searches_with_swaps_count(scenes):
    users = [factories.make_user() for _number in range(4)]
    for user in users:
        shown(user, scenes, swapped=[1], opened=[1])
    shown(factories.make_user(), scenes, opened=[1], share=0.0)
    LearningChoice.objects.create(user=users[0], for_all=False)
    LearningChoice.objects.create(user=users[1], for_me=False)
    FeedbackExclusion.objects.create(user=users[2])
    assert [counts.shows[0] for counts in pair_counts()] == [1, 1]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("estimate_propensities", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def busy(scenes):
    """Twelve people who look at every second hit as often as at the one before."""
    chance = np.random.default_rng(2)
    for _person in range(12):
        user = factories.make_user()
        for search in range(10):
            looked = chance.random(HITS) < 0.6 * 0.8 ** np.arange(HITS)
            shown(
                user,
                scenes,
                swapped=[[1], [2], [3], [4], [5]][search % 5],
                opened=(np.flatnonzero(looked) + 1).tolist(),
            )


def test_the_command_keeps_what_it_tells(busy):
    told = json.loads(run("--json", "--min-shows", "20"))
    assert (told["kept"], told["people"]) == (True, 12)
    kept = list(PositionPropensity.objects.values("rank", "propensity", "low", "high", "shows"))
    assert [row["rank"] for row in kept] == [1, 2, 3, 4, 5, 6]
    assert kept == [pytest.approx(row, abs=1e-4) for row in told["ranks"]]
    assert [row["shows"] for row in kept] == [24] * 6
    lines = run("--min-shows", "20").splitlines()
    assert lines[1].split()[:2] == ["1", "1.000"]
    assert "people" in lines[-1]
    assert PositionPropensity.objects.count() == 6
    assert "6 ranks" not in propensities_estimate()  # 24 times exchanged are too few for the schedule.


def test_with_too_little_nothing_changes_and_that_is_said(busy, monkeypatch):
    run("--min-shows", "20")
    before = list(PositionPropensity.objects.values())
    assert "Too little to estimate from: 12 people" in run()
    assert json.loads(run("--json"))["ranks"] == []
    monkeypatch.setattr(estimate, "MIN_PEOPLE", 13)
    assert not json.loads(run("--json", "--min-shows", "20"))["kept"]
    assert list(PositionPropensity.objects.values()) == before
    with pytest.raises(CommandError, match="must be at least 1"):
        run("--min-shows", "0")


def test_what_is_kept_is_all_of_an_estimate_or_nothing(busy, monkeypatch):
    run("--min-shows", "20")
    before = list(PositionPropensity.objects.values())

    def breaks(*_arguments):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(PositionPropensity.objects, "bulk_create", breaks)
    with pytest.raises(RuntimeError):
        run("--min-shows", "20")
    assert list(PositionPropensity.objects.values()) == before
