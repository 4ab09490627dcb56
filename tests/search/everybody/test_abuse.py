"""What one account may try: whatever it does, it counts as one honest person."""

import threading
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from rsportal.errors import InvalidInput, RsportalError, TooMany
from search.feedback import lessons
from search.models import Event, EventCount, Impression, Vote
from search.ranking.evidence import Votes
from search.services import event_record, event_withdraw, ranking_page, search_request_parse, search_run
from search.tokens import token_issue
from tests import factories
from tests.api import SchemaClient, check_problem
from tests.pages import client_of
from tests.search.everybody.town import TEXTS, Town, ask

pytestmark = pytest.mark.django_db
EVENTS = "/api/v1/events/"


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


@pytest.fixture
def town(monkeypatch) -> Town:
    """Everything happens at one moment, so that weights can be compared."""
    now = timezone.now()
    monkeypatch.setattr(lessons, "timezone", SimpleNamespace(now=lambda: now))
    return Town()


@pytest.fixture
def reader():
    return factories.make_user()


def told(votes: Votes) -> tuple:
    rows = zip(votes.scene_ids, votes.weights.round(9), votes.deeds, votes.vectors.tolist(), strict=True)
    return sorted((str(scene), weight, deed, vector) for scene, weight, deed, vector in rows), set(votes.voters)


def token_of(impression: Impression, person) -> str:
    return token_issue(impression_id=impression.pk, user_id=person.pk)


def test_a_token_used_again_and_again_is_one_vote(town, reader):
    ada, quay = town.people[0], town.scenes[0]
    token = token_of(town.impression(ada, quay), ada)
    client = SchemaClient(ada)
    for _ in range(20):
        assert client.post(EVENTS, {"token": token, "kind": "click"}).status_code == 200
    assert Event.objects.count() == Vote.objects.count() == len(town.votes(reader)) == 1


def test_taken_back_and_told_again_it_is_as_new_as_the_first_time(town, reader):
    ada = town.people[0]
    token = token_of(town.impression(ada, town.scenes[0]), ada)
    for _ in range(10):
        event_record(user=ada, token=token, kind="like")
        event_withdraw(user=ada, token=token, kind="like")
    assert not Vote.objects.exists() and not len(town.votes(reader))
    event_record(user=ada, token=token, kind="like")
    assert Vote.objects.count() == 1


def test_tokens_that_are_forged_foreign_or_expired_change_nothing(town, reader, settings):
    ada, bob, *_ = town.people
    before = ask(reader)
    mine, theirs = (town.impression(person, town.scenes[0]) for person in (ada, bob))
    good = token_of(mine, ada)
    body, signature = good.rsplit(":", 1)
    forged = [
        "", "x", good[:-1], f"{good}A", f"{body}:{signature[::-1]}", good.swapcase(), token_of(theirs, bob),
        token_issue(impression_id=theirs.pk, user_id=ada.pk), token_issue(impression_id=10**12, user_id=ada.pk),
        ":".join([token_of(theirs, ada).split(":")[0], *good.split(":")[1:]]),
    ]  # fmt: skip
    client = SchemaClient(ada)
    for token in forged:
        for kind in ("like", "click"):
            with pytest.raises(InvalidInput):
                event_record(user=ada, token=token, kind=kind)
        check_problem(client.post(EVENTS, {"token": token, "kind": "like"}), 400, field="token")
    settings.FEEDBACK_TOKEN_DAYS = -1
    check_problem(client.post(EVENTS, {"token": good, "kind": "like"}), 400, field="token")
    assert not Event.objects.exists() and not Vote.objects.exists()
    assert ask(reader).scores == before.scores


def test_visitors_without_an_account_count_nowhere(town):
    token = token_of(town.impression(town.people[0], town.scenes[0]), town.people[0])
    visitor = Client()
    assert visitor.post(EVENTS, {"token": token, "kind": "like"}).status_code in (401, 403)
    assert visitor.post(reverse("search:event"), {"token": token, "kind": "like"}).status_code == 302
    assert visitor.get(reverse("search:open", args=[token])).status_code == 302
    assert visitor.get("/api/v1/search/?text=harbour").status_code in (401, 403)
    assert not Event.objects.exists() and not EventCount.objects.exists()


def test_the_same_hit_in_fifty_rankings_is_one_vote(town, reader):
    ada, quay = town.people[0], town.scenes[0]
    town.do(ada, quay, "click")
    once = told(town.votes(reader))
    vector = factories.unit(TEXTS["harbour"]).tolist()
    for _ in range(50):
        impression = factories.make_impression(ada, quay)
        query = impression.ranking.query
        query.asked, query.asked_under = vector, town.encoder
        query.save()
        event_record(user=ada, token=token_of(impression, ada), kind="click")
    assert Vote.objects.count() == 51
    assert told(town.votes(reader)) == once


def test_many_similar_queries_of_one_account_are_one_vote(town, reader):
    """However near or far they are from what the reader asks, within what counts as similar."""
    mallory = factories.make_user()
    chance = np.random.default_rng(3)
    for number in range(12):
        factories.know_query(f"harbour {number}", [1, *(0.1 * chance.standard_normal(7))])
        request = search_request_parse(user=mallory, text=f"harbour {number}", collections=["part-0"])
        page = ranking_page(user=mallory, ranking=search_run(user=mallory, request=request), size=100)
        hit = next(hit for hit in page.hits if hit.scene.pk == town.scenes[0].pk)
        event_record(user=mallory, token=hit.token, kind="like")
    votes = town.votes(reader)
    assert Vote.objects.count() == 12
    assert (votes.scene_ids.tolist(), len(votes)) == ([town.scenes[0].pk], 1)
    assert votes.weights[0] <= lessons.MOST_CORRECTED


def test_all_that_one_account_can_do_changes_what_one_honest_person_could(town, reader):
    """Everything with every scene under every query, beside one like of each: the same votes, the same ranking."""
    honest, mallory, *_ = town.people
    for scene in town.cranes(0)[:4]:
        town.do(honest, scene)
        town.do(mallory, scene)
    votes, ranking = told(town.votes(reader)), ask(reader, history=True)
    for scene in town.cranes(0)[:4]:
        for text in ("harbour", "pier"):
            for kind in ("click", "like", "download"):
                if (text, kind) != ("harbour", "like"):
                    town.do(mallory, scene, kind, text=text)
    assert told(town.votes(reader)) == votes
    again = ask(factories.make_user())
    assert (again.scene_ids, again.scores) == (ranking.scene_ids, ranking.scores)


def test_one_account_alone_moves_nothing_for_others(town, reader):
    before = ask(reader)
    for text in ("harbour", "pier"):
        for scene in town.scenes:
            town.do(town.people[0], scene, text=text)
    after = ask(factories.make_user())
    assert (after.scene_ids, after.scores, after.reasons) == (before.scene_ids, before.scores, before.reasons)


def test_a_thousand_events_in_a_minute_are_refused_but_for_the_first(town, settings):
    """On the page and over the API together, in all web processes; opening a scene still shows it."""
    settings.FEEDBACK_EVENTS_PER_MINUTE = 20
    mallory = town.people[0]
    tokens = [token_of(town.impression(mallory, scene), mallory) for scene in town.scenes]
    refused = 0
    for number in range(60):
        try:
            event_record(user=mallory, token=tokens[number % len(tokens)], kind="click")
        except TooMany:
            refused += 1
    assert refused >= 20 and Event.objects.count() <= 40, "a minute may have ended in between"
    day = EventCount.objects.get(user=mallory)
    assert (day.told, day.refused) == (60 - refused, refused)
    settings.FEEDBACK_EVENTS_PER_MINUTE = 0  # Whenever the minute ends.
    cache.clear()  # As in another web process.
    with pytest.raises(TooMany) as caught:
        event_withdraw(user=mallory, token=tokens[0], kind="click")
    assert 1 <= caught.value.wait_seconds <= 60
    answer = SchemaClient(mallory).post(EVENTS, {"token": tokens[-1], "kind": "like"})
    check_problem(answer, 429)
    assert 1 <= int(answer["Retry-After"]) <= 60
    page = client_of(mallory).post(reverse("search:event"), {"token": tokens[-1], "kind": "like"})
    assert (page.status_code, page["Retry-After"].isdigit()) == (429, True)
    assert "are not recorded" in page.content.decode()
    opened = client_of(mallory).get(reverse("search:open", args=[tokens[-1]]))
    assert opened.status_code == 302 and str(town.scenes[-1].pk) in opened["Location"]
    assert not Event.objects.filter(impression__scene=town.scenes[-1], kind="like").exists()
    settings.FEEDBACK_EVENTS_PER_MINUTE = 1
    bob = town.people[1]
    event_record(user=bob, token=token_of(town.impression(bob, town.scenes[0]), bob), kind="like")


def test_the_count_begins_again_with_the_next_minute(town, settings):
    settings.FEEDBACK_EVENTS_PER_MINUTE = 3
    ada = town.people[0]
    token = token_of(town.impression(ada, town.scenes[0]), ada)
    event_record(user=ada, token=token, kind="click")
    EventCount.objects.update(minute=timezone.now() - timedelta(minutes=2), in_minute=99)
    event_record(user=ada, token=token, kind="like")
    assert EventCount.objects.get().in_minute == 1


@pytest.mark.django_db(transaction=True)
def test_double_clicks_at_the_same_moment_are_one_vote():
    town = Town(people=2)
    ada = town.people[0]
    token = token_of(town.impression(ada, town.scenes[0]), ada)
    start = threading.Barrier(4)
    errors: list[BaseException] = []

    def click(kind: str) -> None:
        try:
            start.wait(timeout=20)
            event_record(user=ada, token=token, kind=kind)
        except RsportalError as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=(kind,)) for kind in ("like", "like", "click", "click")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not errors
    assert sorted(Vote.objects.values_list("event__kind", flat=True)) == ["click", "like"]
    assert len(town.votes(town.people[1])) == 1
    assert EventCount.objects.get().told == 4
