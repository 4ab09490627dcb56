"""The database's answer against a brute-force computation in numpy, over random archives and people."""

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from uuid import UUID

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagery.models import Collection, CollectionMember, Embedding, Encoder, Scene
from imagery.models.collection import Visibility
from imagery.services.partitions import partition_name
from rsportal.accounts.models import User
from search.candidates import candidates_find
from search.query import SearchRequest
from search.ranking import WINDOW_WEIGHT, scenes_rank
from tests import factories

pytestmark = pytest.mark.django_db


def _archive(rng: random.Random) -> tuple[list[User], list[Collection], Encoder]:
    users = [factories.make_user() for _ in range(3)] + [factories.make_user(superuser=True)]
    users.append(factories.make_user(is_active=False))
    encoder, other = factories.make_encoder(active=False), factories.make_encoder(active=False)
    for _ in range(5):
        factories.make_collection(
            owner=rng.choice(users),
            visibility=rng.choice(Visibility.values),
            viewers=rng.sample(users, rng.randint(0, 2)),
        )
    collections = list(Collection.objects.all())
    for _ in range(40):
        day = rng.choice([None, factories.utc(2024, rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23))])
        windows = {(8 * n, 0, 8, 8): [rng.gauss(0, 1) for _ in range(8)] for n in range(rng.randint(0, 4))}
        factories.make_scene(
            rng.choice(collections),
            vector=[rng.gauss(0, 1) for _ in range(8)],
            windows=windows,
            encoder=rng.choice([encoder, encoder, encoder, other]),
            status=rng.choice([*[Scene.Status.READY] * 4, Scene.Status.PENDING, Scene.Status.FAILED]),
            datetime=day,
        )
    return users, collections, encoder


def _may_see(user: User, collection: Collection, members: set[tuple[int, int]]) -> bool:
    if not user.is_active:
        return False
    return (
        user.is_superuser
        or collection.owner_id == user.pk
        or collection.visibility == Visibility.ALL_USERS
        or (collection.visibility == Visibility.MEMBERS and (collection.pk, user.pk) in members)
    )


def _passes(scene: Scene, request: SearchRequest) -> bool:
    if scene.status != Scene.Status.READY:
        return False
    if request.collections and scene.collection.slug not in request.collections:
        return False
    if request.start and not (scene.datetime and scene.datetime >= datetime.combine(request.start, time.min, UTC)):
        return False
    return not (request.end and not (scene.datetime and scene.datetime.date() <= request.end))


@dataclass(frozen=True)
class _Oracle:
    """Everything in the database, and the answer by the definition, computed one scene at a time."""

    scenes: list[Scene]
    members: set[tuple[int, int]]
    tiles: dict[UUID, list[tuple[bool, np.ndarray]]]

    @classmethod
    def read(cls, encoder: Encoder) -> "_Oracle":
        tiles = defaultdict(list)
        for row in Embedding.objects.filter(encoder=encoder).select_related("tile"):
            tiles[row.tile.scene_id].append((row.tile.level == 0, np.asarray(row.vector, dtype=np.float64)))
        members = set(CollectionMember.objects.values_list("collection_id", "user_id"))
        return cls(list(Scene.objects.select_related("collection")), members, dict(tiles))

    def answer(self, user: User, request: SearchRequest, vector: np.ndarray) -> list[tuple[UUID, float]]:
        """(scene id, score) of every scene that must be found, best first."""
        found = []
        for scene in self.scenes:
            rows = self.tiles.get(scene.pk)
            if rows and _passes(scene, request) and _may_see(user, scene.collection, self.members):
                cosines = [(whole, v @ vector / np.linalg.norm(v) / np.linalg.norm(vector)) for whole, v in rows]
                found.append((scene.pk, max(c if whole else WINDOW_WEIGHT * c for whole, c in cosines)))
        return sorted(found, key=lambda item: -item[1])


@pytest.mark.parametrize("seed", range(8))
def test_candidates_and_ranking_equal_brute_force(seed):
    rng = random.Random(seed)
    users, collections, encoder = _archive(rng)
    vector = factories.unit([rng.gauss(0, 1) for _ in range(8)]).astype(np.float16).astype(np.float32)
    requests = [
        SearchRequest("x"),
        SearchRequest("x", collections=tuple(c.slug for c in rng.sample(collections, 2))),
        SearchRequest("x", start=date(2024, 4, 1)),
        SearchRequest("x", start=date(2024, 3, 1), end=date(2024, 9, 30)),
    ]
    oracle = _Oracle.read(encoder)
    compared = 0
    for user in users:
        for request in requests:
            expected = oracle.answer(user, request, vector)
            for k in (1, 3, 1_000):
                found = candidates_find(vector=vector, encoder=encoder, request=request, user=user, k=k)
                assert found.searched == len(expected)
                ranked = scenes_rank(
                    tile_ids=found.tile_ids,
                    scene_ids=found.scene_ids,
                    whole=found.whole,
                    similarities=1 - found.distances,
                    limit=k,
                )
                assert ranked.scene_ids.tolist() == [scene for scene, _score in expected[:k]]
                assert ranked.scores == pytest.approx([score for _scene, score in expected[:k]], abs=1e-5)
                compared += len(ranked.scores)
    assert compared > 100


def test_many_windows_of_one_scene_crowd_nobody_out():
    owner = factories.make_user()
    collection = factories.make_collection(owner=owner)
    encoder = factories.make_encoder()
    near = {(n, 0, 1, 1): [1, 0.001 * n, 0, 0, 0, 0, 0, 0] for n in range(60)}
    factories.make_scene(collection, windows=near)
    for n in range(9):
        factories.make_scene(collection, vector=[0.1, 1, 0.01 * n, 0, 0, 0, 0, 0])
    found = candidates_find(vector=factories.axis(0), encoder=encoder, request=SearchRequest("x"), user=owner, k=10)
    assert len(set(found.scene_ids.tolist())) == found.searched == 10


def test_a_vector_without_direction_matches_nothing():
    owner = factories.make_user()
    collection = factories.make_collection(owner=owner)
    encoder = factories.make_encoder()
    good, broken = factories.make_scene(collection), factories.make_scene(collection)
    Embedding.objects.filter(tile__scene=broken).update(vector=[0.0] * 8)
    found = candidates_find(vector=factories.axis(0), encoder=encoder, request=SearchRequest("x"), user=owner, k=10)
    assert found.scene_ids.tolist() == [good.pk]
    assert np.isfinite(found.distances).all()


def test_equal_distances_are_ordered_by_tile():
    owner = factories.make_user()
    collection = factories.make_collection(owner=owner)
    encoder = factories.make_encoder()
    for _ in range(20):
        factories.make_scene(collection)
    found = candidates_find(vector=factories.axis(0), encoder=encoder, request=SearchRequest("x"), user=owner, k=7)
    assert found.tile_ids.tolist() == sorted(found.tile_ids.tolist())


def test_one_statement_on_the_encoder_s_partition_alone():
    owner = factories.make_user()
    encoder, other = factories.make_encoder(active=False), factories.make_encoder()
    factories.make_scene(factories.make_collection(owner=owner), encoder=encoder)
    with CaptureQueriesContext(connection) as asked:
        candidates_find(vector=factories.axis(0), encoder=encoder, request=SearchRequest("x"), user=owner, k=10)
    assert len(asked) == 1
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {asked[0]['sql']}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert partition_name(encoder.pk) in plan
    assert partition_name(other.pk) not in plan


def test_k_is_bounded():
    with pytest.raises(ValueError, match="1 to 1000"):
        candidates_find(
            vector=factories.axis(0),
            encoder=factories.make_encoder(),
            request=SearchRequest("x"),
            user=factories.make_user(),
            k=1_001,
        )
