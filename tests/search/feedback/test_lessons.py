"""The lessons that the database finds, against a plain computation from all that was ever done."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from imagery.models import Scene
from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from search.feedback.deeds import deeds_read
from search.feedback.lessons import OwnLessons, lessons_find
from search.feedback.likeness import AS_THEY_ARE
from search.feedback.state import feedback_state
from search.models import Event, Impression, PositionPropensity, Query, Ranking
from search.query import SearchRequest
from search.ranking.query import Vector
from tests import factories

pytestmark = pytest.mark.django_db

_WORTH = {"like": 1.0, "dislike": 1.0, "download": 0.8, "click": 0.4}
_REQUEST = SearchRequest(text="harbour")


def found(user: User, asked: Vector) -> OwnLessons:
    return lessons_find(
        deeds=deeds_read(user),
        encoder=factories.active_encoder(),
        asked=asked,
        likeness=AS_THEY_ARE,
        request=_REQUEST,
        translation="",
    )


def told(lessons: OwnLessons) -> dict[UUID, tuple[str, str, float]]:
    """What the lessons say by scene: the group, the deed, the weight."""
    return {
        scene: (group, deed, round(weight, 3))
        for group in ("session", "own", "disliked")
        for scene, deed, weight in zip(
            getattr(lessons, group).scene_ids,
            getattr(lessons, group).deeds,
            getattr(lessons, group).weights.tolist(),
            strict=True,
        )
    }


def expected(user: User, asked: Vector, hidden: set[UUID]) -> dict[UUID, tuple[str, str, float]]:
    """The same, from the rows of the log, one by one."""
    now = timezone.now()
    by_scene: dict[UUID, list[Event]] = {}
    likenesses: dict[int, float] = {}
    events = Event.objects.filter(user=user).exclude(kind="dwell").order_by("-created_at", "-pk")
    for event in events.select_related("impression__ranking__query"):
        query = event.impression.ranking.query
        if query.asked_under_id == factories.active_encoder().pk:
            likeness = float(np.asarray(query.asked, dtype=np.float64) @ asked)
        else:
            likeness = float(query.text == "harbour")
        if likeness >= 0.95 and event.impression.scene_id not in hidden:
            likenesses[event.pk] = likeness
            by_scene.setdefault(event.impression.scene_id, []).append(event)
    lessons = {}
    for scene, done in by_scene.items():
        judged = [event for event in done if event.kind in ("like", "dislike")]
        if judged and judged[0].kind == "dislike":
            candidates = judged[:1]
        else:
            candidates = [event for event in done if event.kind != "dislike"]
        weighed = []
        for event in candidates:
            worth, deed = _WORTH[event.kind], event.kind
            look = Event.objects.filter(impression=event.impression, kind="dwell").first()
            if event.kind == "click" and look and look.seconds is not None:
                worth = 0.6 if look.seconds >= 30 else 0.1 if look.seconds < 5 else 0.4
                deed = "dwell" if look.seconds >= 30 else "click"
            age = (now - event.created_at) / timedelta(days=30)
            weighed.append((worth * min(event.impression.rank, 3) * 0.5**age, event, deed))
        weight, event, deed = max(weighed, key=lambda each: each[0])
        fresh = now - event.created_at < timedelta(hours=2) and likenesses[event.pk] >= 0.98
        group = "disliked" if event.kind == "dislike" else "session" if fresh else "own"
        lessons[scene] = (group, deed, round(weight, 3))
    return lessons


def impression_of(query: Query, scene: Scene, rank: int) -> Impression:
    encoder = factories.active_encoder()
    tile = scene.tiles.get(level=0)
    ranking = Ranking.objects.create(
        query=query, encoder=encoder, ranker="x", scene_ids=[scene.pk], tile_ids=[tile.pk], scores=[1.0], searched=1
    )
    return Impression.objects.create(ranking=ranking, scene=scene, tile=tile, rank=rank)


@pytest.mark.parametrize("seed", range(3))
def test_lessons_are_those_of_an_oracle(seed):
    chance = random.Random(seed)
    encoder, other = factories.make_encoder(), factories.make_encoder(active=False)
    ada, bob = factories.make_user(), factories.make_user()
    shared = factories.make_collection(owner=bob, visibility=Visibility.ALL_USERS)
    private = factories.make_collection(owner=bob, visibility=Visibility.PRIVATE)
    scenes = [
        factories.make_scene(chance.choice([shared, shared, private]), vector=factories.axis(n % 8)) for n in range(8)
    ]
    embargoed = chance.choice(scenes)
    Scene.objects.filter(pk=embargoed.pk).update(embargo_until=timezone.now() + timedelta(days=1))
    hidden = {scene.pk for scene in scenes if scene.collection_id == private.pk} | {embargoed.pk}
    asked = factories.axis(0)
    for _query in range(12):
        near = factories.unit([1, chance.choice([0.05, 0.25, 0.31, 0.4]), 0, 0, 0, 0, 0, 0])
        under = chance.choice([encoder, encoder, encoder, other])
        query = Query.objects.create(
            user=chance.choice([ada, ada, bob]),
            text=chance.choice(["harbour", "pier"]),
            asked=near.tolist(),
            asked_under=under,
        )
        for _deed in range(5):
            impression = impression_of(query, chance.choice(scenes), chance.randint(1, 5))
            kinds = chance.choice([["like"], ["dislike"], ["click"], ["click", "dwell"], ["download"]])
            for kind in kinds:
                event = Event.objects.create(
                    impression=impression,
                    user=query.user,
                    kind=kind,
                    seconds=chance.choice([2, 12, 45]) if kind == "dwell" else None,
                )
                Event.objects.filter(pk=event.pk).update(
                    created_at=timezone.now() - timedelta(hours=chance.choice([0, 1, 3, 100, 2000]), seconds=_deed)
                )
    lessons = found(ada, asked)
    assert told(lessons) == expected(ada, asked, hidden) != {}
    for group in (lessons.session, lessons.own, lessons.disliked):
        for scene, vector in zip(group.scene_ids, group.vectors, strict=True):
            position = next(n for n, each in enumerate(scenes) if each.pk == scene)
            assert np.allclose(vector, factories.axis(position % 8), atol=1e-3)


def test_estimated_propensities_are_used_and_part_of_the_state():
    factories.make_encoder()
    ada = factories.make_user()
    scene = factories.make_scene(factories.make_collection(owner=ada))
    query = Query.objects.create(
        user=ada, text="x", asked=factories.axis(0).tolist(), asked_under=factories.active_encoder()
    )
    Event.objects.create(impression=impression_of(query, scene, 2), user=ada, kind="like")
    assert told(found(ada, factories.axis(0)))[scene.pk][2] == 2.0
    before = feedback_state(ada, _REQUEST)
    for rank, propensity in ((1, 1.0), (2, 0.8)):
        PositionPropensity.objects.create(rank=rank, propensity=propensity, low=0.1, high=1, shows=9)
    assert told(found(ada, factories.axis(0)))[scene.pk][2] == 1.25
    assert feedback_state(ada, _REQUEST) != before


def test_a_tile_that_is_gone_is_replaced_by_the_whole_scene():
    encoder = factories.make_encoder()
    ada = factories.make_user()
    scene = factories.make_scene(
        factories.make_collection(owner=ada), vector=factories.axis(2), windows={(0, 0, 8, 8): factories.axis(3)}
    )
    query = Query.objects.create(user=ada, text="x", asked=factories.axis(0).tolist(), asked_under=encoder)
    impression = impression_of(query, scene, 1)
    Impression.objects.filter(pk=impression.pk).update(tile=scene.tiles.get(level=1))
    Event.objects.create(impression=impression, user=ada, kind="like")
    assert np.allclose(found(ada, factories.axis(0)).session.vectors, [factories.axis(3)], atol=1e-3)
    scene.tiles.get(level=1).delete()
    assert np.allclose(found(ada, factories.axis(0)).session.vectors, [factories.axis(2)], atol=1e-3)


def test_as_many_statements_however_much_was_done():
    encoder = factories.make_encoder()
    ada = factories.make_user()
    collection = factories.make_collection(owner=ada)
    counts: list[Any] = []
    for many in (2, 10):
        for _number in range(many):
            query = Query.objects.create(user=ada, text="x", asked=factories.axis(0).tolist(), asked_under=encoder)
            for rank in (1, 2):
                impression = impression_of(query, factories.make_scene(collection), rank)
                Event.objects.create(impression=impression, user=ada, kind="click")
        with CaptureQueriesContext(connection) as statements:
            lessons = found(ada, factories.axis(0))
        counts.append((len(lessons.session), len(statements)))
    # The active encoder, whether there are deeds, deeds, queries, propensities, vectors.
    assert counts == [(4, 6), (24, 6)]
