"""Searching by examples: scenes, boxes on them, pictures, concepts; alone, with words, and against some."""

import uuid
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagery.models import Scene
from imagery.models.collection import Visibility
from rsportal.errors import InvalidInput
from search import sample
from search.example_vectors import picture_recipe
from search.models import Concept, ConceptExample, ExampleVector, Query, Ranking
from search.query import search_request_parse
from search.ranking import Band
from search.selectors import ranking_get
from search.services import ranking_page, search_run
from tests import factories

pytestmark = pytest.mark.django_db

WINDOW = (16, 8, 32, 32)


@pytest.fixture
def owner():
    return factories.make_user()


@pytest.fixture
def coast(owner):
    factories.make_encoder(calibration={"scale": 10.0, "offset": -4.0})
    return factories.make_collection("coast", owner=owner)


def near(first: int, second: int | None = None, share: float = 0.3) -> np.ndarray:
    """A vector near one axis, leaning to another."""
    vector = factories.axis(first).copy()
    if second is not None:
        vector += share * factories.axis(second)
    return factories.unit(vector)


def ask(user, text: str = "", **asked) -> Ranking:
    return search_run(user=user, request=search_request_parse(user=user, text=text, **asked))


def test_a_scene_alone_finds_what_looks_like_it(owner, coast):
    pier, other = factories.make_scene(coast, vector=near(0)), factories.make_scene(coast, vector=near(1))
    alike = factories.make_scene(coast, vector=near(0, 2))
    ranking = ask(owner, examples=[f"scene:{pier.pk}"])
    assert ranking.scene_ids == [pier.pk, alike.pk, other.pk]
    assert ranking.similarities[:2] == pytest.approx([1.0, near(0) @ near(0, 2)], abs=2e-3)
    query = ranking_get(owner, ranking.pk).query
    assert (query.text, query.vector, query.examples) == (
        "", None, [{"kind": "scene", "id": str(pier.pk), "window": None, "weight": 1.0}],
    )  # fmt: skip
    page = ranking_page(user=owner, ranking=ranking)
    assert {hit.band for hit in page.hits} == {Band.POSSIBLE}, "the calibration speaks of words"
    assert page.weaker_from is None


def test_words_and_a_scene_find_what_is_both(owner, coast):
    factories.know_query("harbour", vector=factories.axis(0))
    words = factories.make_scene(coast, vector=near(0, 4))
    liked = factories.make_scene(coast, vector=near(1, 5))
    both = factories.make_scene(coast, vector=near(0, 1, share=1.0))
    for number in range(4):
        factories.make_scene(coast, vector=near(2 + number))
    assert ask(owner, "harbour").scene_ids[0] == words.pk
    ranking = ask(owner, "harbour", examples=[f"scene:{liked.pk}"])
    assert ranking.scene_ids[0] == both.pk
    assert {hit.band for hit in ranking_page(user=owner, ranking=ranking).hits} == {Band.POSSIBLE}
    told = ranking.reasons[0]["examples"]
    assert told["text"] > 0
    assert told["of"][0] > 0


def test_what_it_should_not_be_like_goes_down(owner, coast):
    factories.know_query("harbour", vector=factories.axis(0))
    foggy = factories.make_scene(coast, vector=near(0, 1, share=0.6))
    clear = factories.make_scene(coast, vector=near(0, 2, share=0.65))
    fog = factories.make_scene(coast, vector=near(1))
    for number in range(5):
        factories.make_scene(coast, vector=near(3 + number))
    assert ask(owner, "harbour").scene_ids[:2] == [foggy.pk, clear.pk]
    ranking = ask(owner, "harbour", examples=[f"scene:{fog.pk}*-1"])
    assert ranking.scene_ids[0] == clear.pk
    assert ranking.reasons[1]["examples"]["of"][0] < 0


def test_a_box_that_is_nearly_a_tile_needs_no_model(owner, coast):
    scene = factories.make_scene(coast, vector=near(0), windows={WINDOW: near(3), (0, 0, 32, 32): near(4)})
    alike = factories.make_scene(coast, vector=near(3, 5, share=0.6))
    x, y, width, height = WINDOW
    ranking = ask(owner, examples=[f"box:{scene.pk}:{x + 1},{y},{width - 1},{height}"])
    assert ranking.scene_ids == [scene.pk, alike.pk]
    assert ranking.tile_ids[0] == scene.tiles.get(x=x, y=y, level=1).pk
    assert not ExampleVector.objects.exists()


def test_several_examples_count_by_their_weights(owner, coast):
    one, two = factories.make_scene(coast, vector=near(0)), factories.make_scene(coast, vector=near(1))
    like_one, like_two = (
        factories.make_scene(coast, vector=near(0, 2)),
        factories.make_scene(coast, vector=near(1, 3)),
    )
    for number in range(4):
        factories.make_scene(coast, vector=near(4 + number))
    more_one = ask(owner, examples=[f"scene:{one.pk}*3", f"scene:{two.pk}"]).scene_ids
    more_two = ask(owner, examples=[f"scene:{one.pk}", f"scene:{two.pk}*3"]).scene_ids
    assert more_one.index(like_one.pk) < more_one.index(like_two.pk)
    assert more_two.index(like_two.pk) < more_two.index(like_one.pk)


def test_a_concept_is_its_words_and_the_examples_one_may_see(owner, coast):
    factories.know_query("harbour", vector=factories.axis(0))
    liked = factories.make_scene(coast, vector=near(1))
    both = factories.make_scene(coast, vector=near(0, 1, share=1.0))
    factories.make_scene(coast, vector=near(2))
    concept = Concept.objects.create(owner=owner, name="quays", text="harbour")
    ConceptExample.objects.create(concept=concept, scene=liked)
    ranking = ask(owner, examples=[f"concept:{concept.pk}"])
    assert ranking.scene_ids[0] == both.pk
    again = ask(owner, examples=[f"concept:{concept.pk}"])
    assert again.pk == ranking.pk
    ConceptExample.objects.all().delete()
    changed = ask(owner, examples=[f"concept:{concept.pk}"])
    assert changed.pk != ranking.pk, "a changed concept is another question"


@pytest.mark.parametrize("kind", ["scene", "box", "image", "sketch", "concept"])
def test_what_one_may_not_see_is_answered_like_what_is_not_there(owner, coast, kind):
    stranger = factories.make_user()
    factories.make_scene(factories.make_collection(owner=stranger, visibility=Visibility.ALL_USERS))
    hidden = {
        "scene": factories.make_scene(coast).pk,
        "box": factories.make_scene(coast).pk,
        "concept": Concept.objects.create(owner=owner, name="quays", text="x").pk,
    }.get(kind) or factories.make_query_image(owner, kind=kind).pk
    said = []
    for id in (hidden, uuid.uuid4()):
        place = ":0,0,8,8" if kind == "box" else ""
        with pytest.raises(InvalidInput) as caught:
            search_request_parse(user=stranger, text="x", examples=[f"{kind}:{id}{place}"])
        said.append((caught.value.message.replace(str(id), "ID"), caught.value.code, caught.value.field))
    assert said[0] == said[1]
    assert said[0][2] == "examples"
    search_request_parse(user=owner, text="x", examples=[f"{kind}:{hidden}{':0,0,8,8' if kind == 'box' else ''}"])


def test_an_example_hidden_later_is_not_served_from_what_was_kept(owner, coast):
    reader = factories.make_user()
    shown = factories.make_collection(owner=owner, visibility=Visibility.ALL_USERS)
    public = factories.make_collection("public", owner=owner, visibility=Visibility.ALL_USERS)
    example = factories.make_scene(shown, vector=near(0))
    factories.make_scene(public, vector=near(0, 1))
    asked: dict[str, Any] = {"examples": [f"scene:{example.pk}"], "collections": ["public"]}
    assert ask(reader, **asked).scene_ids
    shown.visibility = Visibility.PRIVATE
    shown.save()
    with pytest.raises(InvalidInput, match="There is no scene for example 1"):
        ask(reader, **asked)
    assert Query.objects.filter(user=reader).count() == 1


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "text"),
        ({"examples": ["scene:{scene}*-1"]}, "examples"),
        ({"examples": ["box:{scene}:60,0,8,8"]}, "examples"),
        ({"examples": ["scene:{scene}"], "clauses": [("harbour", "1")]}, "text"),
    ],
)
def test_what_asks_for_nothing_is_refused(owner, coast, asked, field):
    scene = factories.make_scene(coast)
    if "examples" in asked:
        asked = {**asked, "examples": [each.format(scene=scene.pk) for each in asked["examples"]]}
    with pytest.raises(InvalidInput) as caught:
        search_request_parse(user=owner, text="  ", **asked)
    assert caught.value.field == field


@pytest.mark.parametrize("seed", range(2))
def test_hidden_scenes_change_nothing_that_a_reader_gets(owner, coast, seed):
    """Against an oracle: the same search in a world in which what is hidden does not exist."""
    reader = factories.make_user()
    public = factories.make_collection("public", owner=owner, visibility=Visibility.ALL_USERS)
    generator = np.random.default_rng(seed)

    def scattered(collection, count):
        return [factories.make_scene(collection, vector=generator.normal(size=8) + 1) for _ in range(count)]

    shown, hidden = scattered(public, 55), scattered(coast, 15)
    concept = Concept.objects.create(owner=owner, name="quays", text="harbour", collection=public)
    for scene in (shown[0], hidden[0], hidden[1]):
        ConceptExample.objects.create(concept=concept, scene=scene, weight=float(generator.uniform(0.5, 3)))
    ConceptExample.objects.create(concept=concept, scene=hidden[2], weight=-1)
    factories.know_query("harbour", vector=generator.normal(size=8))
    factories.know_query("pier", vector=generator.normal(size=8))
    asked: dict[str, Any] = {"examples": [f"concept:{concept.pk}", f"scene:{shown[1].pk}*2", f"scene:{shown[2].pk}*-1"]}

    def answered():
        Ranking.objects.update(cache_key="")
        sample.forget()
        found = ask(reader, "pier", **asked)
        return [found.scene_ids, found.scores, found.similarities, found.reasons, found.searched]

    before = answered()
    assert set(before[0]) == {scene.pk for scene in shown}
    Scene.objects.filter(pk__in=[scene.pk for scene in hidden]).delete()
    assert answered() == before


def test_statements_do_not_grow_with_the_examples(owner, coast):
    scenes = [factories.make_scene(coast, vector=near(number % 4)) for number in range(12)]
    images = [factories.make_query_image(owner, number=number) for number in range(1, 7)]
    encoder = factories.active_encoder()
    for image in images:
        ExampleVector.objects.create(
            encoder=encoder, recipe=picture_recipe(encoder), image=image, vector=near(1).tolist()
        )

    def asked(count):
        written = [f"scene:{scene.pk}" for scene in scenes[:count]] + [f"image:{image.pk}" for image in images[:count]]
        with CaptureQueriesContext(connection) as statements:
            ask(owner, examples=written)
        return len(statements)

    asked(1)
    assert asked(6) <= asked(2)
