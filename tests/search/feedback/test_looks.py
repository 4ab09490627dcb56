"""How long a scene was looked at: what is taken as told, and what it counts for."""

from datetime import timedelta

import pytest
from django.utils import timezone

from rsportal.errors import InvalidInput
from search.feedback.lessons import Deed, deeds_weighed, one_a_scene
from search.models import Event, Impression
from search.services import event_record, event_withdraw
from search.tokens import token_issue
from tests import factories
from tests.pages import client_of, found, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return factories.make_user()


def shown(user) -> tuple[Impression, str]:
    impression = factories.make_impression(user, factories.make_scene(factories.make_collection(owner=user)))
    return impression, token_issue(impression_id=impression.pk, user_id=user.pk)


def opened(user, seconds_ago: int) -> tuple[Impression, str]:
    impression, token = shown(user)
    event = event_record(user=user, token=token, kind="click")
    Event.objects.filter(pk=event.pk).update(created_at=timezone.now() - timedelta(seconds=seconds_ago))
    return impression, token


def look(user, token, seconds) -> int | None:
    return event_record(user=user, token=token, kind="dwell", seconds=seconds).seconds


def test_a_look_is_no_longer_than_the_time_since_it_was_opened(ada):
    _impression, token = opened(ada, 40)
    assert look(ada, token, 3) == 3
    assert look(ada, token, 12) == 12
    assert look(ada, token, 5) == 12, "the longest look counts"
    assert look(ada, token, 10_000) in (40, 41, 42)
    assert Event.objects.filter(kind="dwell").count() == 1


def test_nobody_looks_for_hours(ada):
    _impression, token = opened(ada, 100_000)
    assert look(ada, token, 90_000) == 1_800


def test_a_look_needs_an_opened_scene_and_seconds(ada):
    _impression, token = shown(ada)
    with pytest.raises(InvalidInput) as caught:
        look(ada, token, 20)
    assert caught.value.field == "kind"
    event_record(user=ada, token=token, kind="click")
    for wrong in (None, -1):
        with pytest.raises(InvalidInput) as caught:
            look(ada, token, wrong)
        assert caught.value.field == "seconds"
    assert not Event.objects.filter(kind="dwell").exists()


def test_a_click_taken_back_takes_the_look_along(ada):
    impression, token = opened(ada, 40)
    look(ada, token, 30)
    event_withdraw(user=ada, token=token, kind="click")
    assert not Event.objects.filter(impression=impression).exists()


def test_the_scene_s_page_tells_the_look(ada):
    impression, token = opened(ada, 40)
    html = page(client_of(ada), f"/scenes/{impression.scene_id}/?t={token}")
    assert found(r'data-look="([^"]+)"', html) == token
    told = {"token": token, "kind": "dwell", "seconds": "31"}
    assert client_of(ada).post("/events/", told).status_code == 204
    assert Event.objects.get(kind="dwell").seconds == 31
    assert client_of(ada).post("/events/", {**told, "seconds": "long"}).status_code == 400


def deed(kind: str, *, rank: int = 1, days: float = 0, seconds: int | None = None, scene: str = "a") -> Deed:
    return Deed(1, kind, timezone.now() - timedelta(days=days), scene, 1, rank, seconds, False)  # type: ignore[arg-type]


def test_what_deeds_count_for():
    deeds = [
        deed("like"),
        deed("download"),
        deed("click"),
        deed("click", seconds=12),
        deed("click", seconds=30),
        deed("click", seconds=4),
        deed("like", rank=2),
        deed("like", rank=50),
        deed("like", days=30),
        deed("click", rank=2, days=60, seconds=45),
    ]
    weighed = deeds_weighed(deeds)
    assert [round(each.weight, 3) for each in weighed] == [1, 0.8, 0.4, 0.4, 0.6, 0.1, 2, 3, 0.5, 0.3]
    assert [each.deed for each in weighed[2:6]] == ["click", "click", "dwell", "click"]


def test_one_lesson_a_scene_is_the_best_deed_unless_it_was_disliked_since():
    newest_first = deeds_weighed(
        [
            deed("click", scene="liked"),
            deed("dislike", scene="gone off"),
            deed("like", scene="liked"),
            deed("like", scene="taken to"),
            deed("download", scene="gone off"),
            deed("dislike", scene="taken to"),
            deed("download", scene="kept"),
            deed("click", rank=3, scene="kept"),
        ]
    )
    kept = {each.scene_id: each.kind for each in one_a_scene(newest_first)}
    assert kept == {"liked": "like", "gone off": "dislike", "taken to": "like", "kept": "click"}
