"""Embargo and licence: what a search may find, whoever asks and whatever the stages do."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from imagery.models import Scene
from rsportal.accounts.models import User
from search.engine import request_answer
from search.query import search_request_parse
from search.services import ranking_page, search_run
from tests.factories import active_encoder, know_query, make_collection, make_scene, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return make_user(superuser=True)


def _found(user: User) -> set[str]:
    request = search_request_parse(user=user, text="harbour")
    answer = request_answer(encoder=active_encoder(), request=request, user=user)
    scenes = Scene.objects.in_bulk(answer.ranked.scene_ids.tolist())
    page = ranking_page(user=user, ranking=search_run(user=user, request=request))
    titles = {scene.title for scene in scenes.values()}
    assert {hit.scene.title for hit in page.hits} == titles
    assert page.total == page.ranking.searched == len(titles)
    return titles


def test_an_embargo_holds_for_everybody_until_its_hour(owner):
    know_query("harbour")
    collection = make_collection(owner=owner)
    now = timezone.now()
    make_scene(collection, title="free")
    make_scene(collection, title="past", embargo_until=now - timedelta(seconds=5))
    make_scene(collection, title="embargoed", embargo_until=now + timedelta(days=1))
    assert _found(owner) == {"free", "past"}


def test_a_licence_that_is_not_listed_is_not_found(owner, settings):
    know_query("harbour")
    for title, license in (("by", "CC-BY-4.0"), ("lower", "cc-by-sa-4.0"), ("shut", "proprietary"), ("unsaid", "")):
        make_scene(make_collection(owner=owner, license=license), title=title)
    assert _found(owner) == {"by", "lower", "shut", "unsaid"}
    for listed, expected in (
        (["CC-BY*"], {"by", "lower"}),
        (["CC-BY-4.0"], {"by"}),
        (["CC-BY", "C.-BY-4.0"], set()),
        (["none", "Proprietary"], {"shut", "unsaid"}),
        (["*"], {"by", "lower", "shut", "unsaid"}),
    ):
        settings.SEARCH_LICENSES = listed
        assert _found(owner) == expected, listed


def test_an_embargo_set_later_takes_the_scene_out_of_pages_that_are_kept(owner):
    know_query("harbour")
    collection = make_collection(owner=owner)
    scenes = [make_scene(collection, title=title) for title in ("one", "two")]
    ranking = search_run(user=owner, request=search_request_parse(user=owner, text="harbour"))
    Scene.objects.filter(pk=scenes[0].pk).update(embargo_until=timezone.now() + timedelta(hours=1))
    assert [hit.scene.title for hit in ranking_page(user=owner, ranking=ranking).hits] == ["two"]


def test_a_curator_sets_an_embargo(client, owner):
    scene = make_scene(make_collection(owner=owner), title="bay")
    client.force_login(owner)
    address = reverse("admin:imagery_scene_change", args=[scene.pk])
    day = (timezone.now() + timedelta(days=2)).date()
    moments = {f"{name}_{part}": "" for name in ("datetime", "start_datetime", "end_datetime") for part in (0, 1)}
    data = {"title": "bay", **moments, "platform": "", "instruments": "[]", "gsd": "", "cloud_cover": ""}
    answer = client.post(address, {**data, "embargo_until_0": day.isoformat(), "embargo_until_1": "00:00:00"})
    assert answer.status_code == 302
    scene.refresh_from_db()
    assert scene.embargo_until is not None
    assert scene.embargo_until.date() in {day, day - timedelta(days=1)}
