"""What a concept tells its readers: for each, the world in which what is hidden from them does not exist."""

import random
import re
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache

from imagery.models import Collection, Scene
from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.concepts.expand import concept_expand
from search.concepts.from_ranking import draft_of_ranking
from search.concepts.shown import last_runs, scenes_added
from search.example_vectors import picture_recipe
from search.examples_given import ExampleGiven
from search.models import Concept, ConceptExample, ExampleVector, Query, QueryImage
from search.services.concepts import concept_create
from tests import factories
from tests.api import SchemaClient
from tests.pages import client_of, page

pytestmark = pytest.mark.django_db
_VARYING = re.compile(r"[A-Za-z0-9]{64}|<time.*?</time>", re.DOTALL)  # Form tokens and moments.


def vector(rng: random.Random) -> list[float]:
    return [rng.gauss(0, 1) for _ in range(factories.DIMENSION)]


def make_archive(rng: random.Random, people: list[User]) -> list[Scene]:
    """Return scenes in collections of every visibility, owned by and shared with any of the people."""
    scenes = []
    for _number in range(6):
        owner = rng.choice(people)
        viewers = [each for each in people if each != owner and rng.random() < 0.4]
        collection = factories.make_collection(owner=owner, viewers=viewers, visibility=rng.choice(Visibility.values))
        scenes += [factories.make_scene(collection, vector=vector(rng)) for _ in range(3)]
    return scenes


def make_picture(user: User, rng: random.Random) -> QueryImage:
    """Return a picture whose vector under the active encoder is known."""
    image = QueryImage.objects.create(
        user=user, name="mine.png", picture=b"RIFF", width=8, height=8, sha256=uuid4().hex * 2
    )
    encoder = factories.active_encoder()
    values = factories.unit(vector(rng)).tolist()
    ExampleVector.objects.create(encoder=encoder, recipe=picture_recipe(encoder), image=image, vector=values)
    return image


def make_shared(rng: random.Random, owner: User, scenes: list[Scene], number: int) -> Concept:
    """Return a concept with examples on any scenes: also on those that became hidden after they were given."""
    collection = rng.choice([*Collection.objects.all(), None])
    concept = Concept.objects.create(
        owner=owner, name=f"concept {number}", text=rng.choice(["", "harbour"]), collection=collection
    )
    for scene in rng.sample(scenes, 5):
        window = rng.choice([None, [0, 0, factories.SCENE_PX, factories.SCENE_PX]])
        weight = rng.choice([1.0, 2.0, -1.0])
        ConceptExample.objects.create(concept=concept, scene=scene, window=window, weight=weight)
    if rng.random() < 0.5:
        ConceptExample.objects.create(concept=concept, image=make_picture(owner, rng))
    return concept


def figures(reader: User, concepts: list[Concept]) -> dict[str, Any]:
    """Return all that this person is told of concepts: pages, API, expansions, and searches with each."""
    cache.clear()
    Query.objects.all().delete()  # Else an answer that was kept is given again.
    browser, program = client_of(reader), SchemaClient(reader)
    listed = program.get("/api/v1/concepts/").json()
    told: dict[str, Any] = {"list": _VARYING.sub("", page(browser, "/concepts/")), "api": listed}
    for concept in concepts:
        response = browser.get(f"/concepts/{concept.pk}/")
        told[f"{concept} page"] = response.status_code, _VARYING.sub("", response.content.decode())
        told[f"{concept} api"] = program.get(f"/api/v1/concepts/{concept.pk}/").json()
        body = {"examples": [{"kind": "concept", "id": str(concept.pk), "weight": 2}], "limit": 50}
        found = program.post("/api/v1/search/", body, format="json").json()
        hits = [(hit["scene"], hit["score"], hit["reasons"]) for hit in found.get("results", ())]
        told[f"{concept} search"] = hits or found["detail"], found.get("searched"), found.get("examples")
        try:
            expanded = concept_expand(concept_id=concept.pk, user=reader)
            told[f"{concept} means"] = expanded.text, expanded.examples, expanded.fingerprint
        except InvalidInput as refusal:
            told[f"{concept} means"] = refusal.message
    if (own := Query.objects.filter(user=reader).last()) is not None:
        told["draft"] = draft_of_ranking(user=reader, ranking=own.rankings.get())
    told["new"] = scenes_added(reader, dict.fromkeys(last_runs(reader), factories.utc(2020)))
    return told


@pytest.mark.parametrize("seed", range(4))
def test_a_concept_is_what_it_would_be_if_nothing_hidden_existed(seed: int) -> None:
    rng = random.Random(seed)
    factories.make_encoder()
    factories.know_query("harbour", vector(rng))
    people = [factories.make_user(name) for name in ("ana", "bob", "cleo")]
    scenes = make_archive(rng, people)
    concepts = [make_shared(rng, rng.choice(people), scenes, number) for number in range(4)]
    reader = rng.choice(people)
    before = figures(reader, concepts)
    hidden = Scene.objects.exclude(pk__in=Scene.objects.visible_to(reader).values("pk"))
    assert hidden.exists()
    hidden.delete()
    assert figures(reader, concepts) == before


def test_the_world_of_the_property_shows_searches_and_hides_examples() -> None:
    """Else the property above would hold of nothing."""
    factories.make_encoder()
    searched = hid = 0
    for seed in range(6):
        rng = random.Random(100 + seed)
        people = [factories.make_user() for _ in range(3)]
        scenes = make_archive(rng, people)
        concept = make_shared(rng, people[0], scenes, seed)
        seen = ConceptExample.objects.visible_to(people[1]).filter(concept=concept).count()
        searched += seen > 0
        hid += 0 < seen < concept.examples.count()
    assert searched > 1 and hid > 1


def test_a_hidden_concept_answers_like_none_everywhere() -> None:
    factories.make_encoder()
    ana, bob = factories.make_user("ana"), factories.make_user("bob")
    concept = concept_create(user=ana, name="Secret piers", text="pier")
    browser, program = client_of(bob), SchemaClient(bob)
    for id in (concept.pk, uuid4()):
        page(browser, f"/concepts/{id}/", status=404)
        page(browser, f"/concepts/{id}/delete/", status=404)
        for part in ("", "sharing/", "delete/"):
            assert browser.post(f"/concepts/{id}/{part}", {"name": "x"}).status_code == 404
        assert program.get(f"/api/v1/concepts/{id}/").status_code == 404
        found = program.post("/api/v1/search/", {"examples": [{"kind": "concept", "id": str(id)}]}, format="json")
        assert found.status_code == 400 and "Secret" not in found.content.decode()
        html = page(browser, f"/?like=concept:{id}", status=400)
        assert "Secret" not in html
    answer = browser.post("/concepts/", {"name": "x", "text": "y", "into": str(concept.pk), "ranking": str(uuid4())})
    assert answer.status_code == 400 and "Secret" not in answer.content.decode()
    assert Concept.objects.count() == 1


def test_pictures_of_a_shared_concept_are_seen_by_its_readers_only() -> None:
    factories.make_encoder()
    ana, bob, cleo = (factories.make_user(name) for name in ("ana", "bob", "cleo"))
    bay = factories.make_collection("bay", owner=ana, visibility=Visibility.MEMBERS, viewers=[bob])
    rng = random.Random(1)
    shared, kept = make_picture(ana, rng), make_picture(ana, rng)
    concept = concept_create(user=ana, name="pier", examples=[ExampleGiven("image", shared.pk)], collection=bay)
    own = concept_create(user=ana, name="own", examples=[ExampleGiven("image", kept.pk)])
    address = f"/concepts/{concept.pk}/pictures/{shared.pk}.webp"
    for person, status in ((ana, 200), (bob, 200), (cleo, 404)):
        response = client_of(person).get(address)
        assert response.status_code == status
    response = client_of(bob).get(address)
    assert response.content == b"RIFF" and response["Cache-Control"] == "private, max-age=3600"
    assert client_of(bob).get(address, headers={"If-None-Match": response["ETag"]}).status_code == 304
    for concept_id, image in ((concept.pk, kept.pk), (own.pk, kept.pk), (own.pk, shared.pk)):
        assert client_of(bob).get(f"/concepts/{concept_id}/pictures/{image}.webp").status_code == 404
