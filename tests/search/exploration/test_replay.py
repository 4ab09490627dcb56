"""Counterfactual estimates on simulated logs whose truth is known, and the real log replayed by the command."""

import json
import uuid
from datetime import timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from search.exploration import replay_log
from search.exploration.replay import Replayed, replay_score
from search.models import Event, FeedbackExclusion, Impression, LearningChoice, Query, QueryVector, Ranking
from search.services import ranking_page, search_request_parse, search_run
from tests import factories

HITS = 15
LOOKED = 1 / np.arange(1, HITS + 1)


def simulated(*, people: int, searches: int, seed: int) -> tuple[list[Replayed], dict[int, int], float, float]:
    """A log of a poor ranker, with a better one to try; and what each would really have had opened in a search."""
    chance = np.random.default_rng(seed)
    log, shown, truth = [], {}, np.zeros(2)
    for person in range(people):
        shown[person] = searches
        for _search in range(searches):
            worth = chance.random(HITS) ** 3
            orders = [np.argsort(-(worth + noise * chance.normal(size=HITS))) for noise in (1.0, 0.2)]
            truth += [(LOOKED * worth[order]).sum() for order in orders]
            opened = chance.random(HITS) < LOOKED * worth[orders[0]]
            deeds = [(int(place) + 1, int(orders[0][place])) for place in np.flatnonzero(opened)]
            if deeds:
                log.append(Replayed(person, deeds, orders[0].tolist(), orders[1].tolist()))
    current, tried = truth / (people * searches)
    return log, shown, float(current), float(tried)


def test_what_a_ranker_would_have_been_worth_is_recovered_within_the_interval():
    held = []
    for seed in range(5):
        log, shown, current, tried = simulated(people=60, searches=12, seed=seed)
        found = replay_score(log, shown=shown, propensity=LOOKED, clip=HITS, rounds=200)
        assert found.searches == 720
        assert found.ips["current"].value == found.ips["logged"].value  # It is the ranker of the log.
        for name, truth in (("current", current), ("tried", tried), ("gain", tried - current)):
            held.append(found.ips[name].low <= truth <= found.ips[name].high)
        assert found.ips["gain"].low > 0
        assert found.snips["gain"].low > 0
        assert found.interleaving.low > 0
        assert 0 < found.snips["tried"].value < 1
    assert np.mean(held) >= 0.8


def test_raw_clicks_would_have_told_less_than_half_of_the_gain():
    """What propensities are for: without them the hits of the log's own ranker look best."""
    log, shown, current, tried = simulated(people=120, searches=12, seed=1)
    raw = replay_score(log, shown=shown, propensity=LOOKED, clip=1, rounds=10)
    weighted = replay_score(log, shown=shown, propensity=LOOKED, clip=HITS, rounds=10)
    assert raw.ips["gain"].value < 0.5 * (tried - current)
    assert weighted.ips["gain"].value == pytest.approx(tried - current, rel=0.25)


def test_the_same_ranker_gains_nothing_and_the_reverse_order_loses():
    log, shown, *_truth = simulated(people=30, searches=8, seed=2)
    same = [Replayed(each.user, each.deeds, each.current, each.current) for each in log]
    found = replay_score(same, shown=shown, propensity=LOOKED, rounds=50)
    assert (found.ips["gain"].value, found.snips["gain"].value) == (0, 0)
    assert np.isnan(found.interleaving.value)  # Nothing is either's own.
    worse = [Replayed(each.user, each.deeds, each.current, each.current[::-1]) for each in log]
    found = replay_score(worse, shown=shown, propensity=LOOKED, rounds=50)
    assert found.ips["gain"].high < 0
    assert found.interleaving.high < 0


def test_figures_by_hand():
    """One search of two: a deed at rank 4 (looked at by a quarter), which the tried ranker puts first."""
    search = Replayed(1, [(4, "d")], ["a", "b", "c", "d"], ["d", "a", "b", "c"])
    found = replay_score([search], shown={1: 2}, propensity=LOOKED, clip=10, rounds=5)
    values = {name: each.value for name, each in found.ips.items()}
    assert values == pytest.approx({"logged": 0.5, "current": 0.5, "tried": 2.0, "gain": 1.5})
    assert {name: each.value for name, each in found.snips.items()} == pytest.approx(
        {"logged": 0.25, "current": 0.25, "tried": 1.0, "gain": 0.75}
    )
    assert found.interleaving.value == 1.0
    assert np.isnan(found.ips["gain"].low)  # One person is no sample of people.
    clipped = replay_score([search], shown={1: 2}, propensity=LOOKED, clip=2, rounds=5)
    assert clipped.ips["tried"].value == 1.0
    assert clipped.clipped == 1.0
    with pytest.raises(ValueError, match="at least 1"):
        replay_score([search], shown={1: 2}, propensity=LOOKED, clip=0.5)


def test_what_was_skipped_and_who_opened_nothing_counts_as_it_should():
    search = Replayed(2, [(1, "a")], ["a", "b"], ["b", "a"])
    gone = Replayed(2, [(1, "x")], skipped=True)
    found = replay_score([search, gone], shown={1: 3, 2: 2}, propensity=LOOKED, rounds=5)
    assert (found.searches, found.replayed, found.people, found.deeds) == (4, 1, 1, 1)
    assert found.ips["logged"].value == 0.25
    unknown = Replayed(2, [(1, "z")], ["a", "b"], ["b", "a"])  # A scene that neither finds any more.
    found = replay_score([unknown], shown={2: 1}, propensity=LOOKED, rounds=5)
    assert (found.ips["current"].value, found.ips["tried"].value) == (0, 0)
    assert np.isnan(found.interleaving.value)


OTHER = json.dumps({"windows": {"weight": 0.1}, "diffuse": {"on": False}})


@pytest.fixture
def coast():
    """Scenes of which a window matches, behind whole scenes; nobody discounts windows as much as OTHER does."""
    owner = factories.make_user("owner")
    factories.make_encoder("one", ranking={"diffuse": {"on": False}})
    factories.know_query("harbour")
    collection = factories.make_collection("coast", owner=owner, visibility="all_users")
    for number in range(4):
        vector = [1, 0.2 * number, 0, 0, 0, 0, 0, 0]
        factories.make_scene(collection, title=f"whole {number}", vector=vector)
        factories.make_scene(
            collection, title=f"window {number}", vector=[0.1, 1, 0, 0, 0, 0, 0, 0], windows={(0, 0, 16, 16): vector}
        )
    return collection


def searched(user, *titles: str, text: str = "harbour") -> Ranking:
    """Search, look at the page, and open the hits of these titles."""
    ranking = search_run(user=user, request=search_request_parse(user=user, text=text))
    for hit in ranking_page(user=user, ranking=ranking).hits:
        if hit.scene.title in titles:
            impression = Impression.objects.get(ranking=ranking, rank=hit.rank)
            Event.objects.create(impression=impression, kind="click", user=user)
    return ranking


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("replay_log", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_log_is_replayed_with_other_stages(coast, monkeypatch):
    monkeypatch.setattr(replay_log, "_BATCH", 2)
    users = [factories.make_user() for _number in range(6)]
    for user in users:
        searched(user, "whole 3")
    searched(factories.make_user())
    told = json.loads(run("--ranker", OTHER, "--json"))
    assert (told["searches"], told["replayed"], told["people"], told["deeds"]) == (7, 6, 6, 6)
    assert told["propensities"] == "assumed"
    assert told["current"] != told["tried"]
    ranks = {rank for (rank,) in Impression.objects.filter(events__isnull=False).values_list("rank")}
    (rank,) = ranks
    assert rank > 4  # Windows stand between; without them it is the fourth.
    assert told["ips"]["tried"][0] == pytest.approx(6 / 7 * rank / 4, rel=1e-3)
    assert told["ips"]["gain"][0] > 0
    assert told["ips"]["gain"][1] <= told["ips"]["gain"][0] <= told["ips"]["gain"][2]
    assert told["snips"]["gain"][0] == pytest.approx(1 / 4 - 1 / rank, rel=1e-3)
    assert told["interleaving"][0] > 0
    assert "The log is small (6 searches with deeds by 6 people" in told["remark"]
    lines = run("--ranker", OTHER, "--most", "3")
    assert "3 of " in lines
    assert "tried less current" in lines


@pytest.mark.django_db
def test_nobodys_history_is_touched_and_only_who_teaches_everybody_counts(coast):
    users = [factories.make_user() for _number in range(4)]
    for user in users:
        searched(user, "whole 1")
    LearningChoice.objects.create(user=users[0], for_all=False)
    FeedbackExclusion.objects.create(user=users[1])
    users[2].is_active = False
    users[2].save()
    before = (Query.objects.count(), Ranking.objects.count(), Impression.objects.count(), QueryVector.objects.count())
    told = json.loads(run("--ranker", OTHER, "--json"))
    assert (told["replayed"], told["people"], told["searches"]) == (1, 1, 1)
    assert told["skipped"] == {"the account is disabled": 1}
    assert before == (
        Query.objects.count(), Ranking.objects.count(), Impression.objects.count(), QueryVector.objects.count()
    )  # fmt: skip
    FeedbackExclusion.objects.create(scene=coast.scenes.get(title="whole 1"))
    assert json.loads(run("--ranker", OTHER, "--json"))["replayed"] == 0


@pytest.mark.django_db
def test_another_encoder_is_tried_and_wrong_questions_are_refused(coast):
    searched(factories.make_user(), "whole 1")
    for scene in coast.scenes.all():
        factories.add_tile(
            scene, other := factories.make_encoder(f"two-{uuid.uuid4()}", active=False), [0, 1, 0, 0, 0, 0, 0, 0]
        )
    factories.know_query("harbour", encoder=other)
    told = json.loads(run("--encoder", other.name, "--json"))
    assert told["tried"].startswith(other.name)
    tomorrow = (timezone.now() + timedelta(days=1)).date().isoformat()
    assert "There is nothing to replay" in run("--ranker", "{}", "--since", tomorrow)
    for arguments, match in (
        ([], "Say what to try"),
        (["--encoder", "none"], "no encoder 'none'"),
        (["--ranker", "{"], "--ranker is no JSON"),
        (["--ranker", '{"colour": {}}'], "no ranking stage 'colour'"),
        (["--ranker", "{}", "--since", "yesterday"], "write a day"),
        (["--ranker", "{}", "--clip", "0.5"], "must be at least 1"),
        (["--ranker", "{}", "--most", "0"], "must be at least 1"),
    ):
        with pytest.raises(CommandError, match=match):
            run(*arguments)
