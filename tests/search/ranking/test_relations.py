"""Where things are: which tiles stand so, and how scenes are ordered by it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.ranking import Geometry, RankQuery, StageSettings, candidates_rank
from search.ranking.placing import Places, relation_find
from search.ranking.query import RankClause, RankRelation
from search.ranking.relations import Compared, SceneTiles, relations_rank, scenes_to_read
from tests.search.ranking.tiles import tiles

_SIDE = 100
_MIRRORED = {"left": "right", "right": "left", "above": "above", "below": "below", "next_to": "next_to"}


def grid(side):
    """The places of a scene of side x side windows, row by row."""
    cells = [(1, x * _SIDE, y * _SIDE, _SIDE, _SIDE) for y in range(side) for x in range(side)]
    return Places.of(np.array(cells))


def scores(side, *cells):
    """1 in these cells (row, column), -1 elsewhere."""
    values = np.full((side, side), -1.0)
    for row, column in cells:
        values[row, column] = 1.0
    return values.ravel()


@pytest.mark.parametrize(
    ("kind", "subject", "things", "stands"),
    [
        ("left", (1, 0), [(1, 2)], True),
        ("left", (1, 2), [(1, 0)], False),
        ("left", (0, 1), [(2, 1)], False),
        ("right", (1, 2), [(1, 0)], True),
        ("above", (0, 1), [(2, 1)], True),
        ("below", (0, 1), [(2, 1)], False),
        ("next_to", (0, 0), [(0, 1)], True),
        ("next_to", (0, 0), [(2, 2)], False),
        ("near", (0, 0), [(0, 1)], True),
        ("near", (0, 0), [(2, 2)], False),
        ("between", (1, 1), [(1, 0), (1, 2)], True),
        ("between", (0, 1), [(1, 0), (1, 2)], False),
        ("between", (1, 0), [(1, 1), (1, 2)], False),
    ],
)
def test_things_stand_so_or_not(kind, subject, things, stands):
    objects = tuple(scores(3, each) for each in things)
    found = relation_find(kind=kind, places=grid(3), subject=scores(3, subject), objects=objects)
    assert found is not None
    assert (found.score == 1.0) is stands
    if stands:
        assert found.tiles == tuple(row * 3 + column for row, column in (subject, *things))


def test_between_two_of_a_kind():
    two = scores(3, (1, 0), (1, 2))
    found = relation_find(kind="between", places=grid(3), subject=scores(3, (1, 1)), objects=(two,))
    assert found is not None
    assert found.score == 1.0


def test_surrounded_wants_the_thing_on_most_sides():
    ring = scores(3, *[(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)])
    inside = relation_find(kind="surrounded", places=grid(3), subject=scores(3, (1, 1)), objects=(ring,))
    beside = relation_find(kind="surrounded", places=grid(3), subject=scores(3, (1, 1)), objects=(scores(3, (0, 1)),))
    assert inside is not None
    assert beside is not None
    assert inside.score == 1.0 > beside.score


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="no relation"):
        relation_find(kind="inside", places=grid(2), subject=scores(2, (0, 0)), objects=(scores(2, (0, 1)),))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(_MIRRORED)), st.integers(0, 10_000), st.integers(2, 4))
def test_a_mirrored_scene_shows_the_mirrored_relation(kind, seed, side):
    one, two = np.random.default_rng(seed).normal(size=(2, side, side))
    found = relation_find(kind=kind, places=grid(side), subject=one.ravel(), objects=(two.ravel(),))
    mirrored = relation_find(
        kind=_MIRRORED[kind], places=grid(side), subject=one[:, ::-1].ravel(), objects=(two[:, ::-1].ravel(),)
    )
    assert found is not None
    assert mirrored is not None
    assert found.score == pytest.approx(mirrored.score)


_SHIP, _BRIDGE, _WATER = np.eye(4, dtype=np.float32)[:3]
_QUERY = RankQuery(
    vector=_SHIP,
    relations=(RankRelation("left", RankClause("ship", _SHIP), (RankClause("bridge", _BRIDGE),)),),
)
_CELLS = [(0, 0, 0, 200, 100), (1, 0, 0, 100, 100), (1, 100, 0, 100, 100)]


def _archive(*scenes):
    """Scenes of a whole tile and a left and a right window; the windows alone are read."""
    vectors, names, windows = [], [], []
    for name, left, right in scenes:
        vectors += [left + right, left, right] if left is not None else [_SHIP * 0.5 + _WATER]
        names += [name] * (3 if left is not None else 1)
        windows += _CELLS if left is not None else _CELLS[:1]
    every = tiles(vectors, scenes=names, windows=windows)
    part = every.windows[:, 0] > 0
    read = SceneTiles(every.tile_ids[part], every.scene_ids[part], every.windows[part], every.vectors[part])
    return every, read


def _ranked(candidates, read, query=_QUERY):
    settings = StageSettings()
    found = candidates_rank(candidates=candidates, query=query, settings=settings, geometry=Geometry(), limit=50)
    compared = Compared.of(candidates=candidates, query=query, settings=settings, geometry=Geometry())
    assert set(scenes_to_read(ranked=found, candidates=candidates, compared=compared)) == set(found.scene_ids)
    return found, relations_rank(ranked=found, candidates=candidates, tiles=read, compared=compared)


def test_the_scene_where_things_stand_as_asked_comes_first_and_shows_the_subject():
    before, after = _ranked(*_archive(("wrong", _BRIDGE, _SHIP), ("right", _SHIP, _BRIDGE), ("sea", _WATER, _WATER)))
    assert after.scene_ids.tolist()[0] == "right"
    assert set(after.scene_ids) == set(before.scene_ids)
    assert after.reasons[0]["relations"]["tiles"] == [[0, 0, 100, 100], [100, 0, 100, 100]]
    assert after.tile_ids.tolist()[0] == 5


def test_scenes_without_windows_take_no_side():
    archive = _archive(("wrong", _BRIDGE, _SHIP), ("right", _SHIP, _BRIDGE), ("single", None, None))
    _before, after = _ranked(*archive)
    places = after.scene_ids.tolist()
    assert places.index("right") < places.index("single")
    assert "relations" not in after.reasons[places.index("single")]


def test_an_archive_of_single_pictures_keeps_its_order():
    before, after = _ranked(*_archive(("a", None, None), ("b", None, None)))
    assert after.scene_ids.tolist() == before.scene_ids.tolist()
    assert after.scores == pytest.approx(before.scores)
