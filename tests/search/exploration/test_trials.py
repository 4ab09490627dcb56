"""Trials: writing, starting and ending them, what searches of those who take part are like, and the results."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from imagery.models import CollectionMember
from imagery.models.collection import Visibility
from rsportal.errors import Conflict, InvalidInput, Unavailable
from search.exploration.experiment import takes_part
from search.exploration.results import trial_results
from search.exploration.sentences import people_sentence, verdict_sentence
from search.models import Event, FeedbackExclusion, Impression, LearningChoice, Query, RankerTrial, Ranking
from search.services import event_record, ranking_page, search_request_parse, search_run
from search.services.trials import trial_create, trial_delete, trial_start, trial_stop, trial_update
from tests import factories
from tests.threads import THREADS, at_once

pytestmark = pytest.mark.django_db

OTHER = {"windows": {"weight": 0.1}, "diffuse": {"on": False}}


@pytest.fixture
def owner():
    return factories.make_user()


@pytest.fixture
def coast(owner):
    """Whole scenes that match less and less, between scenes of which a window matches: B discounts windows."""
    factories.make_encoder(ranking={"diffuse": {"on": False}})
    factories.know_query("harbour")
    collection = factories.make_collection("coast", owner=owner, visibility=Visibility.MEMBERS)
    for number in range(5):
        vector = [1, 0.3 * number, 0, 0, 0, 0, 0, 0]
        factories.make_scene(collection, title=f"whole {number}", vector=vector)
        factories.make_scene(
            collection, title=f"window {number}", vector=[0.1, 1, 0, 0, 0, 0, 0, 0], windows={(0, 0, 16, 16): vector}
        )
    return collection


@pytest.fixture
def trial(owner, coast) -> RankerTrial:
    return trial_start(trial=trial_create(user=owner, name="windows", ranking=OTHER, share=1.0))


def ask(user, text="harbour", channel=Query.Channel.WEB) -> Ranking:
    pk = search_run(user=user, request=search_request_parse(user=user, text=text), channel=channel).pk
    return Ranking.objects.get(pk=pk)


def test_a_trial_is_written_started_and_ended(owner, coast):
    trial = trial_create(user=owner, name="one", ranking=OTHER, share=0.3)
    assert (trial.state, trial.created_by, trial.started_at) == ("draft", owner, None)
    assert trial_update(trial=trial, share=0.5, ranking={"diffuse": {"on": True}}).share == 0.5
    trial = trial_start(trial=trial)
    assert trial.state == "running"
    assert trial.started_at is not None
    with pytest.raises(Conflict, match="was started"):
        trial_update(trial=trial, share=0.1)
    assert trial_update(trial=trial, name="renamed").name == "renamed"
    with pytest.raises(Conflict, match="End it first"):
        trial_delete(trial=trial)
    second = trial_create(user=owner, name="two", ranking=OTHER, share=1)
    with pytest.raises(Conflict, match="“renamed” is running"):
        trial_start(trial=second)
    with pytest.raises(Conflict, match="is not running"):
        trial_stop(trial=second)
    trial = trial_stop(trial=trial)
    assert trial.state == "ended"
    assert trial.ended_at is not None
    for again in (trial_start, trial_stop):
        with pytest.raises(Conflict):
            again(trial=trial)
    trial_delete(trial=trial)
    assert trial_start(trial=second).state == "running"


def test_wrong_trials_are_refused_with_the_reason(owner, coast):
    with pytest.raises(InvalidInput, match="no ranking stage 'colour'"):
        trial_create(user=owner, name="x", ranking={"colour": {}}, share=0.1)
    for share in (-0.1, 1.1):
        with pytest.raises(ValidationError):
            trial_create(user=owner, name="x", ranking=OTHER, share=share)
    same = trial_create(user=owner, name="same", ranking={"diffuse": {"on": False}}, share=1)
    with pytest.raises(InvalidInput, match="would rank as the active encoder does"):
        trial_start(trial=same)
    with pytest.raises(InvalidInput):
        trial_update(trial=same, ranking={"diffuse": {"on": "maybe"}})
    assert RankerTrial.objects.get().state == "draft"


def test_without_an_encoder_no_trial_starts(owner):
    trial = trial_create(user=owner, name="x", ranking=OTHER, share=0.1)
    with pytest.raises(Unavailable):
        trial_start(trial=trial)


def test_always_the_same_share_of_the_people_takes_part_and_others_in_each_trial():
    members = {trial: {user for user in range(4_000) if takes_part(trial_id=trial, user_id=user, share=0.25)}
               for trial in (1, 2)}  # fmt: skip
    for found in members.values():
        assert 0.22 < len(found) / 4_000 < 0.28
    assert 0.03 < len(members[1] & members[2]) / 4_000 < 0.1
    assert all(takes_part(trial_id=1, user_id=user, share=0.5) for user in members[1])
    assert not any(takes_part(trial_id=1, user_id=user, share=0.0) for user in range(99))
    assert all(takes_part(trial_id=1, user_id=user, share=1.0) for user in range(99))


def test_who_takes_part_sees_both_rankings_drafted_into_one(owner, coast, trial, settings):
    settings.SEARCH_EXPLORE = 0.2
    RankerTrial.objects.update(state="draft")
    settings.SEARCH_EXPLORE = 0.0
    plain = ask(owner)
    settings.SEARCH_EXPLORE = 0.2
    RankerTrial.objects.update(state="running")
    ranking = ask(owner)
    assert ranking.pk != plain.pk
    assert (ranking.trial_id, ranking.swapped_ranks, ranking.swap_share) == (trial.pk, [], 0.0)
    assert set(ranking.scene_ids) == set(plain.scene_ids)
    assert len(ranking.teams) == len(ranking.scene_ids) == 10
    assert abs(ranking.teams.count(1) - ranking.teams.count(2)) <= 1
    assert plain.ranker in ranking.ranker
    assert ranking.ranker.count("|") == 1
    assert ask(owner).pk == ranking.pk  # The page stays.
    titles = [hit.scene.title for hit in ranking_page(user=owner, ranking=ranking).hits]
    assert len(titles) == 10
    trial_stop(trial=trial)
    settings.SEARCH_EXPLORE = 0.0
    assert ask(owner).trial_id is None


def test_nobody_takes_over_an_answer_of_a_trial(owner, coast, trial):
    friend = factories.make_user()
    CollectionMember.objects.create(collection=coast, user=friend)
    for user, channel in ((owner, "web"), (owner, "api"), (friend, "web")):
        ranking = ask(user, channel=channel)
        assert ranking.trial_id == trial.pk
        assert ranking.took_ms["rank"] > 0
    assert ask(owner, channel=Query.Channel.COMMAND).trial_id is None
    Ranking.objects.filter(query__channel="web").update(dropped_ranks=[2])
    assert ask(owner).trial_id == trial.pk


def test_who_teaches_nobody_takes_no_part(owner, coast, trial):
    LearningChoice.objects.create(user=owner, for_all=False)
    assert ask(owner).trial_id is None
    LearningChoice.objects.all().delete()
    FeedbackExclusion.objects.create(user=owner)
    assert ask(owner).trial_id is None


def test_settings_that_no_longer_work_leave_the_search_as_it_is(owner, coast, trial):
    RankerTrial.objects.update(ranking={"gone": {"on": True}})
    ranking = ask(owner)
    assert (ranking.trial_id, len(ranking.scene_ids)) == (None, 10)


def searched(trial, user, *, opened=(), teams=(1, 2, 2, 1, 0), kind="click", days_ago=0, upto=5) -> Ranking:
    scenes = list(trial_scenes())
    ranking = factories.make_ranking(user, scenes, trial=trial, teams=list(teams))
    shown = Impression.objects.bulk_create(
        Impression(ranking=ranking, scene=scenes[rank - 1], rank=rank) for rank in range(1, upto + 1)
    )
    Event.objects.bulk_create(Event(impression=shown[rank - 1], kind=kind, user=user) for rank in opened)
    Ranking.objects.filter(pk=ranking.pk).update(created_at=ranking.created_at - timedelta(days=days_ago))
    return ranking


def trial_scenes():
    from imagery.models import Scene

    if Scene.objects.count() < 5:
        collection = factories.make_collection()
        for _number in range(5):
            factories.make_scene(collection)
    return Scene.objects.order_by("pk")[:5]


def test_results_count_searches_by_whose_hits_were_opened(owner):
    trial = RankerTrial.objects.create(name="x", ranking=OTHER, state="running")
    one, two, shy, banned = (factories.make_user() for _number in range(4))
    searched(trial, one, opened=[1])
    searched(trial, one, opened=[2, 3, 1], days_ago=1)
    searched(trial, one, opened=[2], kind="like", days_ago=1)
    searched(trial, two, opened=[2], kind="download")
    searched(trial, two, opened=[1, 2])
    searched(trial, two, opened=[5])
    searched(trial, two, opened=[2], kind="dislike")
    searched(trial, two)
    ranking = searched(trial, two, opened=[1])
    Event.objects.create(impression=ranking.impressions.get(rank=1), kind="like", user=two)  # Of the same hit.
    LearningChoice.objects.create(user=shy, for_all=False)
    FeedbackExclusion.objects.create(user=banned)
    for user in (shy, banned):
        searched(trial, user, opened=[1])
    searched(None, two, opened=[1])
    found = trial_results(trial)
    assert (found.total.wins_a, found.total.wins_b, found.total.ties, found.total.silent) == (2, 3, 2, 2)
    assert (found.total.searches, found.took_part) == (9, 2)
    assert [(tally.wins_a, tally.wins_b) for _day, tally in sorted(found.days.items())] == [(0, 2), (2, 1)]
    assert (found.searches.wins_a, found.searches.wins_b, found.searches.share) == (2, 3, 0.6)
    assert (found.people.wins_a, found.people.wins_b) == (0, 1)  # Person two's votes are even.
    assert verdict_sentence(found).startswith("Too early to say: B won 60 % of the 5 searches")


def test_sentences_say_who_is_preferred_and_how_sure_that_is():
    trial = RankerTrial.objects.create(name="x", state="ended")
    assert verdict_sentence(trial_results(trial)) == "Nobody has chosen between the two yet."
    assert people_sentence(trial_results(trial)) == ""
    users = [factories.make_user() for _number in range(3)]
    for number in range(22):
        searched(trial, users[0], opened=[2] if number else [1])
    found = trial_results(trial)
    assert verdict_sentence(found).startswith("People prefer B: B won 95 % of the 22 searches")
    assert "less than 1 of 10,000" in verdict_sentence(found) or "1 of" in verdict_sentence(found)
    for user in users[1:]:
        searched(trial, user, opened=[1])
    found = trial_results(trial)
    assert "2 prefer A and 1 prefer B" in people_sentence(found)
    assert "be careful" in people_sentence(found)
    for number in range(30):
        searched(trial, users[number % 2], opened=[1] if number % 3 else [2])
    assert verdict_sentence(trial_results(trial)).startswith("No difference can be told: B won")


@pytest.mark.django_db(transaction=True)
def test_of_trials_started_at_once_all_but_one_are_refused_with_a_sentence():
    factories.make_encoder()
    user = factories.make_user()
    trials = [trial_create(user=user, name=f"{number}", ranking=OTHER, share=1) for number in range(THREADS)]
    errors = at_once(lambda: trial_start(trial=trials.pop()))
    assert len(errors) == THREADS - 1
    assert all(isinstance(error, Conflict) and str(error).endswith("is running. End it first.") for error in errors)
    assert RankerTrial.objects.filter(state="running").count() == 1


def test_a_like_within_a_trial_has_the_draft_made_anew_and_kept(owner, coast, trial):
    first = ask(owner)
    hits = ranking_page(user=owner, ranking=first).hits
    event_record(user=owner, token=hits[6].token, kind="like")
    second = ask(owner)
    assert second.pk != first.pk
    assert second.trial_id == trial.pk
    assert sorted(second.scene_ids) == sorted(first.scene_ids)
    assert second.cache_key
    assert ask(owner).pk == second.pk
