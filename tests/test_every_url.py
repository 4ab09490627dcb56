"""Walks every address of the portal as everybody: nobody meets what is not theirs, nobody gets a server error.

The addresses come from the URL resolver, so a new one fails here until ``CASES`` (``tests/every_url_cases.py``)
says how to ask for it.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from imagery.models import Collection, CollectionMember, Encoder, IngestJob, Scene
from rsportal.accounts.models import ApiToken, User
from search.models import (
    Concept,
    ConceptExample,
    Event,
    JudgedQuery,
    JudgedSet,
    Query,
    RankingRun,
    RelevanceJudgement,
)
from tests.every_url_asks import Ask, Make
from tests.every_url_cases import CASES, OWN_CONCEPT, admin_case
from tests.factories import picture
from tests.world import GHOST, SHARED_TEXT, Holding, World, make_world

pytestmark = pytest.mark.django_db

_NAMELESS = re.compile(r"admin/((?P<app>\w+)/(?P<model>\w+)/<path:object_id>/|\(\?P<url>\.\*\)\$)")
"""Django's own addresses without a name: an older one of each change page (asked with it), and the admin's 404."""


def addresses(patterns: list[Any] | None = None, route: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """Return (name with its namespace, route) of every address of the project."""
    for each in get_resolver().url_patterns if patterns is None else patterns:
        here = route + str(each.pattern)
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            yield from addresses(each.url_patterns, here, inner)
        elif isinstance(each, URLPattern):
            yield (f"{space}{each.name}" if each.name else "", here)


def case_of(name: str) -> Make | None:
    return CASES.get(name) or admin_case(name)


_VARYING = re.compile(r"[A-Za-z0-9]{64}|<time.*?</time>", re.DOTALL)
"""What differs between two answers to the same question: form tokens, and how long ago something was."""

ADDRESSES = sorted({name for name, _route in addresses() if name})


def asks_for(holding: Holding) -> list[Ask]:
    """Return every request that can be made about a holding."""
    return [ask for name in ADDRESSES if (make := case_of(name)) for ask in make(holding)]


def assert_nothing_hidden(ask: Ask, body: str, hidden: list[Holding], who: str) -> None:
    """Fail when the answer holds anything of a hidden holding that the asker did not write."""
    found = [s for h in hidden for s in h.secrets if s in body.lower() and not ask.names(s)]
    assert not found, f"{who} meets {found} in the answer to {ask.method} {ask.path} {ask.data}"


def snapshot() -> list[Any]:
    """Return what people hold, to tell whether a request changed it."""
    return [
        list(Collection.objects.order_by("pk").values("pk", "title", "visibility", "owner")),
        list(CollectionMember.objects.order_by("pk").values("collection", "user", "role")),
        list(Scene.objects.order_by("pk").values("pk", "title", "status")),
        list(IngestJob.objects.order_by("pk").values("pk", "state", "attempts")),
        list(Query.objects.exclude(text=SHARED_TEXT).order_by("pk").values("pk", "text")),
        list(Event.objects.order_by("pk").values("pk", "kind")),
        list(JudgedSet.objects.order_by("pk").values("pk", "name", "sharing")),
        list(JudgedQuery.objects.order_by("pk").values("pk", "text")),
        list(RelevanceJudgement.objects.order_by("pk").values("pk", "grade")),
        list(RankingRun.objects.order_by("pk").values("pk")),
        list(Concept.objects.exclude(name=OWN_CONCEPT).order_by("pk").values("pk", "name", "collection")),
        list(ConceptExample.objects.exclude(concept__name=OWN_CONCEPT).order_by("pk").values("pk", "weight")),
        list(ApiToken.objects.order_by("pk").values("pk")),
        list(Encoder.objects.order_by("pk").values("pk", "state")),
        list(User.objects.order_by("pk").values("pk", "username", "is_staff", "is_superuser")),
    ]


@pytest.fixture
def world(settings) -> World:
    settings.AXES_ENABLED = False
    settings.SIGNUP_OPEN = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # passwords are not what is tested
    return make_world()


def enter(user: User | None) -> Client:
    """Return a client of that person, which reports a server error as a status instead of raising it."""
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def test_every_address_has_a_case() -> None:
    missing = [name for name in ADDRESSES if case_of(name) is None]
    assert not missing, (
        f"{missing} have no case in tests/every_url_cases.py. Add each to CASES with a function that asks for it "
        "about a holding (and posts to it, where it takes a POST), so that the walk proves it shows nobody else's data."
    )
    nameless = [route for name, route in addresses() if not name and not _NAMELESS.fullmatch(route)]
    assert not nameless, f"{nameless}: give each address a name, so that the walk in tests/test_every_url.py finds it."
    gone = set(CASES) - set(ADDRESSES)
    assert not gone, f"{gone} are in CASES of tests/every_url_cases.py but no longer addresses of the portal."


@pytest.mark.parametrize("name", ["alice", "bob", "curator"])
def test_what_is_hidden_answers_like_what_does_not_exist(world: World, name: str) -> None:
    user: User = getattr(world, name)
    hidden = world.hidden_from(user)
    before = snapshot()
    client = enter(user)
    # For the curator Bob's holding is of the same kind as Alice's; asking for both takes long and tells nothing more.
    for target in [each for each in hidden if name != "curator" or each is not world.bobs]:
        for ask, ghost in zip(asks_for(target), asks_for(GHOST), strict=True):
            status, body = ask.send(client)
            if "logout" in ask.path:
                client.force_login(user)
            assert ask.fine(status), f"{status} for {name}: {ask}"
            assert_nothing_hidden(ask, body, hidden, name)
            if ghost == ask:
                continue
            nothing, _body = ghost.send(client)
            assert status == nothing, f"{ask.method} {ask.path} {ask.data}: {status}, but {nothing} for nothing"
    assert snapshot() == before, f"{name} changed what is hidden from them"


@pytest.mark.parametrize("name", ["alice", "bob", "curator", "root"])
def test_own_pages_work_and_show_nothing_of_others(world: World, name: str) -> None:
    user: User = getattr(world, name)
    own = {"alice": world.alices, "bob": world.bobs}.get(name, world.members)
    hidden = [] if user == world.root else world.hidden_from(user)
    client = enter(user)
    met = 0
    for ask in asks_for(own):
        if ask.writes:
            continue
        status, body = ask.send(client)
        assert ask.fine(status), f"{status} for {name}: {ask}"
        assert_nothing_hidden(ask, body, [h for h in hidden if h is not own], name)
        met += own.word in body.lower() and not ask.names(own.word)
    if name in {"alice", "bob", "root"}:
        assert met > 10, "the walk met hardly any of the person's own data, so it proves nothing"


def test_own_writes_answer_without_a_server_error(world: World) -> None:
    client = enter(None)
    for ask in [ask for ask in asks_for(world.alices) if ask.writes]:
        client.force_login(world.alice)
        status, body = ask.send(client)
        assert ask.fine(status), f"{status} for alice: {ask}"
        assert_nothing_hidden(ask, body, [world.bobs], "alice")


def test_who_may_see_a_collection_does_not_change_it(world: World) -> None:
    before = snapshot()
    client = enter(None)
    for ask in [ask for ask in asks_for(world.members) if ask.writes]:
        client.force_login(world.alice)
        status, _body = ask.send(client)
        assert ask.fine(status), f"{status} for alice: {ask}"
        assert snapshot() == before, f"Alice may only look, but changed something with {ask}"


def test_a_visitor_without_account_gets_the_log_in_page_and_nothing_else(world: World) -> None:
    before = snapshot()
    client = enter(None)
    for target in (world.alices, GHOST):
        for ask in asks_for(target):
            client.cookies.clear()
            status, body = ask.send(client)
            assert_nothing_hidden(ask, body, world.hidden_from(None), "a visitor")
            if ask.open:
                assert ask.fine(status), f"{status} for a visitor: {ask}"
            elif ask.path.startswith(("/api/", "/uploads/tus/")) and status != 302:
                assert status == 401, f"{status} for a visitor: {ask}"
            else:
                assert status == 302, f"{status} for a visitor: {ask}"
                assert "Location: /accounts/login/" in body or "Location: /admin/login/" in body, ask
    assert snapshot() == before


@pytest.mark.parametrize("name", ["bob", "curator"])
def test_counts_and_searches_are_the_same_as_if_the_hidden_did_not_exist(world: World, name: str) -> None:
    user: User = getattr(world, name)
    client = enter(user)

    def figures() -> dict[str, Any]:
        answers = {
            address: client.get(reverse(f"api:{address}")).json()
            for address in ("collection-list", "scene-list", "job-list", "concept-list", "me")
        }
        found = client.get(reverse("api:search"), {"text": SHARED_TEXT}).json()
        answers["search"] = [found["searched"], found["total"], [hit["scene"] for hit in found["results"]]]
        for address in ("search:progress", "imagery:collections", "imagery:jobs", "search:concepts"):
            answers[address] = _VARYING.sub("", client.get(reverse(address)).content.decode())
        return answers

    before = figures()
    for hidden in world.hidden_from(user):
        IngestJob.objects.filter(collection=hidden.collection_id).delete()
        for scene in Scene.objects.filter(collection=hidden.collection_id):
            scene.delete()
        Collection.objects.filter(pk=hidden.collection_id).delete()
    assert figures() == before


def test_the_owner_does_see_the_files_the_walk_asks_for(world: World) -> None:
    client = enter(world.alice)
    for key in ("imagery:thumbnail", "imagery:overview"):
        assert client.get(reverse(key, args=[world.alices.scene_id])).status_code == 200
    answer = client.get(reverse("imagery:original", args=[world.alices.scene_id, "data"]))
    assert b"".join(answer)[:8] == picture(1)[:8]  # a PNG
