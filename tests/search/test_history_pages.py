"""The page with what is kept about a person's searches, the export, and erasing."""

import json
import re
from html import unescape

import pytest
from django.test import Client

from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from search.models import Event, Impression, Query, Ranking
from search.query import SearchRequest
from search.services import search_run
from tests.factories import know_query, make_collection, make_event, make_ranking, make_scene, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return make_user("ann")


@pytest.fixture
def page(ann) -> Client:
    client = Client()
    client.force_login(ann)
    return client


def test_it_shows_words_filters_counts_and_deeds(page, ann):
    scene = make_scene(collection=make_collection(owner=ann), title="Pier at dawn")
    event = make_event(ann, scene, Event.Kind.LIKE)
    query = event.impression.ranking.query
    Query.objects.filter(pk=query.pk).update(
        text="piers <in fog>", filters={"collections": ["coast"], "start": "2024-01-01"}
    )
    text = page.get("/history/").content.decode()
    assert "piers &lt;in fog&gt;" in text
    assert "coast" in text
    assert "2024-01-01" in text
    assert "1 shown to you" in text
    assert "Pier at dawn" in text
    link = f"/?q=piers+%3Cin+fog%3E&amp;collection=coast&amp;start=2024-01-01&amp;ranking={event.impression.ranking_id}"
    assert link in text


def test_a_search_leads_to_the_answer_it_got(page, ann):
    scene = make_scene(make_collection(owner=ann), title="Pier at dawn")
    know_query("piers in fog")
    search_run(user=ann, request=SearchRequest(text="piers in fog"))
    link = re.search(r'href="(/\?q=[^"]+)"', page.get("/history/").content.decode())
    assert link
    answer = page.get(unescape(link[1])).content.decode()
    assert 'id="hit-1"' in answer and scene.title in answer
    assert Ranking.objects.count() == 1  # The stored answer, not a new one.


def test_it_shows_nobody_elses_searches(page, ann):
    bob = make_user("bob")
    make_ranking(bob, [make_scene()], text="a secret harbour")
    assert "secret harbour" not in page.get("/history/").content.decode()
    assert "secret harbour" not in b"".join(page.get("/history/export.json").streaming_content).decode()
    assert "Nothing is kept about you" in page.get("/history/").content.decode()


def test_a_scene_that_is_no_longer_shared_is_not_named(page, ann):
    collection = make_collection(visibility=Visibility.ALL_USERS)
    scene = make_scene(collection=collection, title="Pier at dawn")
    make_event(ann, scene)
    assert "Pier at dawn" in page.get("/history/").content.decode()
    collection.visibility = Visibility.PRIVATE
    collection.save()
    text = page.get("/history/").content.decode()
    assert "Pier at dawn" not in text
    assert "no longer shared with you" in text


def test_the_export_holds_everything_as_json(page, ann):
    scene = make_scene(collection=make_collection(owner=ann))
    event = make_event(ann, scene, Event.Kind.DOWNLOAD)
    make_ranking(ann, [], text="稻田")
    response = page.get("/history/export.json")
    assert response["Content-Type"].startswith("application/json")
    assert 'attachment; filename="rsportal-history-' in response["Content-Disposition"]
    assert "no-store" in response["Cache-Control"]
    document = json.loads(b"".join(response.streaming_content))
    assert document["user"] == "ann"
    assert [query["text"] for query in document["queries"]] == ["稻田", event.impression.ranking.query.text]
    (ranking,) = document["queries"][1]["rankings"]
    (impression,) = ranking["impressions"]
    assert impression["scene"] == str(scene.pk)
    assert [deed["kind"] for deed in impression["events"]] == ["download"]


def test_an_empty_export_is_json_too(page):
    assert json.loads(b"".join(page.get("/history/export.json").streaming_content))["queries"] == []


def test_erasing_one_asks_first_and_leaves_the_rest(page, ann):
    keep = make_ranking(ann, [], text="keep me").query
    scene = make_scene(collection=make_collection(owner=ann))
    drop = make_event(ann, scene).impression.ranking.query
    asked = page.get("/history/erase/", {"query": drop.pk}).content.decode()
    assert drop.text in asked
    assert Query.objects.count() == 2, "asking erases nothing"
    response = page.post("/history/erase/", {"query": drop.pk}, follow=True)
    assert "1 search is erased" in response.content.decode()
    assert list(Query.objects.all()) == [keep]
    assert not Impression.objects.exists()
    assert not Event.objects.exists()


def test_erasing_all_leaves_other_people_alone(page, ann):
    bob = make_user("bob")
    make_ranking(bob, [])
    for number in range(3):
        make_ranking(ann, [], text=f"query {number}")
    assert "You have 3 searches" in page.get("/history/erase/").content.decode()
    assert "3 searches are erased" in page.post("/history/erase/", follow=True).content.decode()
    assert [query.user for query in Query.objects.all()] == [bob]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("raw", ["another", "9" * 30, "-1", "١", "nothing"])
def test_another_persons_or_an_invented_query_is_not_found(page, ann, method, raw):
    other = make_ranking(make_user("bob"), []).query
    own = make_ranking(ann, []).query
    assert getattr(page, method)("/history/erase/", {"query": other.pk if raw == "another" else raw}).status_code == 404
    assert set(Query.objects.all()) == {own, other}


def test_a_foreign_page_cannot_erase(ann):
    make_ranking(ann, [])
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ann)
    assert strict.post("/history/erase/").status_code == 403
    assert Query.objects.exists()


def test_long_histories_have_pages_and_few_database_questions(page, ann, django_assert_max_num_queries):
    scene = make_scene(collection=make_collection(owner=ann))
    for _ in range(23):
        make_event(ann, scene)
    with django_assert_max_num_queries(12):
        first = page.get("/history/").content.decode()
    assert "Page 1 of 2" in first
    assert page.get("/history/", {"page": 2}).content.decode().count("<article") == 3
    assert page.get("/history/", {"page": "many"}).status_code == 200
    with django_assert_max_num_queries(12):
        b"".join(page.get("/history/export.json").streaming_content)
