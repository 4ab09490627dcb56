"""The list of stages: order, places, rules that no stage can undo."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.ranking import Geometry, RankQuery, StageSettings, candidates_rank, retrieval_vector
from search.ranking.pipeline import STEPS
from search.ranking.query import unit
from search.ranking.stages import Stage
from tests.search.ranking.tiles import Tiles, tiles

_QUERY = RankQuery(vector=np.array([1, 0, 0, 0], dtype=np.float32))
_TEXT_MEAN = np.array([0.3, 0.1, 0, 0], dtype=np.float32)
_IMAGE_MEAN = np.array([0.2, 0, 0.2, 0], dtype=np.float32)
_MEANS = Geometry(text_mean=_TEXT_MEAN, image_mean=_IMAGE_MEAN)
_PLAIN = StageSettings()
_EVERY = replace(_PLAIN, normalise=Stage(on=True), diffuse=Stage(on=True))


def _rank(candidates, *, settings=_PLAIN, geometry=_MEANS, limit=100, query=_QUERY, **extra):
    return candidates_rank(
        candidates=candidates, query=query, settings=settings, geometry=geometry, limit=limit, **extra
    )


def test_without_stages_scenes_stand_in_the_order_of_their_cosines():
    found = _rank(tiles([[1, 2, 0, 0], [2, 1, 0, 0], [0, 1, 0, 0]]))
    assert found.scene_ids.tolist() == ["s1", "s0", "s2"]
    assert found.scores == pytest.approx([2 / 5**0.5, 1 / 5**0.5, 0])
    assert found.similarities == pytest.approx(found.scores)
    assert [reason["similarity"] for reason in found.reasons] == [0.894, 0.447, 0.0]


def test_equal_scores_are_ordered_by_tile_and_cut_at_the_limit():
    vectors = [[1, 0, 0, 0]] * 4
    assert _rank(tiles(vectors)).tile_ids.tolist() == [1, 2, 3, 4]
    assert _rank(tiles(vectors[::-1]), limit=2).tile_ids.tolist() == [1, 2]


def test_no_candidates():
    for settings_ in (_PLAIN, _EVERY):
        found = _rank(tiles(np.zeros((0, 4))), settings=settings_)
        assert (len(found.scene_ids), len(found.scores), found.reasons) == (0, 0, [])


def test_the_reported_cosine_is_the_plain_one_whatever_the_stages_compare():
    vectors = np.random.default_rng(1).normal(size=(40, 4))
    found = _rank(tiles(vectors), settings=_EVERY)
    plain = unit(vectors.astype(np.float32)) @ _QUERY.vector
    assert found.similarities == pytest.approx(plain[found.tile_ids - 1], abs=1e-6)
    assert (np.diff(found.scores) <= 0).all()


def test_retrieval_asks_in_the_geometry_that_is_compared():
    assert retrieval_vector(query=_QUERY, geometry=_MEANS, settings=_PLAIN) is _QUERY.vector
    asked = retrieval_vector(query=_QUERY, geometry=_MEANS, settings=_EVERY)
    assert asked == pytest.approx(unit(_QUERY.vector - _TEXT_MEAN), abs=1e-6)
    # Without the factor 1 / |x - image mean| of each row the order is that of the corrected cosine.
    rows = unit(np.random.default_rng(2).normal(size=(50, 4)).astype(np.float32))
    corrected = unit(rows - _IMAGE_MEAN) @ asked
    lengths = np.linalg.norm(rows - _IMAGE_MEAN, axis=1)
    assert np.argsort(rows @ asked).tolist() == np.argsort(corrected * lengths).tolist()


def test_normalisation_without_means_is_refused_not_half_done():
    with pytest.raises(ValueError, match="both means"):
        _rank(tiles([[1, 0, 0, 0]]), settings=_EVERY, geometry=Geometry(text_mean=_TEXT_MEAN))


def test_every_stage_says_what_it_did():
    rng = np.random.default_rng(3)
    vectors = np.concatenate([rng.normal(size=(20, 4)) * 0.2 + [1, 1, 0, 0], rng.normal(size=(20, 4))])
    found = _rank(tiles(vectors), settings=_EVERY)
    assert all("normalise" in reason for reason in found.reasons)
    assert any(reason.get("diffuse.places") for reason in found.reasons)
    assert sum(int(reason.get("diffuse.places", 0)) for reason in found.reasons) == 0, "who gains, others lose"


def test_windows_of_a_scene_become_one_hit_with_further_places():
    windows = [(0, 0, 0, 200, 200), (1, 0, 0, 100, 100), (1, 100, 0, 100, 100), (1, 100, 100, 100, 100)]
    vectors = [[1, 3, 0, 0], [3, 1, 0, 0], [2, 1, 0, 0], [-1, 1, 0, 0]]
    found = _rank(tiles(vectors, scenes=["a"] * 4, windows=windows))
    assert (found.scene_ids.tolist(), found.tile_ids.tolist()) == (["a"], [2])
    assert found.reasons[0]["windows"] == {"seen": 3, "more": [[100, 0, 100, 100]]}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_forbidden_candidate_never_comes_out_and_does_not_change_the_others(data):
    """Whatever a stage does to the scores: here one that lifts every row, and one that puts forbidden rows back."""
    count = data.draw(st.integers(1, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 1_000)))
    permitted = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    candidates = tiles(rng.normal(size=(count, 4)), scenes=rng.integers(0, 8, count).astype(object).tolist())

    def undo(pool):
        every = np.arange(count)
        return replace(pool, rows=every, vectors=candidates.vectors, scores=np.full(count, 9.0), notes={})

    chosen = data.draw(st.sampled_from([_PLAIN, _EVERY]))
    for steps in (STEPS, [*STEPS, ("windows", undo)], [("windows", undo), *STEPS]):
        found = _rank(candidates, settings=chosen, permitted=permitted, steps=steps)
        assert set(found.tile_ids.tolist()) <= set(candidates.tile_ids[permitted].tolist())
    alone = Tiles(
        tile_ids=candidates.tile_ids[permitted],
        scene_ids=candidates.scene_ids[permitted],
        windows=candidates.windows[permitted],
        vectors=candidates.vectors[permitted],
    )
    with_others = _rank(candidates, settings=chosen, permitted=permitted)
    without = _rank(alone, settings=chosen)
    assert with_others.tile_ids.tolist() == without.tile_ids.tolist()
    assert with_others.scores == pytest.approx(without.scores, abs=1e-6)


def test_a_vector_without_direction_is_last_and_harms_nothing():
    found = _rank(tiles([[0, 0, 0, 0], [1, 0, 0, 0], [0.9, 0.1, 0, 0], [1, 1, 0, 0]]), settings=_EVERY)
    assert len(found.scene_ids) == 4
    assert np.isfinite(found.scores).all()
