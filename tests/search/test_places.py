"""The windows of the best scenes are read within limits of time and number."""

import numpy as np
import pytest
from django.db import connection

from search import places
from search.candidates import candidates_find
from search.query import SearchRequest
from search.ranking import Geometry, RankQuery, StageSettings, candidates_rank
from search.ranking.query import RankClause, RankRelation
from tests.factories import axis, make_collection, make_encoder, make_scene, make_user

pytestmark = pytest.mark.django_db
LEFT, RIGHT = (0, 0, 32, 64), (32, 0, 32, 64)


@pytest.fixture
def looked():
    """What ``places_look`` is given for "ships left of cranes", the wrong scene before the right one."""
    user, encoder = make_user(), make_encoder()
    collection = make_collection(owner=user)
    for title, windows in {"wrong": {LEFT: axis(2), RIGHT: axis(1)}, "fits": {LEFT: axis(1), RIGHT: axis(2)}}.items():
        make_scene(collection, title=title, vector=axis(4), windows=windows)
    make_scene(collection, title="single", vector=axis(4))
    relation = RankRelation("left", RankClause("ships", axis(1)), (RankClause("cranes", axis(2)),))
    query = RankQuery(vector=axis(4), relations=(relation,))
    found = candidates_find(vector=axis(4), encoder=encoder, request=SearchRequest(text="x"), user=user, k=100)
    ranked = candidates_rank(candidates=found, query=query, settings=StageSettings(), geometry=Geometry(), limit=100)
    return {
        "ranked": ranked, "candidates": found, "query": query, "encoder": encoder, "settings": StageSettings(),
        "geometry": Geometry(),
    }  # fmt: skip


def _titles(look):
    from imagery.models import Scene

    names = dict(Scene.objects.values_list("pk", "title"))
    return [names[scene] for scene in look.ranked.scene_ids]


def test_the_scene_in_which_things_stand_so_comes_first(looked):
    look = places.places_look(**looked)
    assert (_titles(look)[0], look.final) == ("fits", True)


def test_only_windows_of_this_encoder_are_read_and_few_statements_do_it(looked, django_assert_num_queries):
    make_scene(encoder=make_encoder("other", active=False), windows={LEFT: axis(1)})
    scenes = list(looked["ranked"].scene_ids)
    with django_assert_num_queries(7):  # Savepoint, the limit and what it was, counts, tiles, the limit, release.
        tiles = places.scene_tiles_read(encoder=looked["encoder"], scene_ids=scenes, budget_ms=5_000)
    assert len(tiles.tile_ids) == 4
    assert (tiles.windows[:, 0] > 0).all()
    assert np.allclose(np.linalg.norm(tiles.vectors, axis=1), 1, atol=1e-3)


def test_out_of_time_the_order_stays_and_the_connection_is_as_it_was(looked, monkeypatch):
    monkeypatch.setattr(places, "_TILES", places._TILES + " AND pg_sleep(5) IS NOT NULL")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()
    look = places.places_look(**looked, budget_ms=30)
    assert look.final is False
    assert look.ranked is looked["ranked"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        assert cursor.fetchone() == before


def test_scenes_of_too_many_windows_are_left_out(looked, monkeypatch):
    scenes = list(looked["ranked"].scene_ids)
    monkeypatch.setattr(places, "MOST_TILES", 3)
    tiles = places.scene_tiles_read(encoder=looked["encoder"], scene_ids=scenes, budget_ms=5_000)
    assert len(set(tiles.scene_ids)) == 1


def test_a_query_without_relations_reads_nothing(looked, django_assert_num_queries):
    looked["query"] = RankQuery(vector=axis(4))
    with django_assert_num_queries(0):
        assert places.places_look(**looked).ranked is looked["ranked"]
