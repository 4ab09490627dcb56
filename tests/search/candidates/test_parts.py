"""The parts of retrieval: estimate, settings of one statement, spreading over scenes, rows over the wire."""

import uuid

import numpy as np
import pytest
from django.db import OperationalError, connection, transaction

from imagery.models import Scene
from search.candidates import estimate as estimates
from search.candidates.crowding import crowded, spread
from search.candidates.estimate import rows_compared_at_most, rows_estimate
from search.candidates.matching import asked, vector_literal
from search.candidates.session import OFF, IterativeScan, Setting, settings_local
from search.query import SearchRequest
from tests import factories

pytestmark = pytest.mark.django_db
REQUEST = SearchRequest("x")


def _many(owner, count: int, **fields) -> None:
    collection = factories.make_collection(owner=owner)
    Scene.objects.bulk_create(
        Scene(collection=collection, title="x" * 200, status="ready", content_hash=uuid.uuid4().hex, **fields)
        for _ in range(count)
    )


def _estimated(user, request=REQUEST):
    encoder = factories.make_encoder()
    wanted = asked(vector=factories.axis(0), encoder=encoder, request=request, user=user)
    return rows_estimate(wanted) if wanted else None


def test_a_sample_tells_about_how_many_scenes_match(monkeypatch):
    owner, other = factories.make_user(), factories.make_user()
    _many(owner, 3_000, platform="A")
    _many(owner, 1_500, platform="B")
    _many(other, 1_500, platform="C")
    monkeypatch.setattr(estimates, "_SAMPLED_PAGES", 60)
    everything = _estimated(owner)
    assert everything.sampled
    assert everything.scenes == pytest.approx(4_500, rel=0.4)
    assert _estimated(owner, SearchRequest("x", platform=("b",))).scenes == pytest.approx(1_500, rel=0.6)
    assert _estimated(owner, SearchRequest("x", platform=("c",))).scenes == 0, "nothing of what one may not see"
    assert _estimated(factories.make_user()) is None


def test_a_small_table_is_counted():
    owner = factories.make_user()
    _many(owner, 40)
    found = _estimated(owner)
    assert found.scenes == 40 or found.sampled


def test_the_index_is_for_many_rows():
    assert rows_compared_at_most(rows=100_000, k=1_000) == 20_000
    assert rows_compared_at_most(rows=1_000, k=10) == 5_000
    assert rows_compared_at_most(rows=1_000_000, k=1_000) > rows_compared_at_most(rows=1_000_000, k=10)


def _setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s, true)", [name])
        return cursor.fetchone()[0]


def test_settings_last_as_long_as_the_block_even_inside_a_transaction():
    before = _setting("enable_hashjoin")
    with settings_local({Setting.HASH_JOIN: OFF, Setting.EF_SEARCH: 77}):
        assert (_setting("enable_hashjoin"), _setting("hnsw.ef_search")) == ("off", "77")
    assert _setting("enable_hashjoin") == before == "on"


def test_settings_of_an_error_go_with_its_transaction():
    with pytest.raises(OperationalError), transaction.atomic(), settings_local({Setting.HASH_JOIN: OFF}):
        raise OperationalError("the database went away")
    assert _setting("enable_hashjoin") == "on"


@pytest.mark.parametrize("mode", IterativeScan)
def test_pgvector_knows_every_mode(mode):
    with connection.cursor() as cursor:
        cursor.execute("SELECT '[1]'::halfvec <=> '[1]'::halfvec")  # Its library is loaded: it looks at the value.
    with settings_local({Setting.ITERATIVE_SCAN: mode, Setting.MAX_SCAN_TUPLES: 5, Setting.SCAN_MEM_MULTIPLIER: 2}):
        assert _setting("hnsw.iterative_scan") == mode.value


def test_spreading_takes_four_of_each_scene_then_the_next():
    scenes = np.array(["a"] * 6 + ["b", "a", "c"], dtype=np.object_)
    assert spread(scenes, k=6).tolist() == [0, 1, 2, 3, 6, 8]
    assert spread(scenes, k=7).tolist() == [0, 1, 2, 3, 4, 6, 8]
    assert spread(scenes, k=100).tolist() == list(range(9))


def test_crowded_means_too_few_scenes_for_so_many_tiles():
    assert crowded(np.array(["a"] * 8, dtype=np.object_), k=8)
    assert not crowded(np.array(["a"] * 7, dtype=np.object_), k=8), "there are no others"
    assert not crowded(np.array(["a"] * 7 + ["b"], dtype=np.object_), k=8)


def test_every_half_survives_its_literal():
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    for part in np.array_split(halves, 16):
        text = vector_literal(part.astype(np.float32))
        read = np.array(text[2 : text.index("]")].split(","), dtype=np.float64).astype(np.float16)
        np.testing.assert_array_equal(read, part)
