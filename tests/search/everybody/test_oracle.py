"""Nothing that is done with a hidden scene reaches a reader: against a world in which it was never done.

Random memberships and events of several people; each reader's ranking (scenes, scores, reasons, how many were searched)
must be the one they get after every event on a scene that is hidden from them was erased.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as portal
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from imagery.models import Collection, CollectionMember, Scene
from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from search.feedback import everybody, lessons
from search.models import Event, Ranking
from tests import factories
from tests.api import SchemaClient
from tests.search.everybody.town import SCENES, Town, ask, days_ago

pytestmark = pytest.mark.django_db
PEOPLE = 4
KINDS = ("like", "like", "click", "download", "dislike")

_deeds = st.lists(
    st.tuples(
        st.integers(0, PEOPLE - 1),  # who
        st.integers(0, sum(SCENES) - 1),  # with which scene
        st.sampled_from(KINDS),
        st.sampled_from(["harbour", "harbour", "pier", "forest"]),
        st.sampled_from([0, 1, 40]),  # days ago
    ),
    max_size=20,
    unique_by=lambda deed: deed[:4],
)
_town = st.fixed_dictionaries(
    {
        "visibility": st.lists(st.sampled_from(Visibility.values), min_size=3, max_size=3),
        "members": st.sets(st.tuples(st.integers(0, 2), st.integers(0, PEOPLE - 1)), max_size=4),
        "embargoed": st.sets(st.integers(0, sum(SCENES) - 1), max_size=4),
        "promoted": st.sets(st.integers(0, 2), min_size=1),  # Parts of which everybody likes the cranes.
        "deeds": _deeds,
        "most_events": st.sampled_from([8, 20, 1_000]),
        "most_of_one": st.sampled_from([4, 50]),
    }
)
# Everybody likes the same of each part: hidden votes would count, and would crowd out others.
_PARTS = {"visibility": ["all_users", "members", "private"], "members": {(1, 0)}, "embargoed": {3}, "deeds": []}


@contextmanager
def _undone() -> Iterator[None]:
    """What happens inside did not."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def moment() -> SimpleNamespace:
    """A clock that stands still, so that two rankings differ by what was done only."""
    now = timezone.now()
    return SimpleNamespace(now=lambda: now)


@pytest.fixture
def town(monkeypatch, moment) -> Town:
    monkeypatch.setattr(portal, "SEARCH_REUSE_MINUTES", 0)
    monkeypatch.setattr(lessons, "timezone", moment)
    return Town(people=PEOPLE)


def _happen(town: Town, drawn: dict[str, Any]) -> None:
    for collection, visibility in zip(town.collections, drawn["visibility"], strict=True):
        Collection.objects.filter(pk=collection.pk).update(visibility=visibility)
    for part, person in drawn["members"]:
        CollectionMember.objects.create(collection=town.collections[part], user=town.people[person])
    hidden = [town.scenes[place].pk for place in drawn["embargoed"]]
    Scene.objects.filter(pk__in=hidden).update(embargo_until=days_ago(-1))
    for part in drawn["promoted"]:
        town.all_do(town.people[:3], town.cranes(part)[:4])
    for who, place, kind, text, days in drawn["deeds"]:
        person, scene = town.people[who], town.scenes[place]
        if not Event.objects.filter(impression=town.impression(person, scene, text), kind=kind).exists():
            town.do(person, scene, kind, text=text, at=days_ago(days))


def _answer(ranking: Ranking) -> tuple[Any, ...]:
    return (ranking.scene_ids, ranking.tile_ids, ranking.scores, ranking.similarities, ranking.reasons,
            ranking.searched, ranking.estimated)  # fmt: skip


def _erase_hidden(reader: User) -> int:
    seen = Scene.objects.visible_to(reader).findable()
    erased, _each = Event.objects.exclude(impression__scene__in=seen.values("pk")).delete()
    return erased


@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # Shrinking takes minutes.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(_town)
@example({**_PARTS, "promoted": {1, 2}, "most_events": 8, "most_of_one": 4})
@example({**_PARTS, "promoted": {0, 1, 2}, "most_events": 20, "most_of_one": 4})
@example({**_PARTS, "promoted": {0, 1, 2}, "most_events": 1_000, "most_of_one": 50})
def test_a_ranking_is_that_of_a_world_without_what_was_done_with_hidden_scenes(town, drawn):
    outsider = factories.make_user()
    with _undone(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(everybody, "MOST_EVENTS", drawn["most_events"])
        patch.setattr(everybody, "MOST_OF_ONE", drawn["most_of_one"])
        _happen(town, drawn)
        for reader in (outsider, town.people[0]):
            with _undone():
                found = _answer(ask(reader))
            with _undone():
                _erase_hidden(reader)
                assert _answer(ask(reader)) == found
    outsider.delete()


def test_the_property_can_fail(town, monkeypatch):
    """Votes on scenes that are seen move what is compared, and without the permission those on others would."""
    outsider, member = factories.make_user(), town.people[0]
    with _undone():
        plain = _answer(ask(outsider))
    with _undone():
        _happen(town, {**_PARTS, "embargoed": set(), "promoted": {0, 1, 2}})
        found = _answer(ask(outsider))
        assert found != plain
        assert _erase_hidden(outsider) > 0
        assert _answer(ask(outsider)) == found
    _happen(town, {**_PARTS, "embargoed": set(), "promoted": {1, 2}})
    with _undone():
        assert _answer(ask(outsider)) == plain
    with _undone():
        seen_more = _answer(ask(member))
        _erase_hidden(outsider)
        assert _answer(ask(member)) != seen_more
    monkeypatch.setattr(
        everybody,
        "_VOTES",
        everybody._VOTES.replace(
            "WHERE EXISTS (SELECT 1 FROM ({visible})", "WHERE TRUE OR EXISTS (SELECT 1 FROM ({visible})"
        ),
    )
    with _undone():
        assert _answer(ask(outsider)) != plain


def test_over_the_api_and_on_the_page(town):
    """Down to the last character, but for what every search has anew."""
    outsider = factories.make_user()
    client = SchemaClient(outsider)

    def told() -> str:
        with _undone():
            body = client.get("/api/v1/search/?text=harbour").json()
            ranking = Ranking.objects.get(query__user=outsider)
            assert body["ranking"] == str(ranking.pk)
            for name in ("ranking", "took_ms", "created_at", "computed_at", "query_id"):
                body.pop(name, None)
            for hit in body["results"]:
                assert hit.pop("token")
            return str(body)

    plain = told()
    for part in (1, 2):
        town.all_do(town.people[:3], town.cranes(part)[:4])
    assert told() == plain
    town.all_do(town.people, town.cranes(0))
    assert told() != plain


def test_how_many_statements_a_search_needs_does_not_tell(town):
    outsider = factories.make_user()
    town.all_do(town.people, town.cranes(0))

    def statements() -> int:
        with CaptureQueriesContext(connection) as asked, _undone():
            ask(outsider)
        return len(asked)

    statements()
    plain = statements()
    town.all_do(town.people, town.cranes(1))
    assert statements() == plain
