"""Which route is taken, that none of them comes back short, and the statements behind them."""

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagery.models import Embedding, Encoder, Scene, Tile
from imagery.services.partitions import partition_name
from imagery.services.vector_index import index_name
from search.candidates import Route, candidates_find, indexed
from search.candidates import estimate as estimates
from search.candidates.session import IterativeScan, Setting
from search.query import SearchRequest
from tests import factories
from tests.search.candidates.oracle import Oracle, check_exact, check_rows, index_build

pytestmark = pytest.mark.django_db
ASKED = SearchRequest("x")


@pytest.fixture
def owner():
    return factories.make_user()


@pytest.fixture
def encoder():
    return factories.make_encoder(dimension=32)


@pytest.fixture
def archive(owner, encoder):
    """1,500 scenes of one tile, as the oracle read them; every fifteenth is on the platform "Rare-1"."""
    make_archive(owner, encoder, scenes=1_500)
    return Oracle.read(encoder)


def make_archive(owner, encoder, *, scenes: int, tiles: int = 1, seed: int = 5):
    collection = factories.make_collection(owner=owner)
    rows = Scene.objects.bulk_create(
        Scene(collection=collection, title=str(n), status="ready", content_hash=f"{seed:04x}{n:060x}",
              platform="" if n % 15 else "Rare-1")
        for n in range(scenes)
    )  # fmt: skip
    made = Tile.objects.bulk_create(
        Tile(scene=scene, level=min(n, 1), x=n, y=0, width=9, height=9) for scene in rows for n in range(tiles)
    )
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(len(made), encoder.dimension))
    vectors += 2 * np.repeat(rng.normal(size=(scenes, encoder.dimension)), tiles, axis=0)  # A scene's tiles are alike.
    Embedding.objects.bulk_create(
        Embedding(encoder=encoder, tile=tile, vector=factories.unit(vector))
        for tile, vector in zip(made, vectors, strict=True)
    )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; ANALYZE")


def ask(encoder, user, oracle=None, *, k=1_000, request=ASKED, seed=1, **more):
    vector = np.random.default_rng(seed).normal(size=encoder.dimension).astype(np.float32)
    found = candidates_find(vector=vector, encoder=encoder, request=request, user=user, k=k, **more)
    return found, (oracle or Oracle.read(encoder)).matching(user, request, vector)


def test_without_an_index_every_row_is_compared(archive, encoder, owner):
    found, matching = ask(encoder, owner, archive, k=100)
    assert found.route == Route.EXACT
    check_exact(found, matching, 100)


@pytest.mark.parametrize("kind", [Encoder.Index.HNSW, Encoder.Index.BINARY])
def test_the_index_finds_the_nearest(archive, encoder, owner, kind, monkeypatch):
    monkeypatch.setattr(estimates, "_LEAST_INDEXED", 1)
    index_build(encoder, kind)
    recalls = []
    for seed in range(10):
        found, matching = ask(encoder, owner, archive, k=20, seed=seed)
        assert found.route == Route.INDEX
        check_rows(found, matching, 20)
        recalls.append(len({tile.tile_id for tile in matching[:20]} & set(found.tile_ids.tolist())) / 20)
        assert found.searched == 1_500 or found.estimated
    assert np.mean(recalls) > (0.97 if kind == Encoder.Index.HNSW else 0.5)


def test_the_index_is_what_the_statement_uses(archive, encoder, owner):
    index_build(encoder)
    with CaptureQueriesContext(connection) as asked:
        found, _matching = ask(encoder, owner, archive, k=10, route=Route.INDEX)
    assert found.route == Route.INDEX
    statement = next(query["sql"] for query in asked if "halfvec_send" in query["sql"])
    settings = next(query["sql"] for query in asked if "hnsw.iterative_scan" in query["sql"])
    with connection.cursor() as cursor:
        cursor.execute(settings)
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert f"using {index_name(encoder.pk, 'hnsw')}" in plan
    assert "Sort" not in plan and "Hash" not in plan


def test_few_rows_are_compared_and_many_are_not(archive, encoder, owner, monkeypatch):
    monkeypatch.setattr(estimates, "_LEAST_INDEXED", 1)
    index_build(encoder)
    rare = SearchRequest("x", platform=("rare-1",))
    everything, _ = ask(encoder, owner, archive, k=10)
    few, matching = ask(encoder, owner, archive, k=10, request=rare)
    assert (everything.route, few.route) == (Route.INDEX, Route.EXACT)
    check_exact(few, matching, 10)
    assert few.searched == 100


def test_a_filter_that_has_nothing_to_do_with_the_query_never_shortens_the_answer(archive, encoder, owner):
    index_build(encoder)
    rare = SearchRequest("x", platform=("rare-1",))
    for k in (10, 90, 100, 1_000):
        for seed in range(3):
            found, matching = ask(encoder, owner, archive, k=k, request=rare, seed=seed, route=Route.INDEX)
            check_rows(found, matching, k)
            assert len(found) == min(k, 100)


def test_an_index_scan_that_gives_up_is_replaced_by_comparing_all(archive, encoder, owner, monkeypatch):
    index_build(encoder)
    many = indexed._scan_settings(many=900, share=1.0, rows=1_000)
    once = {**many, Setting.ITERATIVE_SCAN: IterativeScan.OFF}
    assert ask(encoder, owner, archive, k=900, route=Route.INDEX)[0].route == Route.INDEX
    monkeypatch.setattr(indexed, "_scan_settings", lambda **_asked: once)
    found, matching = ask(encoder, owner, archive, k=900, route=Route.INDEX)
    assert found.route == Route.EXACT
    check_exact(found, matching, 900)


def test_a_broken_index_is_not_asked(archive, encoder, owner):
    index_build(encoder)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", [index_name(encoder.pk, "hnsw")]
        )
        assert cursor.fetchone() == (True,)
        cursor.execute(f"DROP INDEX {index_name(encoder.pk, 'hnsw')}")
    found, matching = ask(encoder, owner, archive, k=10, route=Route.INDEX)
    assert found.route == Route.EXACT
    check_exact(found, matching, 10)


@pytest.mark.parametrize("route", [Route.EXACT, Route.INDEX])
def test_many_windows_of_one_scene_crowd_nobody_out(owner, encoder, route):
    collection = factories.make_collection(owner=owner)
    near = {(n, 0, 1, 1): np.eye(32)[0] + 0.001 * np.eye(32)[n % 31 + 1] for n in range(60)}
    for _ in range(2):
        factories.make_scene(collection, windows=near, vector=np.eye(32)[0], encoder=encoder)
    for n in range(9):
        factories.make_scene(collection, vector=np.eye(32)[1] + 0.01 * np.eye(32)[n + 2], encoder=encoder)
    index_build(encoder)
    vector = factories.axis(0, 32)
    matching = Oracle.read(encoder).matching(owner, ASKED, vector)
    for k in (12, 20, 40):
        found = candidates_find(vector=vector, encoder=encoder, request=ASKED, user=owner, k=k, route=route)
        check_rows(found, matching, k)
        if route == Route.EXACT:
            check_exact(found, matching, k)
    assert len(set(found.scene_ids.tolist())) >= 10, "k/4 of the 11"


def test_scenes_of_hundreds_of_tiles_leave_room_for_others_on_the_index_route(owner, encoder):
    """Even the 8k nearest belong to one scene: then the nearest whole scenes are asked for."""
    collection = factories.make_collection(owner=owner)
    near = {(n, 0, 1, 1): np.eye(32)[0] + 0.001 * np.eye(32)[n % 31 + 1] for n in range(120)}
    factories.make_scene(collection, windows=near, vector=np.eye(32)[0], encoder=encoder)
    for n in range(9):
        factories.make_scene(collection, vector=np.eye(32)[1] + 0.01 * np.eye(32)[n + 2], encoder=encoder)
    index_build(encoder)
    vector = factories.axis(0, 32)
    found = candidates_find(vector=vector, encoder=encoder, request=ASKED, user=owner, k=12, route=Route.INDEX)
    assert found.route == Route.INDEX
    check_rows(found, Oracle.read(encoder).matching(owner, ASKED, vector), 12)


@pytest.mark.parametrize("route", [Route.EXACT, Route.INDEX])
def test_a_vector_without_direction_matches_nothing(owner, encoder, route):
    collection = factories.make_collection(owner=owner)
    good, broken = (factories.make_scene(collection, encoder=encoder) for _ in range(2))
    Embedding.objects.filter(tile__scene=broken).update(vector=[0.0] * 32)
    index_build(encoder)
    found = candidates_find(vector=factories.axis(0, 32), encoder=encoder, request=ASKED, user=owner, k=10, route=route)
    assert found.scene_ids.tolist() == [good.pk]
    assert np.isfinite(found.distances).all()
    assert found.searched == 1


def test_equal_distances_are_ordered_by_tile(owner, encoder):
    collection = factories.make_collection(owner=owner)
    for _ in range(20):
        factories.make_scene(collection, encoder=encoder)
    found, _matching = ask(encoder, owner, k=7)
    assert found.tile_ids.tolist() == sorted(found.tile_ids.tolist())
    assert found.tile_ids.tolist() == sorted(Tile.objects.values_list("pk", flat=True))[:7]


def test_only_the_encoder_s_own_partition_is_read(archive, encoder, owner):
    other = factories.make_encoder(active=False)
    with CaptureQueriesContext(connection) as asked:
        ask(encoder, owner, archive, k=10)
    statement = next(query["sql"] for query in asked if "halfvec_send" in query["sql"])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert partition_name(encoder.pk) in plan
    assert partition_name(other.pk) not in plan


def test_a_retired_encoder_whose_vectors_are_gone_has_no_candidates(archive, encoder, owner):
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {partition_name(encoder.pk)}")
    found, _matching = ask(encoder, owner, archive, k=10)
    assert (len(found), found.searched) == (0, 0)
    assert found.vectors.shape == (0, 32)


@pytest.mark.parametrize("k", [0, 1_001])
def test_k_is_bounded(encoder, owner, k):
    with pytest.raises(ValueError, match="1 to 1000"):
        ask(encoder, owner, k=k)


def test_a_scene_that_moves_out_of_sight_is_gone_at_once(archive, encoder, owner):
    index_build(encoder)
    somebody = factories.make_user()
    assert len(ask(encoder, somebody, k=10, route=Route.INDEX)[0]) == 0
    shared = factories.make_collection(owner=owner, visibility="all_users")
    nearest = ask(encoder, owner, k=10, route=Route.INDEX)[0].scene_ids.tolist()
    Scene.objects.filter(pk__in=nearest).update(collection=shared)
    found, matching = ask(encoder, somebody, k=10, route=Route.INDEX)
    assert set(found.scene_ids.tolist()) == set(nearest)
    check_rows(found, matching, 10)
    Scene.objects.filter(pk=nearest[0]).update(status="pending")
    assert nearest[0] not in ask(encoder, somebody, k=10, route=Route.INDEX)[0].scene_ids.tolist()
