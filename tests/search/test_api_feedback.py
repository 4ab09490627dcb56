"""Events and history over the API."""

import pytest
from django.core.cache import cache

from search.models import Event, Query
from search.services import event_record
from search.tokens import token_issue
from tests import factories
from tests.api import SchemaClient, check_problem

pytestmark = pytest.mark.django_db
EVENTS, HISTORY = "/api/v1/events/", "/api/v1/me/history/"


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


def shown(user, text: str = "harbour"):
    """Return the impression and the token of a result that was shown to this person."""
    scene = factories.make_scene(factories.make_collection(owner=user))
    impression = factories.make_impression(user, scene, text=text)
    return impression, token_issue(impression_id=impression.pk, user_id=user.pk)


def kinds(impression) -> set[str]:
    return set(Event.objects.filter(impression=impression).values_list("kind", flat=True))


def test_an_event_is_kept_once_and_can_be_taken_back():
    user = factories.make_user()
    impression, token = shown(user)
    client = SchemaClient(user)
    first = client.post(EVENTS, {"token": token, "kind": "click"})
    again = client.post(EVENTS, {"token": token, "kind": "click"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert kinds(impression) == {"click"}
    for _attempt in range(2):
        assert client.delete(f"{EVENTS}?token={token}&kind=click").status_code == 204
    assert kinds(impression) == set()


def test_a_like_takes_back_a_dislike():
    user = factories.make_user()
    impression, token = shown(user)
    client = SchemaClient(user)
    client.post(EVENTS, {"token": token, "kind": "dislike"})
    client.post(EVENTS, {"token": token, "kind": "like"})
    assert kinds(impression) == {"like"}


def test_a_forged_or_foreign_token_is_refused():
    ada, bob = factories.make_user(), factories.make_user()
    impression, token = shown(ada)
    client = SchemaClient(bob)
    for wrong in (token, token[:-1], "nonsense", token_issue(impression_id=impression.pk, user_id=bob.pk)):
        check_problem(client.post(EVENTS, {"token": wrong, "kind": "like"}), 400, field="token")
        check_problem(client.delete(f"{EVENTS}?token={wrong}&kind=like"), 400, field="token")
    check_problem(SchemaClient(ada).post(EVENTS, {"token": token, "kind": "love"}), 400, field="kind")
    check_problem(SchemaClient(ada).delete(EVENTS), 400, field="token")
    assert not Event.objects.exists()


def test_the_export_holds_what_is_kept_about_me_and_nothing_of_others():
    ada, bob = factories.make_user(), factories.make_user()
    impression, token = shown(ada, "an airport")
    shown(bob, "a secret")
    event_record(user=ada, token=token, kind="like")
    response = SchemaClient(ada).get(HISTORY)
    (query,) = response.json()["results"]
    assert (query["text"], query["channel"]) == ("an airport", "web")
    (ranking,) = query["rankings"]
    (seen,) = ranking["impressions"]
    assert (seen["scene"], seen["rank"]) == (str(impression.scene_id), 1)
    assert [event["kind"] for event in seen["events"]] == ["like"]
    assert "secret" not in response.content.decode()


def test_the_export_tells_the_filters_that_were_set():
    user = factories.make_user()
    Query.objects.create(user=user, text="x", filters={"collections": ["coast"], "start": "2020-01-01"})
    (query,) = SchemaClient(user).get(HISTORY).json()["results"]
    assert query["filters"] == {"collections": ["coast"], "start": "2020-01-01"}


def test_one_question_or_all_are_erased():
    ada, bob = factories.make_user(), factories.make_user()
    for text in ("one", "two", "three"):
        shown(ada, text)
    other, _token = shown(bob)
    client = SchemaClient(ada)
    one = Query.objects.get(text="one")
    assert client.delete(f"{HISTORY}?query={one.pk}").status_code == 204
    assert client.delete(f"{HISTORY}?query={other.ranking.query_id}").status_code == 204
    assert sorted(row["text"] for row in client.get(HISTORY).json()["results"]) == ["three", "two"]
    check_problem(client.delete(f"{HISTORY}?query=all"), 400, field="query")
    assert client.delete(HISTORY).status_code == 204
    assert client.get(HISTORY).json()["results"] == []
    assert Query.objects.filter(user=bob).count() == 1


def test_the_export_is_paged_and_asks_the_database_equally_often(django_assert_max_num_queries):
    user = factories.make_user()
    for number in range(12):
        shown(user, f"question {number}")
    client = SchemaClient(user)
    client.get(HISTORY)
    with django_assert_max_num_queries(6) as captured:
        first = client.get(HISTORY, {"limit": 8}).json()
    assert not [query for query in captured.captured_queries if "vector" in query["sql"].replace("vector_id", "")]
    second = client.get(first["next"]).json()
    assert [len(first["results"]), len(second["results"]), second["next"]] == [8, 4, None]
