"""Which events of others a ranking may learn from, and how they are found."""

from datetime import timedelta

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from imagery.models import Collection, CollectionMember, Scene
from imagery.models.collection import Visibility
from search.feedback import everybody
from search.feedback.likeness import CENTRED
from search.feedback.sketches import bits_apart, sketch_of
from search.models import Event, EventCount, FeedbackExclusion, LearningChoice, Query, Vote
from search.services import event_record, event_withdraw, history_erase, ranking_page
from search.tasks import votes_prune
from tests import factories
from tests.search.everybody.town import Town, ask, days_ago

pytestmark = pytest.mark.django_db


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def reader():
    return factories.make_user()


def test_one_row_a_person_and_scene_that_others_chose_under_similar_queries(town, reader):
    ada, bob, *_ = town.people
    quay, crane, *_ = town.scenes
    for kind in ("click", "download", "like"):
        town.do(ada, quay, kind)
        town.do(ada, quay, kind, text="pier")
    town.do(bob, quay, "click", text="pier")
    town.do(bob, crane, "like", text="forest")
    votes = town.votes(reader)
    assert votes.scene_ids.tolist() == [quay.pk, quay.pk]
    assert sorted(zip(votes.voters.tolist(), votes.deeds, strict=True)) in (
        [(0, "like"), (1, "click")],
        [(0, "click"), (1, "like")],
    )
    assert sorted(votes.weights.round(3).tolist()) == [0.4, 1.0]
    assert set(votes.sources) == {""}, "under which words is not told"
    assert np.allclose(np.linalg.norm(votes.vectors, axis=1), 1.0, atol=1e-3)
    assert town.voted(reader, "forest") == {crane.pk}


def test_scenes_that_one_person_chose_are_not_even_read(town, reader):
    ada, bob, *_ = town.people
    quay, crane, *_ = town.scenes
    town.all_do([ada, bob], [quay])
    town.do(ada, crane)
    for kind in ("click", "download"):
        town.do(ada, crane, kind, text="pier")
    assert set(town.votes(reader, fewest=2).scene_ids.tolist()) == {quay.pk}
    FeedbackExclusion.objects.create(user=bob, reason="a robot")
    assert not len(town.votes(reader, fewest=2))


def test_nobody_s_own_votes_are_among_those_of_others(town):
    ada, bob, *_ = town.people
    town.do(ada, town.scenes[0])
    assert town.voted(ada) == set()
    assert town.voted(bob) == {town.scenes[0].pk}


def _exclude_person(town: Town) -> None:
    FeedbackExclusion.objects.create(user=town.people[0], reason="a robot")


def _exclude_scene(town: Town) -> None:
    FeedbackExclusion.objects.create(scene=town.scenes[0], reason="promoted")


def _keep_to_oneself(town: Town) -> None:
    LearningChoice.objects.create(user=town.people[0], for_all=False)


def _disable(town: Town) -> None:
    town.people[0].is_active = False
    town.people[0].save()


def _make_private(town: Town) -> None:
    Collection.objects.filter(pk=town.collections[0].pk).update(visibility=Visibility.PRIVATE)


def _embargo(town: Town) -> None:
    Scene.objects.filter(pk=town.scenes[0].pk).update(embargo_until=timezone.now() + timedelta(days=1))


def _fail(town: Town) -> None:
    Scene.objects.filter(pk=town.scenes[0].pk).update(status=Scene.Status.FAILED)


def _erase(town: Town) -> None:
    history_erase(user=town.people[0])


def _grow_old(town: Town) -> None:
    Vote.objects.update(created_at=days_ago(181))


@pytest.mark.parametrize(
    "change",
    [_exclude_person, _exclude_scene, _keep_to_oneself, _disable, _make_private, _embargo, _fail, _erase, _grow_old],
)
def test_what_does_not_count_is_not_there(change, town, reader):
    town.do(town.people[0], town.scenes[0])
    assert town.voted(reader) == {town.scenes[0].pk}
    change(town)
    assert town.voted(reader) == set()


def test_who_keeps_their_history_from_their_own_results_still_votes(town, reader):
    town.do(town.people[0], town.scenes[0])
    LearningChoice.objects.create(user=town.people[0], for_me=False)
    assert town.voted(reader) == {town.scenes[0].pk}


def test_each_reader_has_the_votes_on_what_they_may_see(town, reader):
    shared, club, private = (town.part(number)[0] for number in range(3))
    member, root = factories.make_user(), factories.make_user(superuser=True)
    CollectionMember.objects.create(collection=town.collections[1], user=member)
    for scene in (shared, club, private):
        town.do(town.people[3], scene)
    assert town.voted(reader) == {shared.pk}
    assert town.voted(member) == {shared.pk, club.pk}
    assert town.voted(town.collections[2].owner) == {shared.pk, private.pk}
    assert town.voted(root) == {shared.pk, club.pk, private.pk}
    disabled = factories.make_user(is_active=False)
    assert town.voted(disabled) == town.voted(AnonymousUser()) == set()


def test_a_disliked_scene_has_no_vote_of_that_person(town, reader):
    ada, bob, *_ = town.people
    quay = town.scenes[0]
    town.do(ada, quay, "like", at=days_ago(2))
    town.do(bob, quay, "like", at=days_ago(2))
    town.do(ada, quay, "dislike", text="pier", at=days_ago(1))
    assert len(town.votes(reader)) == 1
    town.do(ada, quay, "download", text="pier")
    assert len(town.votes(reader)) == 1, "a dislike is the last word until it is taken back"
    town.do(ada, quay, "like", text="pier")
    assert len(town.votes(reader)) == 2


def test_many_votes_of_one_person_push_out_nobody_s(town, reader, monkeypatch):
    """Whether of that person's on one scene or on all of them."""
    monkeypatch.setattr(everybody, "MOST_EVENTS", 6)
    monkeypatch.setattr(everybody, "MOST_OF_ONE", 4)
    ada, bob, cid, _dan = town.people
    town.do(bob, town.scenes[0], at=days_ago(3))
    town.do(cid, town.scenes[0], at=days_ago(3))
    for scene in town.scenes[:5]:
        for text in ("harbour", "pier"):
            for kind in ("like", "click", "download"):
                town.do(ada, scene, kind, text=text)
    votes = town.votes(reader)
    people = [voter for voter, scene in zip(votes.voters, votes.scene_ids, strict=True) if scene == town.scenes[0].pk]
    assert len(set(people)) >= 2
    assert len(votes) <= 6


def test_hidden_votes_do_not_push_out_visible_ones(town, reader, monkeypatch):
    monkeypatch.setattr(everybody, "MOST_EVENTS", 2)
    monkeypatch.setattr(everybody, "MOST_OF_ONE", 2)
    ada = town.people[0]
    town.do(ada, town.scenes[0], at=days_ago(3))
    for scene in town.part(2):
        town.do(ada, scene)
    assert town.voted(reader) == {town.scenes[0].pk}


def test_the_vote_goes_with_the_event(town):
    ada = town.people[0]
    ranking = ask(ada)
    hit = ranking_page(user=ada, ranking=ranking).hits[0]
    for kind in Event.Kind.values:
        if kind != Event.Kind.DWELL:
            event_record(user=ada, token=hit.token, kind=kind)
            event_record(user=ada, token=hit.token, kind=kind)
    kinds = Vote.objects.values_list("event__kind", flat=True)
    assert sorted(kinds) == ["click", "dislike", "download"], "the dislike took back the like"
    vote = Vote.objects.get(event__kind="click")
    assert (vote.user, vote.scene_id, vote.query_id, vote.encoder) == (
        ada,
        hit.scene.pk,
        ranking.query_id,
        town.encoder,
    )
    event_withdraw(user=ada, token=hit.token, kind="click")
    assert Vote.objects.count() == 2
    history_erase(user=ada)
    assert not Vote.objects.exists()


def test_votes_too_old_to_count_are_forgotten_and_their_events_kept(town):
    ada, quay = town.people[0], town.scenes[0]
    town.do(ada, quay, "like", at=days_ago(181))
    town.do(ada, quay, "click", at=days_ago(179))
    for days in (91, 1):
        EventCount.objects.create(user=ada, day=days_ago(days).date(), minute=days_ago(days))
    assert votes_prune() == 2
    assert [vote.event.kind for vote in Vote.objects.all()] == ["click"]
    assert Event.objects.count() == 2 and EventCount.objects.count() == 1
    assert votes_prune() == 0


def test_a_search_kept_before_its_vector_was_gives_no_vote(town):
    ada = town.people[0]
    Query.objects.filter(user=ada).update(asked=None, asked_under=None)
    town.do(ada, town.scenes[0])
    assert not Vote.objects.exists()


def test_another_encoder_s_votes_are_not_compared(town, reader):
    town.do(town.people[0], town.scenes[0])
    town.encoder = factories.make_encoder(dimension=12)
    asked = factories.axis(0, 12)
    assert not len(everybody.votes_for(user=reader, encoder=town.encoder, asked=asked, likeness=CENTRED))


def test_few_statements_however_many_votes(town, reader):
    town.all_do(town.people, town.scenes)
    with CaptureQueriesContext(connection) as statements:
        assert len(town.votes(reader)) == 4 * everybody.MOST_OF_ONE
    assert len(statements) == 3
    Vote.objects.all().delete()
    with CaptureQueriesContext(connection) as statements:
        assert len(town.votes(reader)) == 0
    assert len(statements) == 1


def test_sketches_let_similar_queries_through_and_keep_most_others_out():
    chance = np.random.default_rng(2)
    for dimension in (8, 64, 512):
        one = factories.unit(chance.standard_normal(dimension))
        near = far = 0
        for _ in range(200):
            any_way = chance.standard_normal(dimension)
            other = factories.unit(any_way - (any_way @ one) * one)
            similar = factories.unit(0.76 * one + 0.65 * other)
            near += _apart(sketch_of(one), sketch_of(similar)) <= bits_apart(0.75)
            far += _apart(sketch_of(one), sketch_of(factories.unit(0.4 * one + 0.92 * other))) <= bits_apart(0.75)
        assert near >= 199 and far <= 2


def _apart(one: str, two: str) -> int:
    return sum(a != b for a, b in zip(one, two, strict=True))


def test_sketches_that_are_kept_can_be_compared_for_ever():
    """Another generator, or another seed, would make strangers of all that is kept."""
    assert hex(int(sketch_of(factories.axis(0, 4)), 2))[:18] == "0x658c23c7684e08bb"
