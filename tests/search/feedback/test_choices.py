"""What a person lets the portal learn; what they see, take along and erase of it."""

import base64
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from search.models import (
    Concept,
    ConceptExample,
    Event,
    EventCount,
    LearningChoice,
    Query,
    QueryImage,
)
from search.services import event_record, history_erase, learning_choose
from search.tokens import token_issue
from tests import factories
from tests.api import SchemaClient, check_problem
from tests.pages import client_of, page
from tests.search.feedback.world import Harbours, do, order

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return factories.make_user()


def picture(user, name: str = "") -> QueryImage:
    return QueryImage.objects.create(
        user=user, name=name, picture=b"RIFF" + uuid4().bytes, width=8, height=8, sha256=uuid4().hex
    )


def asked_with(user, *pictures: QueryImage, text: str = "") -> Query:
    examples = [{"kind": "image", "id": str(each.pk), "window": None, "weight": 1.0} for each in pictures]
    return Query.objects.create(user=user, text=text, examples=examples)


def test_the_page_takes_the_choice_and_shows_it(ada):
    client = client_of(ada)
    assert page(client, "/history/").count("checked") == 2
    assert client.post("/history/learning/", {"for_all": "on"}).status_code == 302
    choice = LearningChoice.objects.get(user=ada)
    assert (choice.for_me, choice.for_all) == (False, True)
    html = page(client, "/history/")
    assert html.count("checked") == 1 and "Your choice holds" in html
    client.post("/history/learning/", {})
    assert not LearningChoice.objects.get(user=ada).for_all


def test_the_choice_is_one_s_own(ada):
    learning_choose(user=factories.make_user(), for_me=False, for_all=False)
    client = SchemaClient(ada)
    assert client.get("/api/v1/me/learning/").json() == {"for_me": True, "for_all": True}
    told = client.put("/api/v1/me/learning/", {"for_me": False, "for_all": True})
    assert told.json() == {"for_me": False, "for_all": True} == client.get("/api/v1/me/learning/").json()
    check_problem(client.put("/api/v1/me/learning/", {"for_me": False}), 400, field="for_all")
    check_problem(client.put("/api/v1/me/learning/", {"for_me": "perhaps", "for_all": True}), 400, field="for_me")


def test_the_api_searches_with_and_without_history():
    harbours, ada = Harbours(), factories.make_user()
    plain = order(ada)
    client = SchemaClient(ada)
    do(ada, "like", harbours.cranes[3])

    def found(**request: object) -> tuple[list[str], bool, list[dict[str, object]]]:
        answer = client.post("/api/v1/search/", {"text": "harbour", "limit": 100, **request}).json()
        results = answer["results"]
        return [row["scene"] for row in results], answer["history"], [row["reasons"] for row in results]

    ids, history, reasons = found()
    assert history and ids == [str(pk) for pk in order(ada)] != [str(pk) for pk in plain]
    assert reasons[0]["feedback"]["like"] == [  # type: ignore[index]
        {"scene": str(harbours.cranes[3].pk), "deed": "like", "query": "harbour"}
    ]
    ids, history, reasons = found(history=False)
    assert not history and ids == [str(pk) for pk in plain]
    assert not any("feedback" in each for each in reasons)


def test_a_look_is_told_and_exported_by_the_api(ada):
    impression = factories.make_impression(ada, factories.make_scene(factories.make_collection(owner=ada)))
    token = token_issue(impression_id=impression.pk, user_id=ada.pk)
    client = SchemaClient(ada)
    check_problem(client.post("/api/v1/events/", {"token": token, "kind": "dwell", "seconds": 9}), 400, field="kind")
    client.post("/api/v1/events/", {"token": token, "kind": "click"})
    Event.objects.update(created_at=timezone.now() - timedelta(seconds=60))
    told = client.post("/api/v1/events/", {"token": token, "kind": "dwell", "seconds": 9}).json()
    assert (told["kind"], told["seconds"]) == ("dwell", 9)
    check_problem(client.post("/api/v1/events/", {"token": token, "kind": "dwell"}), 400, field="seconds")
    (query,) = client.get("/api/v1/me/history/").json()["results"]
    events = query["rankings"][0]["impressions"][0]["events"]
    assert {(each["kind"], each["seconds"]) for each in events} == {("click", None), ("dwell", 9)}
    assert "for 9 seconds" in page(client_of(ada), "/history/")


def test_erasing_takes_pictures_and_counts_but_neither_concepts_nor_the_choice(ada):
    bob = factories.make_user()
    loose, held, other = picture(ada), picture(ada), picture(bob)
    concept = Concept.objects.create(owner=ada, name="cranes")
    ConceptExample.objects.create(concept=concept, image=held)
    for user in (ada, bob):
        impression = factories.make_impression(user, factories.make_scene())
        event_record(user=user, token=token_issue(impression_id=impression.pk, user_id=user.pk), kind="like")
    EventCount.objects.create(user=ada, day="2020-01-01", minute=timezone.now())
    asked_with(ada, loose, held)
    learning_choose(user=ada, for_me=True, for_all=False)
    assert history_erase(user=ada) == 2
    assert set(QueryImage.objects.values_list("pk", flat=True)) == {held.pk, other.pk}
    assert list(Event.objects.values_list("user", flat=True)) == [bob.pk]
    assert [row.day for row in EventCount.objects.filter(user=ada)] == [timezone.now().date()]
    assert Concept.objects.filter(pk=concept.pk).exists()
    assert not LearningChoice.objects.get(user=ada).for_all
    history_erase(user=ada, concepts=True)
    assert not Concept.objects.exists()
    assert list(QueryImage.objects.values_list("pk", flat=True)) == [other.pk]


def test_one_query_takes_the_pictures_that_only_it_had(ada):
    mine, shared, held, unasked = (picture(ada) for _ in range(4))
    concept = Concept.objects.create(owner=ada, name="cranes")
    ConceptExample.objects.create(concept=concept, image=held)
    query = asked_with(ada, mine, shared, held)
    asked_with(ada, shared)
    history_erase(user=ada, query_id=query.pk, concepts=True)
    assert set(QueryImage.objects.values_list("pk", flat=True)) == {shared.pk, held.pk, unasked.pk}
    assert Concept.objects.exists()


def test_the_page_offers_concepts_to_be_erased_and_leaves_them_unless_ticked(ada):
    client = client_of(ada)
    assert 'name="concepts"' not in page(client, "/history/erase/")
    Concept.objects.create(owner=ada, name="cranes")
    Concept.objects.create(owner=factories.make_user(), name="other")
    assert 'name="concepts"' in page(client, "/history/erase/")
    client.post("/history/erase/", {})
    assert Concept.objects.count() == 2
    client.post("/history/erase/", {"concepts": "on"})
    assert [each.name for each in Concept.objects.all()] == ["other"]
    Concept.objects.create(owner=ada, name="cranes")
    assert SchemaClient(ada).delete("/api/v1/me/history/?concepts=true").status_code == 204
    assert [each.name for each in Concept.objects.all()] == ["other"]


def test_the_export_has_everything(ada):
    kept = picture(ada, "boat.jpg")
    picture(factories.make_user(), "secret.jpg")
    asked_with(ada, kept, text="like this")
    Concept.objects.create(owner=ada, name="cranes", text="crane")
    learning_choose(user=ada, for_me=False, for_all=True)
    EventCount.objects.create(user=ada, day="2020-01-01", told=7, minute=timezone.now())
    response = client_of(ada).get("/history/export.json")
    told = json.loads(b"".join(response.streaming_content))  # type: ignore[attr-defined]
    assert told["learning"] == {"for_me": False, "for_all": True}
    assert told["events_a_day"] == [{"day": "2020-01-01", "told": 7, "refused": 0}]
    assert [each["name"] for each in told["concepts"]] == ["cranes"]
    (shown,) = told["pictures"]
    assert (shown["name"], base64.b64decode(shown["webp"])) == ("boat.jpg", bytes(kept.picture))
    (query,) = told["queries"]
    assert query["examples"][0]["id"] == str(kept.pk) and query["without_history"] is False


def test_the_page_shows_pictures_and_examples(ada):
    kept = picture(ada, "boat.jpg")
    asked_with(ada, kept, text="like this")
    picture(factories.make_user(), "secret.jpg")
    html = page(client_of(ada), "/history/")
    assert "boat.jpg" in html and f"/examples/{kept.pk}.webp" in html and "secret.jpg" not in html
    assert "with 1 example" in html
