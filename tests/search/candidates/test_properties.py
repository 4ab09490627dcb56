"""Random archives, people and questions: permission and filters hold and nothing is missed, on both routes."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imagery.models import Collection, CollectionMember, Embedding, Encoder, Scene, Tile
from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from search.candidates import Route, candidates_find
from search.query import SearchRequest
from tests import factories
from tests.search.candidates.oracle import Oracle, check_exact, check_rows, index_build

pytestmark = pytest.mark.django_db

PEOPLE = 4
_degrees = st.integers(-18, 18).map(lambda tens: 10.0 * tens)
_latitudes = st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(lambda pair: sorted(10.0 * value for value in pair))
_boxes = st.builds(lambda west, east, lat: (west, lat[0], east, lat[1]), _degrees, _degrees, _latitudes)
_days = st.dates(date(2024, 1, 1), date(2024, 2, 10))
_people = st.sets(st.integers(0, PEOPLE - 1), max_size=2)

_collection = st.fixed_dictionaries(
    {"owner": st.integers(0, PEOPLE - 1), "visibility": st.sampled_from(Visibility.values),
     "viewers": _people, "editors": _people}
)  # fmt: skip
_scene = st.fixed_dictionaries(
    {
        "collection": st.integers(0, 3),
        "status": st.sampled_from([*["ready"] * 5, "pending", "failed"]),
        "day": st.none() | _days,
        "days": st.integers(0, 3) | st.none(),
        "bbox": st.none() | _boxes,
        "embargo": st.sampled_from([None, None, None, -1, 1]),
        "windows": st.sampled_from([0, 0, 1, 2, 9]),
        "other_encoder": st.sampled_from([False] * 5 + [True]),
        "zero": st.sampled_from([False] * 7 + [True]),
    }
)
_request = st.fixed_dictionaries(
    {
        "collections": st.none() | st.sets(st.integers(0, 3), min_size=1, max_size=2),
        "start": st.none() | _days,
        "end": st.none() | _days,
        "bbox": st.none() | _boxes,
    }
)
_archive = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "collections": st.lists(_collection, min_size=4, max_size=4),
        "scenes": st.lists(_scene, min_size=1, max_size=40),
        "requests": st.lists(_request, min_size=1, max_size=4),
        "k": st.sampled_from([1, 2, 5, 12, 1_000]),
    }
)
_EVERYTHING = {"collections": None, "start": None, "end": None, "bbox": None}
_PLAIN = {"collection": 0, "status": "ready", "day": None, "days": None, "bbox": (170.0, -10.0, -170.0, 10.0),
          "embargo": None, "windows": 9, "other_encoder": False, "zero": False}  # fmt: skip
_OPEN = {"owner": 0, "visibility": Visibility.ALL_USERS, "viewers": set(), "editors": set()}
_CROWD = {
    "seed": 1,
    "collections": [_OPEN] * 4,
    "scenes": [_PLAIN] * 12,
    "requests": [_EVERYTHING, {**_EVERYTHING, "bbox": (175.0, 0.0, -175.0, 5.0)}],
    "k": 12,
}


def _people_make() -> list[User]:
    people = [factories.make_user() for _ in range(PEOPLE - 1)]
    return [*people, factories.make_user(is_active=False), factories.make_user(superuser=True)]


def _archive_make(drawn: dict[str, Any], people: list[User]) -> tuple[list[Collection], Encoder]:
    encoder, other = factories.make_encoder(), factories.make_encoder(active=False)
    collections = [
        factories.make_collection(owner=people[each["owner"]], visibility=each["visibility"])
        for each in drawn["collections"]
    ]
    for collection, each in zip(collections, drawn["collections"], strict=True):
        roles = dict.fromkeys(each["viewers"], CollectionMember.Role.VIEWER)
        roles |= dict.fromkeys(each["editors"], CollectionMember.Role.EDITOR)
        for person, role in roles.items():
            CollectionMember.objects.create(collection=collection, user=people[person], role=role)
    scenes = Scene.objects.bulk_create(
        _scene_make(number, each, collections[each["collection"]]) for number, each in enumerate(drawn["scenes"])
    )
    tiles = [
        Tile(scene=scene, level=min(place, 1), x=place, y=0, width=64, height=64)
        for scene, each in zip(scenes, drawn["scenes"], strict=True)
        for place in range(1 + each["windows"])
    ]
    Tile.objects.bulk_create(tiles)
    facts = {scene.pk: each for scene, each in zip(scenes, drawn["scenes"], strict=True)}
    rng = np.random.default_rng(drawn["seed"])
    centre = {pk: rng.normal(size=factories.DIMENSION) for pk in facts}  # Windows of a scene look alike: it crowds.
    Embedding.objects.bulk_create(
        Embedding(
            encoder=other if facts[tile.scene_id]["other_encoder"] else encoder,
            tile=tile,
            vector=(0.0 if facts[tile.scene_id]["zero"] else 1.0)
            * factories.unit(centre[tile.scene_id] + 0.1 * rng.normal(size=factories.DIMENSION)),
        )
        for tile in tiles
    )
    return collections, encoder


def _scene_make(number: int, each: dict[str, Any], collection: Collection) -> Scene:
    fields: dict[str, Any] = {}
    if each["day"]:
        begins = datetime.combine(each["day"], datetime.min.time(), UTC) + timedelta(hours=number % 24)
        if each["days"] is None:
            fields["datetime"] = begins
        else:
            fields |= {"start_datetime": begins, "end_datetime": begins + timedelta(days=each["days"])}
    if each["bbox"]:
        fields |= dict(zip(("west", "south", "east", "north"), each["bbox"], strict=True))
    if each["embargo"]:
        fields["embargo_until"] = timezone.now() + timedelta(days=each["embargo"])
    return Scene(
        collection=collection, title=str(number), status=each["status"], content_hash=f"{number:064x}", **fields
    )


def _requests(drawn: dict[str, Any], collections: list[Collection]) -> list[SearchRequest]:
    return [
        SearchRequest(
            text="x",
            **{**each, "collections": tuple(collections[pk].slug for pk in each["collections"] or ())},
        )
        for each in drawn["requests"]
    ]


_SETTINGS = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@example(_CROWD)
@given(_archive)
@_SETTINGS
def test_the_exact_route_equals_brute_force(drawn):
    with transaction.atomic():
        people = _people_make()
        collections, encoder = _archive_make(drawn, people)
        oracle = Oracle.read(encoder)
        vector = np.random.default_rng(drawn["seed"] + 1).normal(size=factories.DIMENSION).astype(np.float32)
        for request in _requests(drawn, collections):
            for user in people:
                found = candidates_find(vector=vector, encoder=encoder, request=request, user=user, k=drawn["k"])
                check_exact(found, oracle.matching(user, request, vector), drawn["k"])
                assert found.route == Route.EXACT
        transaction.set_rollback(True)


@example(_CROWD)
@given(_archive)
@_SETTINGS
def test_the_index_route_shows_nothing_else_and_misses_nothing(drawn):
    with transaction.atomic():
        people = _people_make()
        collections, encoder = _archive_make(drawn, people)
        index_build(encoder, Encoder.Index.BINARY if drawn["seed"] % 4 == 0 else Encoder.Index.HNSW)
        oracle = Oracle.read(encoder)
        vector = np.random.default_rng(drawn["seed"] + 1).normal(size=factories.DIMENSION).astype(np.float32)
        for request in _requests(drawn, collections):
            for user in people:
                matching = oracle.matching(user, request, vector)
                found = candidates_find(
                    vector=vector, encoder=encoder, request=request, user=user, k=drawn["k"], route=Route.INDEX
                )
                check_rows(found, matching, drawn["k"])
                if found.route == Route.EXACT:
                    check_exact(found, matching, drawn["k"])
                    assert len(matching) < drawn["k"] or _broken(encoder), "the index has all there are"
        transaction.set_rollback(True)


def _broken(encoder: Encoder) -> bool:
    return any(not np.any(row.vector) for row in Embedding.objects.filter(encoder=encoder))
