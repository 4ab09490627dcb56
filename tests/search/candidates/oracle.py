"""The answer by its definition, computed in Python over everything in the database, one scene at a time."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, time
from math import ceil
from uuid import UUID

import numpy as np
from django.db import connection
from django.utils import timezone

from imagery.models import Collection, CollectionMember, Embedding, Encoder, Scene
from imagery.models.collection import Visibility
from imagery.querysets import BBox
from imagery.services.vector_index_build import vector_index_build
from rsportal.accounts.models import User
from search.candidates import Candidates
from search.query import SearchRequest

MAX_TILES_OF_A_SCENE = 4


def may_see(user: User, collection: Collection, members: set[tuple[int, int]]) -> bool:
    """The rule of permission."""
    if not user.is_active:
        return False
    return (
        user.is_superuser
        or collection.owner_id == user.pk
        or collection.visibility == Visibility.ALL_USERS
        or (collection.visibility == Visibility.MEMBERS and (collection.pk, user.pk) in members)
    )


def passes(scene: Scene, request: SearchRequest) -> bool:
    """The rules of the house and the filters on collection, days, place and platform."""
    if scene.status != Scene.Status.READY:
        return False
    if scene.embargo_until and scene.embargo_until > timezone.now():
        return False
    if request.collections and scene.collection.slug not in request.collections:
        return False
    if request.platform and scene.platform.lower() not in {name.lower() for name in request.platform}:
        return False
    begins, ends = scene.datetime or scene.start_datetime, scene.datetime or scene.end_datetime
    if request.start and not (ends and ends >= datetime.combine(request.start, time.min, UTC)):
        return False
    if request.end and not (begins and begins <= datetime.combine(request.end, time.max, UTC)):
        return False
    return not request.bbox or (scene.bbox is not None and boxes_meet(scene.bbox, request.bbox))


def boxes_meet(one: BBox, two: BBox) -> bool:
    """Whether two boxes (west > east: across the antimeridian) have a point in common, borders included."""
    if one[1] > two[3] or two[1] > one[3]:
        return False
    return any(w <= east and west <= e for w, e in _parts(one) for west, east in _parts(two))


def _parts(box: BBox) -> list[tuple[float, float]]:
    west, _south, east, _north = box
    return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]


@dataclass(frozen=True)
class Tile:
    """A row that matches."""

    tile_id: int
    scene_id: UUID
    window: tuple[int, ...]
    vector: np.ndarray
    distance: float


@dataclass(frozen=True)
class Oracle:
    """Everything in the database."""

    scenes: list[Scene]
    members: set[tuple[int, int]]
    tiles: dict[UUID, list[tuple[int, tuple[int, ...], np.ndarray]]]

    @classmethod
    def read(cls, encoder: Encoder) -> "Oracle":
        tiles: dict[UUID, list[tuple[int, tuple[int, ...], np.ndarray]]] = defaultdict(list)
        for row in Embedding.objects.filter(encoder=encoder).select_related("tile"):
            window = (row.tile.level, *row.tile.window)
            tiles[row.tile.scene_id].append((row.tile_id, window, np.asarray(row.vector, dtype=np.float64)))
        members = set(CollectionMember.objects.values_list("collection_id", "user_id"))
        return cls(list(Scene.objects.select_related("collection")), members, dict(tiles))

    def matching(self, user: User, request: SearchRequest, vector: np.ndarray) -> list[Tile]:
        """Every tile that may be found and has a direction, nearest first."""
        asked = vector.astype(np.float16).astype(np.float64)
        found = [
            Tile(tile_id, scene.pk, window, x, float(1 - x @ asked / np.linalg.norm(x) / np.linalg.norm(asked)))
            for scene in self.scenes
            if passes(scene, request) and may_see(user, scene.collection, self.members)
            for tile_id, window, x in self.tiles.get(scene.pk, ())
            if np.any(x)
        ]
        return sorted(found, key=lambda tile: (tile.distance, tile.tile_id))


def expected(matching: list[Tile], k: int) -> list[Tile]:
    """The contract: the k nearest, or with at most four of each scene while they come from fewer than k/4 scenes."""
    nearest = matching[:k]
    if len(nearest) < k or len({tile.scene_id for tile in nearest}) >= ceil(k / MAX_TILES_OF_A_SCENE):
        return nearest
    seen: Counter[UUID] = Counter()
    first: list[Tile] = []
    later: list[Tile] = []
    for tile in matching:
        seen[tile.scene_id] += 1
        (first if seen[tile.scene_id] <= MAX_TILES_OF_A_SCENE else later).append(tile)
    return sorted([*first, *later][:k], key=lambda tile: (tile.distance, tile.tile_id))


def check_rows(found: Candidates, matching: list[Tile], k: int) -> None:
    """What holds on every route: only rows that match, none twice, none short, each with its own data, in order."""
    by_id = {tile.tile_id: tile for tile in matching}
    ids = found.tile_ids.tolist()
    assert len(ids) == len(set(ids)) == len(found) == min(k, len(matching))
    assert set(ids) <= set(by_id)
    tiles = [by_id[pk] for pk in ids]
    assert found.scene_ids.tolist() == [tile.scene_id for tile in tiles]
    assert found.windows.tolist() == [list(tile.window) for tile in tiles]
    np.testing.assert_allclose(found.distances, [tile.distance for tile in tiles], atol=2e-6)
    assert np.all(np.diff(found.distances) >= 0)
    assert found.vectors.dtype == np.float32
    assert len(found.vectors) == len(tiles)
    for row, tile in zip(found.vectors, tiles, strict=True):
        np.testing.assert_array_equal(row, tile.vector.astype(np.float32))
    scenes = {tile.scene_id for tile in matching}
    assert len(set(found.scene_ids.tolist())) >= min(ceil(k / MAX_TILES_OF_A_SCENE), len(scenes))


def check_exact(found: Candidates, matching: list[Tile], k: int) -> None:
    """The exact route: the very tiles of the contract, up to tiles of equal distance."""
    check_rows(found, matching, k)
    wanted = expected(matching, k)
    np.testing.assert_allclose(found.distances, [tile.distance for tile in wanted], atol=2e-6)
    if wanted:
        clearly = {tile.tile_id for tile in wanted if tile.distance < wanted[-1].distance - 1e-5}
        assert clearly <= set(found.tile_ids.tolist()) or len(wanted) < len(matching)
    assert found.searched == len({tile.scene_id for tile in matching})
    assert not found.estimated


def index_build(encoder: Encoder, kind: str = Encoder.Index.HNSW) -> None:
    """Build the encoder's index inside the test's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # Else rows of this transaction are in the way.
        vector_index_build(encoder=encoder, kind=kind, in_place=True)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
