"""All windows of a scene that matched, from the ranking to the page of the scene."""

import json
import re
from html import unescape

import pytest
from django.urls import reverse

from imagery.models import Tile
from search.match_windows import match_windows
from search.models import Impression
from search.tokens import token_issue
from tests.factories import make_collection, make_ranking, make_scene, make_user
from tests.pages import client_of, found, page

_BEST, _SECOND, _THIRD = (0, 0, 32, 32), (32, 0, 32, 32), (32, 32, 32, 32)


def _tile(window=_BEST, level=1):
    x, y, width, height = window
    return Tile(level=level, x=x, y=y, width=width, height=height)


@pytest.mark.parametrize(
    ("tile", "reason", "windows"),
    [
        (_tile(), {}, [_BEST]),
        (_tile(), {"windows": {"seen": 3, "more": [list(_SECOND), list(_THIRD)]}}, [_BEST, _SECOND, _THIRD]),
        (_tile(), {"windows": {"seen": 3, "more": [list(_BEST)]}}, [_BEST]),
        (_tile((0, 0, 64, 64), 0), {"windows": {"seen": 3, "more": [list(_SECOND)]}}, [_SECOND]),
        (_tile((0, 0, 64, 64), 0), {}, []),
        (_tile(), {"regions": list(_THIRD)}, [_THIRD]),
        (None, {}, []),
        (_tile(), {"windows": {"more": [[1, 2], "x", None]}}, [_BEST]),
    ],
)
def test_windows_of_a_hit_best_first(tile, reason, windows):
    assert match_windows(tile, reason) == windows


@pytest.fixture
def hit(db):
    """A person, a scene of theirs with pictures, and the token of a hit with three windows."""
    user = make_user()
    scene = make_scene(make_collection(owner=user), files=True, windows={_BEST: [1] * 8})
    other = make_scene(scene.collection)
    reason = {"similarity": 0.5, "windows": {"seen": 3, "more": [list(_SECOND), list(_THIRD)]}}
    ranking = make_ranking(user, [other, scene], reasons=[{"similarity": 0.9}, reason])
    tile = scene.tiles.get(level=1)
    impression = Impression.objects.create(ranking=ranking, scene=scene, tile=tile, rank=2)
    return user, scene, token_issue(impression_id=impression.pk, user_id=user.pk)


def _told(html):
    return json.loads(unescape(found(r'data-deep="([^"]*)"', html)))


def test_the_scene_page_outlines_every_window_the_best_last_and_strongest(hit):
    user, scene, token = hit
    address = reverse("imagery:scene", args=[scene.pk])
    html = page(client_of(user), f"{address}?window=0,0,32,32&t={token}")
    assert _told(html)["windows"] == [list(_BEST), list(_SECOND), list(_THIRD)]
    lines = re.findall(r'class="match__line( match__line--more)?" x="(\d+)" y="(\d+)"', html)
    assert lines == [(" match__line--more", "32", "32"), (" match__line--more", "32", "0"), ("", "0", "0")]
    assert [int(number) for number in re.findall(r'data-go="(\d)"', html)] == [0, 1, 2]


def test_the_window_that_the_address_names_is_the_strongest(hit):
    user, scene, token = hit
    address = reverse("imagery:scene", args=[scene.pk])
    html = page(client_of(user), f"{address}?window=32,32,32,32&t={token}")
    assert _told(html)["windows"] == [list(_THIRD), list(_BEST), list(_SECOND)]


def test_another_scene_or_another_person_gets_no_windows(hit):
    user, scene, token = hit
    other = make_scene(scene.collection, files=True)
    html = page(client_of(user), f"{reverse('imagery:scene', args=[other.pk])}?t={token}")
    assert _told(html)["windows"] == []
    scene.collection.visibility = "all_users"
    scene.collection.save()
    html = page(client_of(make_user()), f"{reverse('imagery:scene', args=[scene.pk])}?t={token}")
    assert _told(html)["windows"] == []
