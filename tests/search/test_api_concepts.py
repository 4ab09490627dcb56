"""Concepts over the API; every answer is checked against the published schema."""

import pytest
from django.core.cache import cache

from imagery.models.collection import Visibility
from search.models import Concept, Event, Impression
from search.services.concepts import concept_create
from tests.api import SchemaClient, check_problem
from tests.factories import make_collection, make_ranking, make_scene, make_user

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/concepts/"


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


@pytest.fixture
def ana():
    return make_user("ana")


@pytest.fixture
def bay(ana):
    return make_collection("bay", owner=ana, visibility=Visibility.MEMBERS)


def given(scene, **more):
    return {"kind": "scene", "id": str(scene.pk), **more}


def test_make_read_change_share_and_delete(ana, bay):
    client = SchemaClient(ana)
    one, two = make_scene(bay), make_scene(bay)
    box = {"kind": "box", "id": str(two.pk), "window": [0, 0, 32, 32], "weight": -2.5}
    body = {"name": "Piers", "text": "a pier", "description": "Long ones", "examples": [given(one), box]}
    response = client.post(ADDRESS, body, format="json")
    made = response.json()
    assert response.status_code == 201 and response["Location"] == made["links"]["self"]
    assert made["examples"] == [{**given(one), "window": None, "weight": 1.0}, box]
    assert (made["own"], made["owner"], made["collection"]) == (True, "ana", None)
    address = f"{ADDRESS}{made['id']}/"
    assert client.get(address).json() == made
    changed = client.patch(address, {"name": "Jetties", "examples": [box], "collection": "bay"}, format="json").json()
    assert (changed["name"], changed["text"], changed["collection"]) == ("Jetties", "a pier", "bay")
    assert changed["examples"] == [box]
    assert client.patch(address, {"collection": None}, format="json").json()["collection"] is None
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.get(ADDRESS).json() == {"next": None, "results": []}


def test_a_search_becomes_a_concept(ana, bay):
    scene = make_scene(bay)
    ranking = make_ranking(ana, [scene], text="a pier")
    shown = Impression.objects.create(ranking=ranking, scene=scene, tile_id=ranking.tile_ids[0], rank=1)
    Event.objects.create(impression=shown, kind="like", user=ana)
    client = SchemaClient(ana)
    body = client.post(ADDRESS, {"name": "Piers", "ranking": str(ranking.pk)}, format="json").json()
    assert body["text"] == "a pier" and body["examples"] == [{**given(scene), "window": None, "weight": 1.0}]
    both = {"name": "x", "ranking": str(ranking.pk), "text": "y"}
    check_problem(client.post(ADDRESS, both, format="json"), 400, field="text")
    stranger = SchemaClient(make_user()).post(ADDRESS, {"name": "x", "ranking": str(ranking.pk)}, format="json")
    check_problem(stranger, 404)


def test_refusals_name_the_field_and_change_nothing(ana, bay):
    client = SchemaClient(ana)
    outside = make_scene(make_collection("elsewhere", owner=ana), title="Far pier")
    concept = concept_create(user=ana, name="Piers", text="pier", examples=[])
    address = f"{ADDRESS}{concept.pk}/"
    check_problem(client.post(ADDRESS, {"name": "Piers", "text": "x"}, format="json"), 400, field="name")
    check_problem(client.post(ADDRESS, {"name": "New"}, format="json"), 400, field="text")
    check_problem(client.post(ADDRESS, {"text": "x"}, format="json"), 400, field="name")
    check_problem(client.patch(address, {"collection": "nowhere"}, format="json"), 400, field="collection")
    wrong = {"name": "Other", "examples": [given(outside)], "collection": "bay"}
    told = check_problem(client.patch(address, wrong, format="json"), 400, field="examples")
    assert "“Far pier”" in told["detail"]
    concept.refresh_from_db()
    assert (concept.name, concept.collection, concept.examples.count()) == ("Piers", None, 0)
    assert client.patch(address, {**wrong, "leave_out": True}, format="json").json()["examples"] == []


def test_examples_and_the_collection_are_exchanged_together(ana, bay):
    cape = make_collection("cape", owner=ana)
    here, there = make_scene(bay), make_scene(cape)
    client = SchemaClient(ana)
    made = client.post(ADDRESS, {"name": "x", "examples": [given(here)], "collection": "bay"}, format="json").json()
    body = {"examples": [given(there)], "collection": "cape"}
    changed = client.patch(f"{ADDRESS}{made['id']}/", body, format="json").json()
    assert (changed["collection"], [each["id"] for each in changed["examples"]]) == ("cape", [str(there.pk)])


def test_a_reader_sees_and_does_not_change(ana, bay):
    bob = make_user("bob")
    bay.members.add(bob, through_defaults={"role": "viewer"})
    concept_create(user=ana, name="Private", text="pier")
    shared = concept_create(user=ana, name="Shared", text="pier", examples=[], collection=bay)
    client = SchemaClient(bob)
    (row,) = client.get(ADDRESS).json()["results"]
    assert (row["id"], row["own"], row["owner"], row["collection"]) == (str(shared.pk), False, "ana", "bay")
    address = f"{ADDRESS}{shared.pk}/"
    check_problem(client.patch(address, {"name": "Mine"}, format="json"), 403)
    check_problem(client.delete(address), 403)
    hidden = SchemaClient(make_user())
    for method in (hidden.get, hidden.delete):
        check_problem(method(address), 404)
    assert Concept.objects.count() == 2


def test_pages_follow_each_other(ana):
    for name in ("b", "a", "c"):
        concept_create(user=ana, name=name, text="pier")
    client = SchemaClient(ana)
    first = client.get(ADDRESS, {"limit": 2}).json()
    second = client.get(first["next"]).json()
    assert [row["name"] for row in first["results"] + second["results"]] == ["a", "b", "c"]
