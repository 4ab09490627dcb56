"""A walk through the graph that was led astray is told so by a sample, and begins again where it should have been."""

from dataclasses import replace

import numpy as np
import pytest

from search.candidates import Route, find, missed
from search.candidates.exact import rows_of_tiles
from search.candidates.indexed import nearest_indexed
from search.candidates.matching import vector_literal
from search.query import SearchRequest
from tests import factories
from tests.search.candidates.oracle import Oracle, check_rows, index_build
from tests.search.candidates.test_routes import ask, make_archive

pytestmark = pytest.mark.django_db
WANTED = 100


@pytest.fixture
def owner():
    return factories.make_user()


@pytest.fixture
def encoder():
    return factories.make_encoder(dimension=32)


@pytest.fixture
def archive(owner, encoder, monkeypatch):
    make_archive(owner, encoder, scenes=1_500)
    index_build(encoder)
    monkeypatch.setattr(missed, "FROM_ROWS", 0)
    return Oracle.read(encoder)


def led_astray(encoder):
    """A first walk that ends around quite another vector; its rows are true, and far from what was asked."""
    elsewhere = vector_literal(factories.unit(np.random.default_rng(99).normal(size=encoder.dimension)))

    def walk(asked, index, **settings):
        return rows_of_tiles(asked, nearest_indexed(replace(asked, vector=elsewhere), index, **settings).tile_ids)

    return walk


@pytest.mark.parametrize("request_", [SearchRequest("x"), SearchRequest("x", platform=("Rare-1",))])
def test_a_walk_led_astray_begins_again_where_it_should_have_been(archive, encoder, owner, monkeypatch, request_):
    k = WANTED if not request_.platform else WANTED // 4
    monkeypatch.setattr(find, "nearest_indexed", led_astray(encoder))
    monkeypatch.setattr(missed, "FROM_ROWS", 10_000)
    astray, matching = ask(encoder, owner, archive, k=k, request=request_, route=Route.INDEX)
    monkeypatch.setattr(missed, "FROM_ROWS", 0)
    found, _ = ask(encoder, owner, archive, k=k, request=request_, route=Route.INDEX)
    check_rows(found, matching, k)
    nearest = [tile.tile_id for tile in sorted(matching, key=lambda tile: (tile.distance, tile.tile_id))[:10]]
    assert found.tile_ids[0] == nearest[0]
    assert len(set(nearest) & set(found.tile_ids.tolist())) > len(set(nearest) & set(astray.tile_ids.tolist()))


def test_a_walk_that_missed_nothing_is_left_alone(archive, encoder, owner, monkeypatch):
    found, _ = ask(encoder, owner, archive, k=1_000, route=Route.INDEX)
    monkeypatch.setattr(missed, "FROM_ROWS", 10_000)
    plain, matching = ask(encoder, owner, archive, k=1_000, route=Route.INDEX)
    check_rows(found, matching, 1_000)
    assert found.tile_ids.tolist() == plain.tile_ids.tolist()
