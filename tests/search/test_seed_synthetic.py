"""``manage.py seed_synthetic``: a portal for load tests, made, searched and taken away."""

from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from imagery.models import Collection, Embedding, Encoder, Scene, Tile
from imagery.services.synthetic import synthetic_source
from imagery.services.synthetic_copy import tile_ids_reserve
from imagery.services.vector_index import vector_index_ready
from imagery.synthetic.scenes import MARK
from rsportal.accounts.models import User
from rsportal.errors import Unavailable
from search.models import Impression, Query, QueryVector, Ranking
from search.services import ranking_page, search_request_parse, search_run
from search.services.synthetic import QUERIES, query_text
from tests import factories

pytestmark = pytest.mark.django_db

SCENES = 2_000
TABLES = (Scene, Tile, Embedding, Collection, User, Query, QueryVector, Ranking, Impression, Encoder)


def seed(**options) -> str:
    out = StringIO()
    call_command("seed_synthetic", **{"scenes": SCENES, "dimension": 64, **options}, stdout=out, stderr=StringIO())
    return out.getvalue()


def remove() -> str:
    out = StringIO()
    call_command("seed_synthetic", remove=True, stdout=out, stderr=StringIO())
    return out.getvalue()


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in TABLES}


def test_what_is_made_is_searched_like_anything_else_and_goes_again():
    real = factories.make_encoder("real")
    before = counts()
    said = seed()
    assert f"{SCENES:,} scenes and {SCENES:,} vectors of 64 numbers" in said
    made = Encoder.objects.get(state=Encoder.State.ACTIVE)
    assert made.name == "synthetic-64"
    assert vector_index_ready(made.pk) is not None
    assert Embedding.objects.filter(encoder=made).count() == SCENES
    assert QueryVector.objects.filter(encoder=made).count() == QUERIES
    assert Scene.objects.filter(properties__has_key=MARK).count() == SCENES
    assert Collection.objects.filter(visibility="members").exists()

    user = factories.make_user()
    ranking = search_run(user=user, request=search_request_parse(user=user, text=query_text(3)))
    page = ranking_page(user=user, ranking=ranking)
    assert len(page.hits) == 24
    with pytest.raises(Unavailable, match="synthetic-vectors-have-no-model"):
        search_run(user=user, request=search_request_parse(user=user, text="an airport"))

    assert remove() == f"Removed {SCENES:,} synthetic scenes.\n"
    user.delete()
    assert counts() == before
    assert Encoder.objects.get(state=Encoder.State.ACTIVE) == real
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f"imagery_embedding_{made.pk}"])
        assert cursor.fetchone()[0] is None


def test_the_stored_vectors_are_those_of_the_source():
    seed(scenes=50, windows=2, no_index=True)
    encoder = Encoder.objects.get(state=Encoder.State.ACTIVE)
    block = synthetic_source(encoder).block(0)
    for number, whole in enumerate(Tile.objects.filter(level=0).select_related("scene").order_by("pk")[:3]):
        tiles = list(whole.scene.tiles.order_by("pk"))
        assert [tile.level for tile in tiles] == [0, 1, 1]
        assert tiles[2].x + tiles[2].width <= whole.scene.width
        rows = [block.whole[number], *block.windows[number]]
        for tile, row in zip(tiles, rows, strict=True):
            assert np.array(tile.embeddings.get().vector) == pytest.approx(row, abs=1e-3)


def test_it_leaves_a_portal_with_scenes_alone():
    collection = factories.make_collection()
    factories.make_encoder()
    factories.make_scene(collection, vector=factories.axis(0))
    with pytest.raises(CommandError, match="scenes of its own"):
        seed()
    assert Scene.objects.count() == 1


def test_forced_it_uses_the_active_encoder_and_takes_away_only_its_own():
    collection = factories.make_collection()
    encoder = factories.make_encoder(dimension=64)
    real = factories.make_scene(collection, vector=factories.axis(0, 64))
    before = counts()
    with pytest.raises(CommandError, match="leave out --dimension"):
        seed(force=True, dimension=32)
    seed(scenes=200, force=True, dimension=None, no_index=True)
    assert Embedding.objects.filter(encoder=encoder).count() == 201
    assert Encoder.objects.count() == 1
    remove()
    assert counts() == before
    assert Scene.objects.get() == real


def test_twice_is_refused_and_removing_nothing_is_harmless():
    assert remove() == "Removed 0 synthetic scenes.\n"
    seed(scenes=20, no_index=True)
    with pytest.raises(CommandError, match="already"):
        seed(scenes=20)


@pytest.mark.parametrize(
    ("options", "word"),
    [({"scenes": 0}, "--scenes"), ({"dimension": 8}, "--dimension"), ({"windows": 65}, "--windows")],
)
def test_impossible_sizes_are_named(options, word):
    with pytest.raises(CommandError, match=word):
        seed(**options)
    assert not Scene.objects.exists()


def test_reserved_ids_are_nobody_elses():
    collection = factories.make_collection()
    factories.make_encoder()
    first = tile_ids_reserve(10)
    scene = factories.make_scene(collection, vector=factories.axis(0))
    assert scene.tiles.get().pk == first + 10
