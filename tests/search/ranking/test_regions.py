"""The stage "regions": a quarter speaks for its tile where it matches much better, from encoding to the page."""

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagery.encoders.regions import cells_packed
from imagery.models import Embedding
from imagery.services.encode import embeddings_store
from imagery.services.regions import encoder_wants_regions, regions_of
from search.engine import ranker_of
from search.query import search_request_parse
from search.ranking.regions import regions_score
from search.reasons import reason_lines
from search.services import ranking_page, search_run
from tests import factories

ON = {
    "regions": {"on": True, "weight": 0.8}, "normalise": {"on": False}, "diffuse": {"on": False},
}  # fmt: skip


def test_the_best_quarter_wins_only_where_it_is_much_better():
    target = np.array([1.0, 0.0], dtype=np.float32)
    cells = np.array([[[0, 1], [1, 0], [1, 0], [0, 1]], [[0.6, 0.8]] * 4, [[0, 1]] * 4], dtype=np.float32)
    scores, won = regions_score(scores=np.array([0.3, 0.5, 0.1]), cells=cells, target=target, weight=0.8)
    assert scores == pytest.approx([0.8, 0.5, 0.1])
    assert won.tolist() == [1, -1, -1]


@pytest.fixture
def user(db):
    return factories.make_user()


def _with_cells(scene, cells) -> None:
    values = np.asarray(cells, dtype=np.float32)[np.newaxis]
    Embedding.objects.filter(tile__scene=scene, tile__level=0).update(regions=cells_packed(values)[0])


def _search(user):
    return search_run(user=user, request=search_request_parse(user=user, text="harbour"))


def test_a_scene_is_found_by_its_quarter_and_shows_it(user):
    factories.make_encoder(kind="builtin", source="builtin", ranking=ON)
    collection = factories.make_collection("coast", owner=user)
    plain = factories.make_scene(collection, vector=[1, 1, 0, 0, 0, 0, 0, 0])
    mixed = factories.make_scene(collection, vector=[0.2, 1, 1, 0, 0, 0, 0, 0])
    factories.make_scene(collection, vector=[0, 1, 0, 0, 0, 0, 0, 0])
    _with_cells(mixed, [factories.axis(1), factories.axis(2), factories.axis(0), factories.axis(3)])
    _with_cells(plain, [factories.axis(1)] * 4)
    factories.know_query("harbour")
    with CaptureQueriesContext(connection) as queries:
        ranking = _search(user)
    assert sum('"regions"' in each["sql"] and "SELECT" in each["sql"] for each in queries) == 1
    assert ranking.scene_ids[:2] == [mixed.pk, plain.pk]
    assert ranking.scores[:2] == pytest.approx([0.8, 0.5**0.5], abs=2e-3)
    assert ranking.reasons[0]["regions"] == [0, 32, 32, 32]
    assert "A quarter of it matches much better than all of it" in reason_lines(ranking.reasons[0])
    assert [hit.window for hit in ranking_page(user=user, ranking=ranking).hits] == [(0, 32, 32, 32), None, None]


def test_without_the_setting_or_the_vectors_nothing_changes(user):
    encoder = factories.make_encoder(kind="builtin", source="builtin", ranking=ON)
    collection = factories.make_collection("coast", owner=user)
    first = factories.make_scene(collection, vector=[1, 0.5, 0, 0, 0, 0, 0, 0])
    second = factories.make_scene(collection, vector=[0.2, 1, 1, 0, 0, 0, 0, 0])
    factories.know_query("harbour")
    assert _search(user).scene_ids == [first.pk, second.pk]
    _with_cells(second, [factories.axis(0)] * 4)
    encoder.ranking = {**ON, "regions": {"on": False}}
    encoder.save(update_fields=["ranking"])
    assert _search(user).scene_ids == [first.pk, second.pk]


def test_the_means_are_taken_from_quarters_too(user):
    mean = [0.0, 0.6] + [0.0] * 6
    encoder = factories.make_encoder(
        kind="builtin",
        source="builtin",
        ranking={**ON, "normalise": {"on": True}},
        text_mean=[0.0] * 8,
        image_mean=mean,
    )
    scene = factories.make_scene(factories.make_collection("coast", owner=user), vector=factories.axis(1))
    _with_cells(scene, [factories.unit([0.5, 0.8, 0, 0, 0, 0, 0, 0])] * 4)
    factories.know_query("harbour")
    cell = factories.unit([0.5, 0.8, 0, 0, 0, 0, 0, 0]) - np.array(mean, dtype=np.float32)
    assert encoder_wants_regions(encoder)
    assert _search(user).scores == pytest.approx([0.8 * factories.unit(cell)[0]], abs=5e-3)


def test_stored_quarters_come_back_and_go_with_a_new_vector(user):
    encoder = factories.make_encoder(ranking=ON)
    scene = factories.make_scene()
    tile = scene.tiles.get()
    vectors = factories.axis(0)[np.newaxis]
    cells = np.stack([factories.axis(number) for number in range(4)])[np.newaxis]
    embeddings_store(encoder=encoder, tile_ids=[tile.pk], vectors=vectors, regions=cells)
    np.testing.assert_array_equal(regions_of(encoder=encoder, tile_ids=[tile.pk])[tile.pk], cells[0])
    embeddings_store(encoder=encoder, tile_ids=[tile.pk], vectors=vectors)
    assert regions_of(encoder=encoder, tile_ids=[tile.pk]) == {}


def test_a_model_that_gives_none_says_so(user, tmp_path):
    encoder = factories.make_encoder(source=str(tmp_path), ranking=ON)
    assert not encoder_wants_regions(encoder)
    ranker = ranker_of(encoder)
    assert not ranker.settings.regions.active
    assert "gives no vectors of regions" in " ".join(ranker.remarks)
