"""What a person sees of their searches, and that erasing takes all of it."""

import threading

import pytest
from django.db import connection

from rsportal.accounts.models import User
from search.models import Event, Impression, Query, QueryVector, Ranking
from search.selectors import history_list
from search.services import event_record, history_erase, ranking_page, search_request_parse, search_run
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.make_user()


def _search(user, text: str):
    ranking = search_run(user=user, request=search_request_parse(user=user, text=text))
    return ranking, ranking_page(user=user, ranking=ranking, size=2)


def test_history_has_counts_in_one_statement(owner, django_assert_num_queries):
    collection = factories.make_collection(owner=owner)
    for _ in range(3):
        factories.make_scene(collection)
    for text in ("harbour", "forest"):
        factories.know_query(text)
        ranking, page = _search(owner, text)
        event_record(user=owner, token=page.hits[0].token, kind="click")
        event_record(user=owner, token=page.hits[1].token, kind="click")
        event_record(user=owner, token=page.hits[1].token, kind="like")
    factories.make_event(factories.make_user(), factories.make_scene())
    with django_assert_num_queries(1):
        newest, older = history_list(owner)
    assert (newest.text, older.text) == ("forest", "harbour")
    assert newest.ranking_id == ranking.pk
    counts = ("found", "searched", "shown", "clicks", "likes", "dislikes", "downloads")
    assert [getattr(newest, name) for name in counts] == [3, 3, 2, 2, 1, 0, 0]


def test_a_query_without_an_answer_is_listed(owner):
    Query.objects.create(user=owner, text="lost")
    (row,) = history_list(owner)
    assert (row.found, row.ranking_id, row.clicks) == (0, None, 0)


def test_erasing_takes_everything_of_this_person_only(owner):
    other = factories.make_user()
    collection = factories.make_collection(owner=owner, visibility="all_users")
    factories.make_scene(collection)
    for text in ("mine", "shared"):
        factories.know_query(text)
    for user, text in ((owner, "mine"), (owner, "shared"), (other, "shared")):
        _ranking, page = _search(user, text)
        event_record(user=user, token=page.hits[0].token, kind="like")
    assert history_erase(user=owner) == 2
    for model in (Query, Ranking, Impression, Event):
        assert model.objects.count() == model.objects.visible_to(other).count() == 1
    assert [row.text for row in QueryVector.objects.defer("vector")] == ["shared"], "typed words do not stay behind"
    _search(owner, "shared")
    assert history_erase(user=owner) == 1
    assert history_erase(user=owner) == 0


@pytest.mark.django_db(transaction=True)
def test_erasing_while_others_ask_the_same_breaks_neither(owner):
    factories.make_scene(factories.make_collection(owner=owner, visibility="all_users"))
    factories.know_query("harbour")
    people = [owner, *(factories.make_user() for _ in range(3))]
    errors: list[BaseException] = []

    def ask_and_erase(user: User) -> None:
        try:
            for _ in range(15):
                search_run(user=user, request=search_request_parse(user=user, text="harbour"))
                history_erase(user=user)
        except BaseException as error:  # noqa: BLE001 - whatever happens in a thread must fail the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask_and_erase, args=(user,)) for user in people]
    _search(owner, "harbour")  # The vector is in memory now, so that no model is needed when its row is erased.
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not errors
    assert Query.objects.count() == QueryVector.objects.count() == 0


def test_erasing_one_query(owner):
    factories.make_scene(factories.make_collection(owner=owner))
    factories.know_query("harbour")
    factories.know_query("forest")
    keep, _page = _search(owner, "harbour")
    gone, _page = _search(owner, "forest")
    assert history_erase(user=factories.make_user(), query_id=gone.query_id) == 0
    assert history_erase(user=owner, query_id=gone.query_id) == 1
    assert [row.pk for row in history_list(owner)] == [keep.query_id]
