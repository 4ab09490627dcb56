"""Answers that are kept: how soon what others do changes them, and who shares them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from imagery.models import CollectionMember
from imagery.models.collection import Visibility
from search.feedback import everybody_state as module
from search.feedback.everybody_state import FRESH, everybody_state
from search.models import Event, FeedbackExclusion, LearningChoice, Vote
from tests import factories
from tests.search.everybody.town import Town, ask

pytestmark = pytest.mark.django_db


@pytest.fixture
def town() -> Town:
    module._counted.clear()
    return Town()


@pytest.fixture
def reader():
    return factories.make_user()


def _age(votes, by: timedelta) -> None:
    votes.update(created_at=timezone.now() - by)


def test_until_two_others_voted_nothing_can_matter(town, reader):
    ada, bob, *_ = town.people
    assert everybody_state(reader) == ""
    town.all_do([ada], town.cranes(0))
    assert everybody_state(reader) == everybody_state(ada) == ""
    town.do(bob, town.scenes[0])
    assert everybody_state(reader) != ""
    assert everybody_state(ada) == "", "who voted sees one other's votes"


def test_who_did_nothing_shares_kept_answers_and_who_voted_has_their_own(town, reader):
    town.all_do(town.people[:3], town.cranes(0)[:4])
    mine = ask(reader)
    theirs = ask(factories.make_user())
    assert theirs.took_ms["retrieve"] == 0
    assert (theirs.scene_ids, theirs.reasons) == (mine.scene_ids, mine.reasons)
    LearningChoice.objects.create(user=town.people[0], for_me=False)
    voter = ask(town.people[0])
    assert voter.took_ms["retrieve"] > 0, "nobody's own votes are among those of others"


def test_a_kept_answer_hears_of_votes_within_minutes(town, reader):
    town.all_do(town.people[:2], town.cranes(0)[:4])
    _age(Vote.objects.all(), timedelta(hours=1))
    kept = ask(reader)
    town.do(town.people[2], town.scenes[0])
    latest = Vote.objects.filter(user=town.people[2])
    _age(latest, timedelta(minutes=-1))
    assert ask(reader).pk == kept.pk
    _age(latest, FRESH)
    assert ask(reader).pk != kept.pk


def test_votes_taken_back_or_of_disabled_accounts_leave_within_minutes(town, reader):
    town.all_do(town.people[:3], town.cranes(0)[:4])
    states = {everybody_state(reader)}
    Event.objects.filter(user=town.people[0]).order_by("pk")[0].delete()
    states.add(everybody_state(reader))
    assert len(states) == 1, "counted once a minute"
    module._counted.clear()
    states.add(everybody_state(reader))
    town.people[1].is_active = False
    town.people[1].save()
    module._counted.clear()
    states.add(everybody_state(reader))
    assert len(states) == 3


def test_exclusions_and_choices_hold_at_once(town, reader):
    town.all_do(town.people[:3], town.cranes(0)[:4])
    states = [everybody_state(reader)]
    FeedbackExclusion.objects.create(user=town.people[0], reason="a robot")
    states.append(everybody_state(reader))
    FeedbackExclusion.objects.create(scene=town.scenes[0], reason="promoted")
    states.append(everybody_state(reader))
    choice = LearningChoice.objects.create(user=town.people[1], for_all=False)
    states.append(everybody_state(reader))
    assert len(set(states)) == 4
    choice.delete()
    FeedbackExclusion.objects.all().delete()
    assert everybody_state(reader) == states[0]


def test_what_is_hidden_has_no_say_in_a_kept_answer_at_once(town, reader):
    """Also where votes lie in a collection that was not asked for."""
    CollectionMember.objects.create(collection=town.collections[1], user=reader)
    plain = ask(reader, collections=["part-0"])
    town.all_do(town.people[:2], town.cranes(1))
    moved = ask(reader, collections=["part-0"])
    assert moved.scores != plain.scores or moved.scene_ids != plain.scene_ids
    assert ask(reader, collections=["part-0"]).pk == moved.pk
    town.collections[1].visibility = Visibility.PRIVATE
    town.collections[1].save()
    after = ask(reader, collections=["part-0"])
    assert (after.scene_ids, after.scores, after.reasons) == (plain.scene_ids, plain.scores, plain.reasons)
