"""Excluding people and scenes: who may, in the administration, and what the page of the effect tells whom."""

import pytest
from django.urls import reverse

from rsportal.errors import Conflict, InvalidInput, NotAllowed
from search.feedback.counts import days_told, queries_most
from search.feedback.effect import TOP, effect_of
from search.models import EventCount, FeedbackExclusion, LearningChoice
from search.query import search_request_parse
from search.services.exclusions import feedback_exclude, feedback_include
from tests import factories
from tests.pages import client_of, page
from tests.search.everybody.town import Town, ask, days_ago
from tests.staff import make_curator

pytestmark = pytest.mark.django_db
EXCLUDE, EFFECT = "admin:search_feedback_exclude", "admin:search_feedback_effect"
EXCLUSIONS = "admin:search_feedbackexclusion_changelist"


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def root():
    return factories.make_user(superuser=True)


def test_superusers_exclude_people_and_editors_scenes(town, root):
    ada, owner = town.people[1], town.collections[0].owner
    quay = town.scenes[0]
    for user in (owner, ada):
        with pytest.raises(NotAllowed):
            feedback_exclude(user=user, person=ada, reason="a robot")
    with pytest.raises(NotAllowed):
        feedback_exclude(user=ada, scene=quay, reason="promoted")
    for reason in ("", "  ", "x" * 501):
        with pytest.raises(InvalidInput) as caught:
            feedback_exclude(user=root, person=ada, reason=reason)
        assert caught.value.field == "reason"
    feedback_exclude(user=root, person=ada, reason=" a robot ")
    exclusion = feedback_exclude(user=owner, scene=quay, reason="promoted")
    with pytest.raises(Conflict) as refused:
        feedback_exclude(user=root, scene=quay, reason="again")
    assert quay.title in refused.value.message
    assert set(FeedbackExclusion.objects.values_list("reason", "created_by")) == {
        ("a robot", root.pk),
        ("promoted", owner.pk),
    }
    assert list(FeedbackExclusion.objects.visible_to(owner)) == [exclusion]
    assert not FeedbackExclusion.objects.visible_to(ada).exists()
    with pytest.raises(NotAllowed):
        feedback_include(user=ada, exclusion=exclusion)
    feedback_include(user=owner, exclusion=exclusion)
    assert FeedbackExclusion.objects.count() == 1


def test_from_the_lists_with_a_reason_and_back(town, root):
    """And each search after it is made without, and after it counts again with."""
    reader = factories.make_user()
    plain = ask(reader).scene_ids
    town.all_do(town.people[:2], town.cranes(0))
    voted = ask(reader).scene_ids
    assert voted != plain
    client = client_of(root)
    chosen = {"action": "exclude_people", "_selected_action": [town.people[0].pk]}
    asked = client.post(reverse("admin:accounts_user_changelist"), chosen)
    assert asked.status_code == 302
    assert str(town.people[0]) in page(client, asked["Location"])
    assert client.post(asked["Location"], {"reason": ""}).status_code == 200
    assert client.post(asked["Location"], {"reason": "a robot"})["Location"] == reverse(EXCLUSIONS)
    shown = page(client, reverse(EXCLUSIONS))
    assert "a robot" in shown and str(town.people[0]) in shown
    assert ask(reader).scene_ids == plain
    row = FeedbackExclusion.objects.get()
    client.post(reverse("admin:search_feedbackexclusion_delete", args=[row.pk]), {"post": "yes"})
    assert ask(reader).scene_ids == voted


def test_a_curator_excludes_scenes_they_look_after_and_nothing_else(town, root):
    curator = make_curator()
    bay = factories.make_scene(factories.make_collection(owner=curator))
    client = client_of(curator)
    chosen = {"action": "exclude_scenes", "_selected_action": [str(bay.pk)]}
    asked = client.post(reverse("admin:imagery_scene_changelist"), chosen)
    client.post(asked["Location"], {"reason": "promoted"})
    assert FeedbackExclusion.objects.get().scene == bay
    foreign = [f"scene={town.scenes[0].pk}", f"user={town.people[0].pk}", "scene=x", "user=x", ""]
    for query in foreign:
        assert client.get(f"{reverse(EXCLUDE)}?{query}").status_code == 404, query
    feedback_exclude(user=root, person=town.people[0], reason="seekrit")
    assert "seekrit" not in page(client, reverse(EXCLUSIONS))
    assert client_of(factories.make_user(is_staff=True)).get(reverse(EXCLUDE)).status_code == 403
    assert client_of(factories.make_user(is_staff=True)).get(reverse(EFFECT)).status_code == 403


def test_both_rankings_side_by_side_with_what_each_gate_dropped(town, root):
    town.all_do(town.people[:2], town.cranes(0)[1:7])
    town.do(town.people[0], town.cranes(0)[0])
    effect = effect_of(request=search_request_parse(user=root, text="harbour"), user=root)
    assert (effect.gates.votes, effect.gates.people, effect.gates.scenes) == (13, 2, 7)
    assert effect.gates.dropped["voters"] == 1
    assert sum(effect.gates.dropped.values()) + effect.gates.counted == 7
    plain = [hit.scene.pk for hit in effect.without]
    assert plain == ask(root, history=False).scene_ids[:TOP]
    assert [hit.scene.pk for hit in effect.with_votes] == ask(root).scene_ids[:TOP] != plain
    assert effect.moved >= sum(hit.moved != 0 for hit in effect.with_votes) > 0
    for hit in effect.with_votes:
        assert hit.other_rank is not None
        assert hit.other_rank > TOP or plain[hit.other_rank - 1] == hit.scene.pk


def test_the_sides_have_what_their_reader_may_see(town):
    """And what was done with what is hidden from them moves nothing."""
    stranger = factories.make_user()
    town.all_do(town.people, town.cranes(2))
    effect = effect_of(request=search_request_parse(user=stranger, text="harbour"), user=stranger)
    assert (effect.gates.votes, effect.moved, effect.searched) == (0, 0, 24)


def test_days_tell_what_counts_and_what_was_refused(town, root):
    ada, bob, cid, _dan = town.people
    for person in (ada, bob, cid):
        town.do(person, town.scenes[0], at=days_ago(1))
    town.do(ada, town.part(1)[0], at=days_ago(1))
    FeedbackExclusion.objects.create(user=bob, reason="a robot")
    LearningChoice.objects.create(user=cid, for_all=False)
    moment = days_ago(1)
    EventCount.objects.create(user=bob, day=moment.date(), told=1, refused=7, minute=moment)
    (row,) = days_told(root)
    assert (row.told, row.people, row.counted, row.voters, row.uncounted, row.refused) == (4, 3, 2, 1, 2, 7)
    (part,) = days_told(town.collections[0].owner)
    assert (part.told, part.refused) == (3, None)
    assert days_told(factories.make_user()) == []


def test_the_queries_most_people_voted_under_are_for_superusers(town, root):
    town.all_do(town.people[:2], town.scenes[:3])
    town.do(town.people[2], town.scenes[0], text="pier")
    first, second = queries_most(town.encoder)
    assert (first.text, first.voters, first.votes, first.scenes) == ("harbour", 2, 6, 3)
    assert (second.text, second.voters) == ("pier", 1)
    shown = page(client_of(root), f"{reverse(EFFECT)}?q=harbour")
    assert "pier" in shown and "scenes that count" in shown
    curators = page(client_of(make_curator()), f"{reverse(EFFECT)}?q=harbour")
    assert "pier" not in curators and "scenes that count" not in curators
    assert "harbour" in curators
    assert "errorlist" in page(client_of(root), f"{reverse(EFFECT)}?q=%E2%98%83%E2%98%83%E2%98%83")
