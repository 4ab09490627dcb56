"""Clauses add, what must not be there takes away, and both say what they did."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.ranking import Geometry, RankQuery, StageSettings, candidates_rank
from search.ranking.clauses import clauses_add, length_share, standardised, without_take
from search.ranking.query import RankClause
from search.ranking.stages import Stage
from tests.search.ranking.tiles import tiles

_SETTINGS = StageSettings(clauses=Stage(on=True))


def _axis(number):
    return np.eye(4, dtype=np.float32)[number]


def _rank(vectors, clauses, *, settings=_SETTINGS, geometry=None, **query):
    return candidates_rank(
        candidates=tiles(vectors),
        query=RankQuery(vector=_axis(0), clauses=tuple(clauses), **query),
        settings=settings,
        geometry=geometry or Geometry(),
        limit=10,
    )


def test_what_must_not_be_there_comes_last():
    harbours = [[1, 0.6, 0, 0.1], [1, 0.1, 0, 0.7], [1, 0.5, 0, 0.2], [0.1, 0, 1, 0]]
    before = _rank(harbours, [])
    after = _rank(harbours, [RankClause("ships", _axis(1), -1.0)])
    assert before.scene_ids.tolist() == ["s2", "s0", "s1", "s3"]
    assert after.scene_ids.tolist()[0] == "s1"
    taken = {scene: reason.get("clauses") for scene, reason in zip(after.scene_ids, after.reasons, strict=True)}
    assert taken["s0"][0][0] == "ships"
    assert taken["s0"][0][1] < 0
    assert taken["s1"] is None, "a picture that has less of it than most loses nothing"


def test_a_stage_that_is_off_changes_nothing():
    vectors = np.random.default_rng(3).normal(size=(9, 4))
    off = replace(_SETTINGS, without=Stage(on=False), clauses=Stage(on=False))
    clauses = [RankClause("ships", _axis(1), -1.0), *(RankClause(str(n), _axis(n), 1.0) for n in (1, 2, 3))]
    assert _rank(vectors, clauses, settings=off).scores == pytest.approx(_rank(vectors, []).scores)


def test_short_texts_count_as_a_whole_and_long_ones_by_their_parts_too():
    assert [length_share(count) for count in (1, 2, 4, 6, 8)] == [0, 0, 0.5, 1, 1]
    vectors = np.random.default_rng(4).normal(size=(9, 4))
    two = [RankClause("a", _axis(1)), RankClause("b", _axis(2))]
    assert _rank(vectors, two).scores == pytest.approx(_rank(vectors, []).scores)
    assert _rank(vectors, [*two, *two]).scores != pytest.approx(_rank(vectors, []).scores)


def test_a_picture_that_one_stage_says_nothing_of_is_still_told_of_by_the_next():
    vectors = [[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]]
    clauses = [RankClause("ships", _axis(1), 2.0), RankClause("cranes", _axis(2), -1.0)]
    found = _rank(vectors, clauses, stressed=True)
    told = dict(zip(found.scene_ids, found.reasons, strict=True))
    assert [words for words, _share in told["s3"]["clauses"]] == ["ships", "cranes"]
    assert [words for words, _share in told["s0"]["clauses"]] == ["ships"]
    silent = _rank(
        [*vectors, [0, 0, 0, 1]], [RankClause("of nothing", np.zeros(4, np.float32), 2.0), clauses[1]], stressed=True
    )
    assert silent.scene_ids.tolist()[0] != "s3"


def test_weights_a_person_gave_count_however_short_the_text_is():
    vectors = [[1, 1, 0, 0], [1, 0, 1, 0], [1, 0.5, 0.5, 0]]
    clauses = [RankClause("a", _axis(1), 0.5), RankClause("b", _axis(2), 3.0)]
    places = _rank(vectors, clauses, stressed=True).scene_ids.tolist()
    assert places.index("s1") < places.index("s0")
    assert _rank(vectors, clauses).scores.tolist() == _rank(vectors, []).scores.tolist()


def test_clauses_are_compared_in_the_corrected_geometry_when_it_is_on():
    vectors = np.random.default_rng(5).normal(size=(12, 4))
    geometry = Geometry(text_mean=_axis(1) * np.float32(0.4), image_mean=_axis(2) * np.float32(0.3))
    on = replace(_SETTINGS, normalise=Stage(on=True))
    clause = [RankClause("ships", _axis(1), -1.0)]
    told = [_rank(vectors, clause, settings=each, geometry=geometry).reasons for each in (on, _SETTINGS)]
    assert [reason.get("clauses") for reason in told[0]] != [reason.get("clauses") for reason in told[1]]


_scores = st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=30).map(
    lambda values: np.array(values, dtype=float)
)


@given(_scores, st.floats(0.1, 3), st.floats(0.1, 5))
def test_a_text_alone_is_its_own_clause_and_nothing_is_given_for_what_must_not_be_there(whole, share, weight):
    (added,) = clauses_add(whole=whole, parts=[whole], weights=[weight], share=share)
    assert np.abs(added).max() < 1e-9
    (taken,) = without_take(whole=whole, against=[whole[::-1]], weights=[weight], gamma=share)
    assert taken.max() <= 0
    assert np.isfinite(standardised(whole)).all()
