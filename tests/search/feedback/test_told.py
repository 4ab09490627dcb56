"""What a hit says of the lessons that moved it: counts that are right, and nothing that may not be seen any more."""

from datetime import timedelta

import pytest
from django.utils import timezone, translation

from imagery.models import Scene
from search.models import Event, Ranking
from search.reasons import reason_lines
from search.selectors import ranking_get
from search.services import event_withdraw, history_erase, ranking_page
from tests import factories
from tests.pages import client_of, page
from tests.search.feedback.world import Harbours, ask, do

pytestmark = pytest.mark.django_db


@pytest.fixture
def harbours() -> Harbours:
    return Harbours()


@pytest.fixture
def ada():
    return factories.make_user()


def lines_of(user, ranking: Ranking, scene: Scene) -> list[str]:
    """The sentences of a hit, as its card shows them now."""
    shown = ranking_page(user=user, ranking=ranking_get(user, ranking.pk))
    hit = next(hit for hit in shown.hits if hit.scene.pk == scene.pk)
    return reason_lines(hit.reason, scene_id=scene.pk)


def told(user, ranking: Ranking, scene: Scene) -> str:
    return "; ".join(line for line in lines_of(user, ranking, scene) if "“" in line or "chose" in line)


def test_own_lessons_are_told_with_their_searches(harbours, ada):
    do(ada, "like", harbours.cranes[1])
    do(ada, "click", harbours.cranes[2])
    do(ada, "click", harbours.cranes[3])
    ranking = ask(ada)
    other = told(ada, ranking, harbours.cranes[0])
    assert "Resembles 1 scene you liked for “harbour”" in other
    assert "Resembles 2 scenes you opened for “harbour”" in other
    itself = told(ada, ranking, harbours.cranes[1])
    assert "You liked it for “harbour”" in itself and "Resembles 2 scenes" in itself
    with translation.override("zh-hans"):
        assert any("打开过的 2 景影像" in line for line in lines_of(ada, ranking, harbours.cranes[0]))


def test_an_earlier_similar_search_is_named(harbours, ada):
    do(ada, "like", harbours.cranes[1], "pier")
    Event.objects.update(created_at=timezone.now() - timedelta(days=3))
    ranking = ask(ada)
    assert "Resembles 1 scene you liked for “pier”" in told(ada, ranking, harbours.cranes[0])
    html = page(client_of(ada), f"/?q=harbour&ranking={ranking.pk}")
    assert "you liked for “pier”" in html


def _take_back(user, token: str, scene: Scene) -> None:
    event_withdraw(user=user, token=token, kind="like")


def _erase(user, token: str, scene: Scene) -> None:
    query = Event.objects.get(kind="like").impression.ranking.query
    history_erase(user=user, query_id=query.pk)


def _hide(user, token: str, scene: Scene) -> None:
    Scene.objects.filter(pk=scene.pk).update(collection=factories.make_collection())


def _embargo(user, token: str, scene: Scene) -> None:
    Scene.objects.filter(pk=scene.pk).update(embargo_until=timezone.now() + timedelta(days=1))


@pytest.mark.parametrize("change", [_take_back, _erase, _hide, _embargo])
def test_what_is_gone_is_told_no_more_also_of_an_answer_from_before(change, harbours, ada):
    token = do(ada, "like", harbours.cranes[1], "a harbour")
    do(ada, "click", harbours.cranes[2])
    ranking = ask(ada)
    assert "“a harbour”" in told(ada, ranking, harbours.cranes[0])
    change(ada, token, harbours.cranes[1])
    now = told(ada, ranking, harbours.cranes[0])
    assert "“a harbour”" not in now
    assert "Resembles 1 scene you opened for “harbour”" in now


def test_of_others_neither_scenes_nor_words_are_told():
    note = {"share": 0.3, "level": "everybody", "like": [{"scene": "x", "deed": "like", "query": "secret"}]}
    assert reason_lines({"feedback": note, "feedback.places": 2}) == [
        "Resembles scenes that others chose for similar searches (2 places up)"
    ]
    assert reason_lines({"feedback": {**note, "share": -0.1}, "feedback.places": -2}) == [
        "What others chose in similar searches: 2 places down"
    ]
    assert reason_lines({"feedback": {"share": -0.1, "level": "own", "like": []}, "feedback.places": -1}) == [
        "What you chose in searches like this one: 1 place down"
    ]


@pytest.mark.parametrize("note", [3, [], {"share": "x", "like": 1}, {"share": 1, "level": "own", "like": [["a"], 3]}])
def test_notes_of_another_form_are_left_out(note):
    assert reason_lines({"feedback": note}) == []


def test_a_page_asks_once_for_all_of_its_lessons(harbours, ada, django_assert_num_queries):
    for scene in harbours.cranes:
        do(ada, "click", scene)
    ranking = ask(ada)
    ranking_page(user=ada, ranking=ranking)
    with django_assert_num_queries(7):  # Hidden ranks, scenes, tiles, lessons; savepoint, impressions, release.
        ranking_page(user=ada, ranking=ranking)
