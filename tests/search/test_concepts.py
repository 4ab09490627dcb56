"""Concepts: made, changed, shared and deleted by their owner; limits and refusals."""

import json
from uuid import uuid4

import pytest

from imagery.models.collection import Visibility
from rsportal.errors import InvalidInput, NotAllowed
from search.concepts.expand import MAX_CONCEPT_EXAMPLES, concept_expand
from search.concepts.from_ranking import draft_of_ranking
from search.examples_given import ExampleGiven
from search.history import history_export
from search.models import Concept, ConceptExample, Event, Impression, QueryImage
from search.services import concepts as services
from search.services import history_erase
from search.services.concepts import (
    concept_change,
    concept_create,
    concept_delete,
    concept_examples_add,
    concept_from_ranking,
    concept_share,
    concept_unshare,
    concepts_erase,
)
from tests.factories import active_encoder, add_tile, axis, make_collection, make_ranking, make_scene, make_user

pytestmark = pytest.mark.django_db


def like(scene, weight=1.0, window=None):
    return ExampleGiven("box" if window else "scene", scene.pk, window, weight)


def make_picture(user, *, kind="picture", name="mine.png"):
    return QueryImage.objects.create(
        user=user, kind=kind, name=name, picture=b"RIFF", width=8, height=8, sha256=uuid4().hex * 2
    )


@pytest.fixture
def ana():
    return make_user("ana")


@pytest.fixture
def bay(ana):
    return make_collection("bay", owner=ana, visibility=Visibility.MEMBERS)


def expanded(concept, user):
    return concept_expand(concept_id=concept.pk, user=user)


def test_a_concept_keeps_words_examples_and_their_order(ana, bay):
    one, two, mine = make_scene(bay), make_scene(bay), make_picture(ana)
    examples = [like(two, -1.0), like(one, 2.0, (0, 0, 32, 32)), ExampleGiven("image", mine.pk)]
    concept = concept_create(user=ana, name="  Harbour \n piers ", text="a pier", examples=examples)
    found = expanded(concept, ana)
    assert (found.name, found.text, list(found.examples)) == ("Harbour piers", "a pier", examples)


def test_the_same_thing_twice_is_one_example_with_the_last_weight(ana, bay):
    scene = make_scene(bay)
    concept = concept_create(user=ana, name="pier", examples=[like(scene), like(scene, 3.0)])
    assert expanded(concept, ana).examples == (like(scene, 3.0),)


@pytest.mark.parametrize(
    ("field", "values", "sentence"),
    [
        ("name", {"name": "  "}, "Give the concept a name"),
        ("name", {"name": "taken"}, "already"),
        ("name", {"name": "n" * 81}, "80"),
        ("text", {"text": ""}, "words, or at least one example"),
        ("text", {"text": "x" * 1_001}, "1001 characters; 1000"),
        ("description", {"description": "x" * 1_001}, "1001 characters; 1000"),
    ],
)
def test_bad_words_are_refused_by_field(ana, field, values, sentence):
    concept_create(user=ana, name="taken", text="pier")
    with pytest.raises(InvalidInput) as refusal:
        concept_create(user=ana, **{"name": "new", "text": "pier", **values})
    assert refusal.value.field == field and sentence in refusal.value.message
    assert Concept.objects.count() == 1


def test_two_people_may_use_the_same_name(ana):
    concept_create(user=ana, name="pier", text="pier")
    concept_create(user=make_user(), name="pier", text="pier")


def test_examples_that_the_person_may_not_use_are_refused_alike(ana, bay):
    hidden, gone = make_scene(make_collection("theirs")), uuid4()
    theirs = make_picture(make_user())
    messages = set()
    for id in (hidden.pk, gone):
        with pytest.raises(InvalidInput) as refusal:
            concept_create(user=ana, name="x", examples=[ExampleGiven("scene", id)])
        messages.add(refusal.value.message.replace(str(id), ""))
    assert len(messages) == 1
    for example in (ExampleGiven("image", theirs.pk), ExampleGiven("concept", uuid4())):
        with pytest.raises(InvalidInput):
            concept_create(user=ana, name="x", examples=[example])
    pending = make_scene(bay, status="pending")
    with pytest.raises(InvalidInput):
        concept_create(user=ana, name="x", examples=[like(pending)])
    assert not Concept.objects.exists()


def test_a_box_must_lie_in_its_scene(ana, bay):
    scene = make_scene(bay, title="Pier")
    with pytest.raises(InvalidInput, match="“Pier”, which has 64 × 64 pixels"):
        concept_create(user=ana, name="x", examples=[like(scene, window=(40, 0, 32, 32))])


def test_limits_name_their_number(ana, bay, monkeypatch):
    monkeypatch.setattr(services, "MAX_CONCEPTS", 1)
    scene = make_scene(bay)
    boxes = [like(scene, window=(x, y, 8, 8)) for x in range(8) for y in range(8)]
    with pytest.raises(InvalidInput, match="64 examples; 50"):
        concept_create(user=ana, name="x", examples=boxes)
    concept = concept_create(user=ana, name="x", examples=boxes[:MAX_CONCEPT_EXAMPLES])
    with pytest.raises(InvalidInput, match="“x” would have 51 examples; 50"):
        concept_examples_add(concept=concept, user=ana, examples=[boxes[-1]])
    assert concept_examples_add(concept=concept, user=ana, examples=[boxes[0]]) == 0
    with pytest.raises(InvalidInput, match="1 concepts, which is the most"):
        concept_create(user=ana, name="y", text="y")


def test_changing_words_weights_and_examples(ana, bay):
    one, two, three = (make_scene(bay) for _ in range(3))
    concept = concept_create(user=ana, name="pier", examples=[like(one), like(two)])
    rows = list(ConceptExample.objects.order_by("pk"))
    weights = {rows[0].pk: -2.0, rows[1].pk: 0.0}
    concept_change(concept=concept, user=ana, name="jetty", text="a jetty", description="d", weights=weights)
    found = expanded(concept, ana)
    assert (found.name, found.text, found.examples) == ("jetty", "a jetty", (like(one, -2.0),))
    with pytest.raises(InvalidInput, match=r"0\.1 to 5"):
        concept_change(concept=concept, user=ana, weights={rows[0].pk: 9.0})
    concept_change(concept=concept, user=ana, examples=[like(three)])
    assert expanded(concept, ana).examples == (like(three),)


def test_weights_of_another_concept_are_not_touched(ana, bay):
    mine = concept_create(user=ana, name="mine", examples=[like(make_scene(bay))])
    other = concept_create(user=ana, name="other", examples=[like(make_scene(bay))])
    foreign = ConceptExample.objects.get(concept=other)
    concept_change(concept=mine, user=ana, weights={foreign.pk: 0.0})
    assert ConceptExample.objects.get(concept=other).weight == 1.0


def test_only_the_owner_changes_shares_and_deletes(ana, bay):
    bob = make_user("bob")
    bay.members.add(bob, through_defaults={"role": "viewer"})
    concept = concept_create(user=ana, name="pier", text="pier", collection=bay)
    for act in (
        lambda: concept_change(concept=concept, user=bob, name="mine now"),
        lambda: concept_examples_add(concept=concept, user=bob, examples=[]),
        lambda: concept_share(concept=concept, user=bob, collection=bay),
        lambda: concept_unshare(concept=concept, user=bob),
        lambda: concept_delete(concept=concept, user=bob),
    ):
        with pytest.raises(NotAllowed, match="Only ana"):
            act()
    concept.refresh_from_db()
    assert (concept.name, concept.collection) == ("pier", bay)


def test_sharing_refuses_scenes_outside_by_name_or_takes_them_out(ana, bay):
    inside, outside = make_scene(bay), make_scene(make_collection("elsewhere", owner=ana), title="Far pier")
    concept = concept_create(user=ana, name="pier", examples=[like(inside), like(outside)])
    with pytest.raises(InvalidInput, match="This example does not lie in “Bay”: “Far pier”") as refusal:
        concept_share(concept=concept, user=ana, collection=bay)
    assert refusal.value.code == "examples_outside"
    concept.refresh_from_db()
    assert concept.collection is None
    concept_share(concept=concept, user=ana, collection=bay, leave_out=True)
    assert expanded(concept, ana).examples == (like(inside),)
    with pytest.raises(InvalidInput, match="Far pier"):
        concept_examples_add(concept=concept, user=ana, examples=[like(outside)])
    with pytest.raises(InvalidInput, match="Far pier"):
        concept_change(concept=concept, user=ana, examples=[like(outside)])


def test_nobody_shares_in_a_collection_they_may_not_see(ana):
    concept = concept_create(user=ana, name="pier", text="pier")
    with pytest.raises(InvalidInput) as refusal:
        concept_share(concept=concept, user=ana, collection=make_collection("theirs"))
    assert refusal.value.field == "collection"


def test_who_sees_the_collection_searches_with_the_concept_and_its_pictures(ana, bay):
    bob = make_user("bob")
    mine = make_picture(ana, kind="sketch")
    concept = concept_create(user=ana, name="pier", text="pier", examples=[ExampleGiven("sketch", mine.pk)])
    with pytest.raises(InvalidInput):
        expanded(concept, bob)
    concept_share(concept=concept, user=ana, collection=bay)
    with pytest.raises(InvalidInput):
        expanded(concept, bob)
    bay.members.add(bob, through_defaults={"role": "viewer"})
    assert expanded(concept, bob).examples == (ExampleGiven("sketch", mine.pk),)
    concept_unshare(concept=concept, user=ana)
    with pytest.raises(InvalidInput):
        expanded(concept, bob)


def test_who_leaves_a_collection_shares_nothing_in_it(ana):
    theirs = make_collection("theirs", visibility=Visibility.MEMBERS, viewers=[ana, bob := make_user("bob")])
    concept = concept_create(user=ana, name="pier", text="pier", collection=theirs)
    assert expanded(concept, bob).text == "pier"
    theirs.members.remove(ana)
    with pytest.raises(InvalidInput):
        expanded(concept, bob)
    assert expanded(concept, ana).text == "pier"


def test_a_search_is_saved_with_its_examples_and_judged_hits(ana, bay):
    liked, disliked, given, plain = (make_scene(bay, title=name) for name in "abcd")
    tile = add_tile(liked, active_encoder(), axis(1), window=(0, 0, 32, 32), level=1)
    ranking = make_ranking(ana, [liked, disliked, given, plain], text="a pier")
    ranking.query.examples = [like(given, 2.0).as_json()]
    ranking.query.save()
    for rank, (scene, kind) in enumerate(((liked, "like"), (disliked, "dislike"), (plain, "click")), start=1):
        shown = Impression.objects.create(
            ranking=ranking, scene=scene, rank=rank, tile=tile if scene == liked else scene.tiles.get(level=0)
        )
        Event.objects.create(impression=shown, kind=kind, user=ana)
    saved = concept_from_ranking(user=ana, ranking=ranking, name="pier")
    found = expanded(saved.concept, ana)
    assert found.text == "a pier"
    assert found.examples == (like(given, 2.0), like(liked, window=(0, 0, 32, 32)), like(disliked, -1.0))
    assert (saved.added, saved.left_out) == (3, 0)


def test_a_concept_in_the_search_is_taken_apart(ana, bay):
    one, two = make_scene(bay), make_scene(bay)
    inner = concept_create(user=ana, name="inner", text="jetty", examples=[like(one), like(two, -4.0)])
    ranking = make_ranking(ana, [one], text="a pier")
    ranking.query.examples = [ExampleGiven("concept", inner.pk, None, 2.0).as_json()]
    ranking.query.save()
    draft = draft_of_ranking(user=ana, ranking=ranking)
    assert draft.text == "a pier, jetty"
    assert draft.examples == (like(one, 2.0), like(two, -5.0))
    saved = concept_from_ranking(user=ana, ranking=ranking, name="", into=inner)
    assert saved.concept == inner and saved.added == 0
    assert expanded(inner, ana).examples == (like(one, 2.0), like(two, -5.0))


def test_pictures_of_somebody_elses_concept_are_left_out_and_counted(ana, bay):
    bob = make_user("bob")
    bay.members.add(bob, through_defaults={"role": "viewer"})
    scene = make_scene(bay)
    theirs = concept_create(
        user=ana, name="pier", examples=[ExampleGiven("image", make_picture(ana).pk), like(scene)], collection=bay
    )
    ranking = make_ranking(bob, [scene], text="")
    ranking.query.examples = [ExampleGiven("concept", theirs.pk).as_json()]
    ranking.query.save()
    saved = concept_from_ranking(user=bob, ranking=ranking, name="mine")
    assert (saved.added, saved.left_out) == (1, 1)
    assert expanded(saved.concept, bob).examples == (like(scene),)


def test_erasing_takes_only_the_persons_own(ana, bay):
    concept_create(user=ana, name="pier", text="pier", collection=bay)
    kept = concept_create(user=make_user(), name="pier", text="pier")
    assert concepts_erase(user=ana) == 1
    assert list(Concept.objects.all()) == [kept]


def test_what_a_concept_holds_outlives_the_history_and_is_exported_with_it(ana, bay):
    kept, loose = make_picture(ana), make_picture(ana)
    concept = concept_create(user=ana, name="pier", text="pier", examples=[ExampleGiven("image", kept.pk)])
    concept_share(concept=concept, user=ana, collection=bay)
    make_ranking(ana, [make_scene(bay)], text="pier")
    exported = json.loads("".join(history_export(ana)))["concepts"]
    assert [(each["name"], each["text"], each["collection"]) for each in exported] == [("pier", "pier", "bay")]
    assert exported[0]["examples"] == [ExampleGiven("image", kept.pk).as_json()]
    history_erase(user=ana)
    assert expanded(concept, ana).examples == (ExampleGiven("image", kept.pk),)
    assert not QueryImage.objects.filter(pk=loose.pk).exists()
    history_erase(user=ana, concepts=True)
    assert not Concept.objects.exists()
    history_erase(user=ana)
    assert not QueryImage.objects.exists()
