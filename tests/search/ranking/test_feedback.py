"""The feedback stage: what moves, what stays, who is believed, what is told, and what it costs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from search.ranking import (
    Evidence,
    Geometry,
    Lessons,
    RankClause,
    RankedScenes,
    RankQuery,
    StageSettings,
    Votes,
    candidates_rank,
)
from search.ranking.gates import MOST_WEIGHT, agreeing, votes_pooled
from search.ranking.stages import Stage
from tests.search.ranking.tiles import Tiles, tiles

DIMENSION = 24
KINDS = 3
MOST_PRODUCTS = 4.0
"""Feedback may cost so many products of the candidates with themselves (it costs well under one)."""


class World:
    """Scenes of three kinds by turns; a query lies between the first two, which match it about equally well."""

    def __init__(self, count: int = 120, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self.kinds = np.arange(count) % KINDS
        centres = 2 * np.eye(KINDS, DIMENSION)
        self.found: Tiles = tiles(centres[self.kinds] + 0.35 * rng.normal(size=(count, DIMENSION)))
        between = centres[0] + centres[1]
        self.query = RankQuery(vector=(between / np.linalg.norm(between)).astype(np.float32))
        self.mean = self.found.vectors.mean(axis=0)

    def rank(self, evidence: Evidence | None = None, *, full: bool = False, **settings: Any) -> RankedScenes:
        both: dict[str, Any] = {"normalise": Stage(on=True), "diffuse": Stage(on=True, weight=0.7)} if full else {}
        return candidates_rank(
            candidates=self.found,
            query=self.query,
            settings=replace(StageSettings(), **both, **settings),
            geometry=Geometry(text_mean=0.1 * self.mean, image_mean=self.mean),
            limit=len(self.kinds),
            evidence=evidence,
        )

    def order(self, evidence: Evidence | None = None, **settings: Any) -> list[int]:
        return [int(scene[1:]) for scene in self.rank(evidence, **settings).scene_ids]

    def lessons(self, rows: Sequence[int], *, deed: str = "like", weight: float = 1.0) -> Lessons:
        return Lessons(
            vectors=self.found.vectors[list(rows)],
            weights=np.full(len(rows), weight),
            scene_ids=np.array([f"s{row}" for row in rows], dtype=object),
            deeds=(deed,) * len(rows),
            sources=tuple(f"told {row}" for row in rows),
        )

    def votes(self, votes: Sequence[tuple[int, int]], *, weight: float = 1.0) -> Votes:
        one = self.lessons([row for row, _voter in votes], deed="click", weight=weight)
        return Votes(**one.__dict__, voters=np.array([voter for _row, voter in votes], dtype=np.int64))

    def evidence(self, **levels: Any) -> Evidence:
        return replace(Evidence.none(DIMENSION), **levels)

    def of_kind(self, kind: int) -> list[int]:
        """Rows of a kind, best first as they are ranked without feedback."""
        return [row for row in self.order() if self.kinds[row] == kind]

    def share(self, order: Sequence[int], kind: int, first: int = 30) -> float:
        return float((self.kinds[list(order)[:first]] == kind).mean())


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("level", ["session", "own"])
def test_what_looks_like_liked_scenes_moves_up(world, level, full):
    before = world.order(full=full)
    after = world.order(world.evidence(**{level: world.lessons(world.of_kind(1)[:3])}), full=full)
    assert sorted(after) == sorted(before)
    assert world.share(after, 1) > world.share(before, 1) + 0.2
    assert world.share(after, 2) == 0


def test_no_evidence_changes_nothing_and_is_told_nowhere(world):
    before = world.rank()
    for evidence in (Evidence.none(DIMENSION), None):
        after = world.rank(evidence)
        assert after.scene_ids.tolist() == before.scene_ids.tolist()
        assert after.scores.tolist() == before.scores.tolist()
        assert after.reasons == before.reasons
    likes = world.evidence(session=world.lessons(world.of_kind(1)[:3]))
    assert world.order(likes, feedback=Stage(on=False)) == world.order()


def test_clicks_that_say_what_the_ranking_knew_change_nothing():
    world = World()
    world.query = RankQuery(vector=world.found.vectors[world.kinds == 0].mean(axis=0))
    first = world.order(full=True)
    assert world.share(first, 0) == 1
    assert world.order(world.evidence(session=world.lessons(first[:4], deed="click")), full=True) == first
    assert world.order(world.evidence(own=world.lessons(first[:4])), full=True) == first


def test_likes_of_this_session_bring_what_looks_like_them_forward_among_equals():
    world = World()
    world.query = RankQuery(vector=world.found.vectors[world.kinds == 0].mean(axis=0))
    first = world.order(full=True)
    liked = first[20:23]
    ranked = world.rank(world.evidence(session=world.lessons(liked)), full=True)
    after = [int(scene[1:]) for scene in ranked.scene_ids]
    alike = world.found.vectors @ world.found.vectors[liked].mean(axis=0)
    assert alike[after[:10]].mean() > alike[first[:10]].mean()
    assert world.share(after, 0) == 1, "no other kind comes between"
    moved_up = [number for number, row in enumerate(after[:10]) if first.index(row) > number]
    assert any("feedback" in ranked.reasons[number] for number in moved_up)


def test_scores_are_the_same_numbers_in_another_order(world):
    before, after = world.rank(), world.rank(world.evidence(session=world.lessons(world.of_kind(1)[:3])))
    assert sorted(before.scores) == sorted(after.scores)
    assert (np.diff(after.scores) <= 0).all()


def test_a_disliked_scene_and_what_looks_like_it_move_down(world):
    before = world.order()
    disliked = before[0]
    after = world.order(world.evidence(disliked=world.lessons([disliked])))
    assert after.index(disliked) > 20
    assert world.share(after, world.kinds[disliked]) < world.share(before, world.kinds[disliked])


def test_more_likes_move_more(world):
    one = world.evidence(session=world.lessons(world.of_kind(1)[:1], weight=0.4))
    many = world.evidence(session=world.lessons(world.of_kind(1)[:4]))
    none, some, much = (world.share(world.order(evidence), 1) for evidence in (None, one, many))
    assert none <= some <= much
    assert none < much


def test_lessons_that_are_no_candidates_teach_through_what_they_are_like(world):
    likes = world.lessons(world.of_kind(1)[:3])
    elsewhere = replace(likes, scene_ids=np.array(["x", "y", "z"], dtype=object))
    assert world.share(world.order(world.evidence(own=elsewhere)), 1) > world.share(world.order(), 1) + 0.2


def test_own_lessons_that_do_not_match_the_query_are_not_believed(world):
    assert world.order(world.evidence(own=world.lessons(world.of_kind(2)[:3]))) == world.order()


def test_what_is_behind_a_level_does_not_drown_it(world):
    session, own = world.lessons(world.of_kind(1)[:8]), world.lessons(world.of_kind(0)[:30])
    assert world.share(world.order(world.evidence(own=own)), 1) < world.share(world.order(), 1)
    evidence = world.evidence(session=session, own=own)
    assert world.share(world.order(evidence), 1) >= world.share(world.order(), 1)
    evidence = world.evidence(session=session, own=world.lessons(world.of_kind(1)[8:12], deed="click"))
    assert {told["level"] for told in _told(world.rank(evidence))} == {"session"}


def _told(ranked: RankedScenes) -> list[dict[str, Any]]:
    return [told for reason in ranked.reasons if isinstance(told := reason.get("feedback"), dict)]


def test_a_hit_says_what_it_resembles_and_how_far_it_moved(world):
    liked = world.of_kind(1)[:5]
    evidence = world.evidence(session=world.lessons(liked), own=world.lessons(world.of_kind(0)[:2], deed="click"))
    ranked = world.rank(evidence)
    raised = [reason for reason in ranked.reasons if reason.get("feedback", {}).get("share", 0) > 0]
    assert raised
    assert any(reason.get("feedback.places", 0) > 0 for reason in raised)
    for reason in raised:
        told = reason["feedback"]
        assert set(told) == {"share", "like", "level", "own"}
        assert 0 < told["share"] < 1 and told["own"] == 2 and len(told["like"]) == 3
        for scene, source, deed in told["like"]:
            assert int(scene[1:]) in liked and source == f"told {scene[1:]}" and deed == "like"
    row = next(n for n, reason in enumerate(ranked.reasons) if reason in raised)
    scene = int(ranked.scene_ids[row][1:])
    nearest = max(liked, key=lambda other: float(world.found.vectors[scene] @ world.found.vectors[other]))
    assert raised[0]["feedback"]["like"][0][0] == f"s{nearest}"


def test_what_others_did_moves_hits_but_is_not_told(world):
    rows = world.of_kind(1)[:6]
    evidence = world.evidence(everybody=world.votes([(row, voter) for row in rows for voter in (1, 2)]))
    assert world.share(world.order(evidence), 1) > world.share(world.order(), 1) + 0.2
    told = _told(world.rank(evidence))
    assert told
    assert all(each["level"] == "everybody" and each["like"] == [] and each["own"] == 0 for each in told)


def test_one_person_is_not_everybody(world):
    rows = world.of_kind(1)[:6]
    alone = world.votes([(row, 7) for row in rows for _again in range(9)], weight=3.0)
    assert world.order(world.evidence(everybody=alone)) == world.order()


def test_votes_for_what_does_not_match_do_not_count(world):
    strange = world.votes([(row, voter) for row in world.of_kind(2)[:6] for voter in range(8)], weight=3.0)
    assert world.order(world.evidence(everybody=strange)) == world.order()


def test_pooling_takes_two_persons_one_vote_each_and_five_likes_at_most():
    scenes = np.array(["a", "a", "a", "b", "b", "c", "c", "c", "c"], dtype=object)
    voters = np.array([1, 1, 2, 1, 1, 1, 2, 3, 4])
    weights = np.array([0.4, 1.0, 0.4, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0])
    rows, pooled = votes_pooled(weights=weights, scenes=scenes, voters=voters)
    assert scenes[rows].tolist() == ["a", "c"]
    assert pooled.tolist() == pytest.approx([1.4, MOST_WEIGHT])


def test_a_fifth_is_dropped_those_least_like_the_others():
    rows = np.tile(np.eye(8, dtype=np.float32)[0], (10, 1))
    rows[[3, 7]] = np.eye(8)[[1, 2]]
    assert np.flatnonzero(~agreeing(rows, np.ones(10))).tolist() == [3, 7]
    assert not agreeing(rows[:2], np.ones(2)).any(), "of two nobody can say which one is odd"


def test_an_attacked_scene_stays_where_it_is(world):
    honest = [(row, voter) for row in world.of_kind(0)[:6] for voter in (1, 2, 3)]
    target = world.of_kind(2)[0]
    before = world.order().index(target)
    evidence = world.evidence(everybody=world.votes([*honest, *((target, voter) for voter in range(10, 16))], weight=3))
    assert world.order(evidence).index(target) >= min(before, 60)


def test_what_without_took_away_is_not_given_back(world):
    without = (RankClause(text="one", vector=np.eye(KINDS, DIMENSION, dtype=np.float32)[1], weight=-1.0),)
    world.query = replace(world.query, clauses=without)
    before = world.order(without=Stage(on=True, weight=2.0))
    likes = world.evidence(session=world.lessons(world.of_kind(1)[:4]))
    after = world.order(likes, without=Stage(on=True, weight=2.0))
    assert world.share(before, 1) < 0.1 and world.share(after, 1) <= world.share(before, 1) + 0.05


@pytest.mark.parametrize("count", [1, 2, 3, 6, 12, 19, 20, 40])
@pytest.mark.parametrize("full", [False, True])
def test_any_number_of_candidates_can_be_taught(count, full):
    world = World(count)
    last = world.order()[-1:]
    for levels in ({"session": world.lessons(last)}, {"own": world.lessons(last)}, {"disliked": world.lessons(last)}):
        with np.errstate(all="raise"):
            assert sorted(world.order(world.evidence(**levels), full=full)) == list(range(count))


def test_rows_without_direction_do_no_harm(world):
    world.found.vectors[::2] = 0
    likes = world.lessons([0, 1, 2])
    with np.errstate(all="raise"):
        assert np.isfinite(world.rank(world.evidence(session=likes, disliked=likes)).scores).all()


def _best_of(times: int, run: Callable[[], object]) -> float:
    run()
    found = []
    for _time in range(times):
        begun = time.perf_counter()
        run()
        found.append(time.perf_counter() - begun)
    return min(found)


@pytest.mark.parametrize("full", [False, True])
def test_feedback_costs_less_than_a_few_products_of_the_candidates(full):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(1_000, 1_024)) + 2 * rng.normal(size=1_024)
    world = World(3)
    world.found, world.kinds = tiles(rows), np.zeros(1_000, dtype=np.int64)
    world.query, world.mean = RankQuery(vector=world.found.vectors[3]), world.found.vectors.mean(axis=0)
    chosen = rng.permutation(1_000).tolist()
    evidence = Evidence(
        session=world.lessons(chosen[:50]),
        own=world.lessons(chosen[50:100], deed="click"),
        disliked=Lessons.none(1_024),
        everybody=world.votes([(row, voter) for row in chosen[100:150] for voter in (1, 2)]),
    )
    vectors = world.found.vectors
    # One after the other, so that a busy moment of the machine is in both.
    ratios = []
    for _time in range(3):
        product = _best_of(2, lambda: vectors @ vectors.T)
        cost = _best_of(2, lambda: world.rank(evidence, full=full)) - _best_of(2, lambda: world.rank(full=full))
        ratios.append(cost / product)
    assert min(ratios) < MOST_PRODUCTS, ratios
