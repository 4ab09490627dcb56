"""Two rankings drafted into one: everything once, in turn, fair to both, and what simulated people prefer wins."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.exploration.interleave import Team, interleaved, team_draft
from search.exploration.verdict import sign_test, verdict_of, wilson
from search.ranking.scenes import RankedScenes

LISTS = st.lists(st.integers(0, 30), unique=True, max_size=20)
SEEDS = st.integers(0, 2**32 - 1)


def chance(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def drafted(one, two, seed, most=None):
    draft = team_draft(one, two, chance=chance(seed), most=most)
    hits = [(two if team == Team.B else one)[place] for place, team in zip(draft.places, draft.teams, strict=True)]
    return hits, draft.teams.tolist()


@given(one=LISTS, two=LISTS, seed=SEEDS)
def test_every_hit_comes_once_and_each_team_keeps_its_order(one, two, seed):
    hits, teams = drafted(one, two, seed)
    assert len(hits) == len(set(hits))
    assert set(hits) == {*one, *two}
    for team, own in ((Team.A, one), (Team.B, two)):
        picked = [hit for hit, of in zip(hits, teams, strict=True) if of == team]
        assert picked == sorted(picked, key=own.index)


@given(one=LISTS, two=LISTS, seed=SEEDS)
def test_both_have_as_many_at_every_depth_while_both_can_choose(one, two, seed):
    hits, teams = drafted(one, two, seed)
    for depth in range(1, len(hits) + 1):
        left = [set(own) - set(hits[: depth - 1]) for own in (one, two)]
        if all(left):
            assert abs(teams[:depth].count(1) - teams[:depth].count(2)) <= 1


@given(order=st.permutations(range(12)), same=st.integers(0, 12), seed=SEEDS)
def test_what_both_say_from_the_top_is_nobodys(order, same, seed):
    other = [*order[:same], *reversed(order[same:])]
    hits, teams = drafted(list(order), other, seed)
    agreed = next((place for place, (a, b) in enumerate(zip(order, other, strict=True)) if a != b), len(order))
    assert teams[:agreed] == [Team.NEITHER] * agreed
    assert hits[:agreed] == list(order[:agreed])
    assert Team.NEITHER not in teams[agreed:]


@given(one=LISTS, two=LISTS, seed=SEEDS, most=st.integers(0, 50))
def test_the_same_chance_gives_the_same_draft_and_a_shorter_one_is_its_beginning(one, two, seed, most):
    hits, teams = drafted(one, two, seed)
    assert drafted(one, two, seed, most) == (hits[:most], teams[:most])


def test_a_coin_says_who_goes_first():
    first = [drafted("ab", "ba", seed)[1][0] for seed in range(400)]
    assert 150 < first.count(Team.A) < 250


def ranked(ids, ranker: str) -> RankedScenes:
    scores = np.linspace(0.9, 0.1, len(ids)) if ids else np.zeros(0)
    return RankedScenes(
        scene_ids=np.array(ids, dtype=object),
        tile_ids=np.array([ord(name) + (ranker == "B") for name in ids], dtype=np.int64),
        scores=scores,
        similarities=scores / 2,
        reasons=[{"by": ranker, "of": name} for name in ids],
    )


def test_a_hit_keeps_what_its_own_ranker_said():
    one, two = ranked(list("abcdef"), "A"), ranked(list("afbdec"), "B")
    shown, teams = interleaved(one, two, chance=chance(3), most=5)
    assert len(shown.scene_ids) == len(teams) == 5
    for place, name in enumerate(shown.scene_ids):
        own = two if teams[place] == Team.B else one
        at = own.scene_ids.tolist().index(name)
        assert shown.reasons[place] == own.reasons[at]
        for field in ("tile_ids", "scores", "similarities"):
            assert getattr(shown, field)[place] == getattr(own, field)[at]
    empty, teams = interleaved(ranked([], "A"), ranked(list("xy"), "B"), chance=chance(1), most=9)
    assert (empty.scene_ids.tolist(), teams.tolist()) == (["x", "y"], [2, 2])


@pytest.mark.parametrize(("better", "expected"), [("A", 0.25), ("B", 0.75), ("", 0.5)])
def test_people_who_open_what_is_relevant_prefer_the_better_ranker(better, expected):
    """Position-based clicks; the better ranker has the five relevant hits first, the other one shuffles."""
    source = chance(8)
    wins = {1: 0, 2: 0}
    for search in range(600):
        shuffled = [source.permutation(20).tolist() for _ranker in "AB"]
        good = sorted(range(20))
        lists = [good if name == better else own for name, own in zip("AB", shuffled, strict=True)]
        hits, teams = drafted(lists[0], lists[1], search)
        looked = source.random(20) < 1 / np.arange(1, 21)
        clicks = [team for hit, team, seen in zip(hits, teams, looked, strict=True) if seen and hit < 5]
        if clicks.count(1) != clicks.count(2):
            wins[1 if clicks.count(1) > clicks.count(2) else 2] += 1
    verdict = verdict_of(wins[1], wins[2])
    assert verdict.clear is bool(better)
    assert (verdict.share < 0.4, verdict.share > 0.6) == (expected < 0.5, expected > 0.5)
    assert verdict.low < verdict.share < verdict.high


@pytest.mark.parametrize(("a", "b"), [(0, 0), (5, 5), (1, 9), (0, 6), (40, 60), (300, 400)])
def test_the_sign_test_is_the_sum_of_the_binomial(a, b):
    total = a + b
    exact = min(1.0, 2 * sum(comb(total, k) for k in range(min(a, b) + 1)) / 2**total)
    assert sign_test(a, b) == pytest.approx(exact)
    assert sign_test(b, a) == sign_test(a, b)


def test_the_interval_of_a_share_is_wilsons():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(60, 100) == pytest.approx((0.50200, 0.69060), abs=1e-4)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == pytest.approx(1.0)
    assert 0 < sign_test(9_000, 11_000) < 1e-40
