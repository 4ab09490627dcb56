"""The feedback log in the administration: complete for superusers, nameless for curators."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from imagery.models import Scene
from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from search.models import Event, Impression, Query, Ranking
from tests.factories import make_collection, make_event, make_scene, make_user
from tests.staff import make_curator

pytestmark = pytest.mark.django_db

SECRETS = ("harbour", "alice")
LISTS = ["query", "ranking", "impression", "event"]


@pytest.fixture
def curator() -> User:
    return make_curator("carla")


@pytest.fixture
def page(client: Client, curator: User) -> Client:
    client.force_login(curator)
    return client


@pytest.fixture
def shared(curator: User) -> Scene:
    """A scene everybody sees, in the curator's collection."""
    collection = make_collection("shared", owner=curator, visibility=Visibility.ALL_USERS)
    return make_scene(collection, title="Shared scene")


@pytest.fixture
def click(shared: Scene) -> Event:
    """Alice searched for "harbour" and opened the shared scene."""
    return make_event(make_user("alice"), shared)


def listed(client: Client, name: str, **query: Any) -> str:
    """Return the page of a list, with the words of its own search box taken out."""
    answer = client.get(reverse(f"admin:search_{name}_changelist"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_superuser_follows_a_query_to_its_click(client: Client, click: Event) -> None:
    client.force_login(make_user("root", superuser=True))
    ranking = click.impression.ranking
    assert "harbour" in listed(client, "query") and "alice" in listed(client, "query")
    assert f"?query={ranking.query_id}" in listed(client, "query")
    answer = listed(client, "ranking", query=ranking.query_id)
    assert f"?ranking={ranking.pk}" in answer and f"?impression__ranking={ranking.pk}" in answer
    assert "Shared scene" in listed(client, "impression", ranking=ranking.pk)
    events = listed(client, "event", impression__ranking=ranking.pk)
    assert "opened" in events and "Shared scene" in events and "alice" in events and "harbour" in events
    shown = client.get(reverse("admin:search_ranking_change", args=[ranking.pk])).content.decode()
    assert "Shared scene" in shown and "0.900" in shown


def test_a_curator_sees_that_a_scene_was_opened_but_not_by_whom_or_why(page: Client, click: Event) -> None:
    for name in ("impression", "event"):
        answer = listed(page, name)
        assert "Shared scene" in answer and "not shown" in answer
        assert not any(secret in answer for secret in SECRETS)
        assert str(click.impression.ranking_id) not in answer
    for name, row in (("impression", click.impression), ("event", click)):
        detail = page.get(reverse(f"admin:search_{name}_change", args=[row.pk]))
        assert detail.status_code == 200
        assert not any(secret in detail.content.decode() for secret in SECRETS)


def test_queries_and_rankings_of_others_do_not_exist_for_a_curator(page: Client, click: Event) -> None:
    ranking = click.impression.ranking
    for name, key in (("query", ranking.query_id), ("ranking", ranking.pk)):
        assert not any(secret in listed(page, name) for secret in SECRETS)
        detail = page.get(reverse(f"admin:search_{name}_change", args=[key]), follow=True)
        assert not any(secret in detail.content.decode() for secret in SECRETS)


@pytest.mark.parametrize(
    ("name", "lookup", "value"),
    [
        ("event", "impression__ranking__query__text__startswith", "harb"),
        ("event", "impression__ranking__query__user__username", "alice"),
        ("event", "impression__ranking", "ranking"),
        ("event", "impression__ranking__lt", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        ("impression", "ranking", "ranking"),
        ("impression", "ranking__query__text", "harbour"),
        ("ranking", "query", "query"),
        ("ranking", "scene_ids__contains", "scene"),
        ("query", "user__username__startswith", "a"),
    ],
)
def test_filters_answer_no_question_about_others(
    page: Client, click: Event, name: str, lookup: str, value: str
) -> None:
    ranking = click.impression.ranking
    values: dict[str, Any] = {"ranking": ranking.pk, "query": ranking.query_id, "scene": click.impression.scene_id}
    answer = page.get(reverse(f"admin:search_{name}_changelist"), {lookup: values.get(value, value)})
    assert answer.status_code == 400


def test_the_search_box_answers_no_question_about_others(page: Client, click: Event) -> None:
    for name in ("impression", "event"):
        assert "Shared scene" not in listed(page, name, q="harbour")
        assert "Shared scene" not in listed(page, name, q="alice")
        assert "Shared scene" in listed(page, name, q="Shared")


def test_a_curator_sees_the_own_log_with_words(page: Client, curator: User, shared: Scene) -> None:
    event = make_event(curator, shared)
    ranking = event.impression.ranking
    assert "harbour" in listed(page, "query")
    assert "harbour" in listed(page, "ranking", query=ranking.query_id)
    assert "Shared scene" in listed(page, "impression", ranking=ranking.pk)
    assert "harbour" in listed(page, "event", impression__ranking=ranking.pk)


def test_what_concerns_unseen_scenes_does_not_show(page: Client, curator: User) -> None:
    collection = make_collection("plans", title="Secret plans", visibility=Visibility.ALL_USERS)
    scene = make_scene(collection, title="Secret scene")
    make_event(make_user("alice"), scene)
    own = make_event(curator, scene)
    collection.visibility = Visibility.PRIVATE
    collection.save()
    for name in LISTS:
        answer = listed(page, name)
        assert "Secret scene" not in answer and "Secret plans" not in answer and str(scene.pk) not in answer
    detail = page.get(reverse("admin:search_ranking_change", args=[own.impression.ranking_id])).content.decode()
    assert "Secret scene" not in detail and str(scene.pk) not in detail


def test_seeing_an_open_scene_is_not_enough_to_see_who_opened_it(page: Client) -> None:
    theirs = make_scene(make_collection("theirs", visibility=Visibility.ALL_USERS), title="Open scene")
    make_event(make_user("alice"), theirs)
    for name in LISTS:
        assert "Open scene" not in listed(page, name)


def test_nobody_writes_the_log(client: Client, click: Event) -> None:
    client.force_login(make_user("root", superuser=True))
    for name, model in (("query", Query), ("ranking", Ranking), ("impression", Impression), ("event", Event)):
        key = model.objects.values_list("pk", flat=True).get()
        assert client.get(reverse(f"admin:search_{name}_add")).status_code == 403
        for action in ("change", "delete"):
            address = reverse(f"admin:search_{name}_{action}", args=[key])
            assert client.post(address, {"post": "yes"}).status_code == 403
        assert model.objects.count() == 1


@pytest.mark.parametrize("name", LISTS)
def test_the_lists_cost_the_same_for_two_and_for_many(
    client: Client, shared: Scene, name: str, django_assert_max_num_queries
) -> None:
    for _number in range(12):
        make_event(make_user(), shared)
    client.force_login(make_user("root", superuser=True))
    with django_assert_max_num_queries(13):
        listed(client, name)
