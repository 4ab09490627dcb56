"""The pages of concepts, as a browser without JavaScript meets them."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from imagery.models import IngestJob, Scene
from imagery.models.collection import Visibility
from search.examples_given import ExampleGiven
from search.models import Concept, ConceptExample, Event, Impression, Query, QueryImage, Ranking
from search.query import search_request_parse
from search.services import search_run
from search.services.concepts import concept_create
from tests.factories import know_query, make_collection, make_encoder, make_ranking, make_scene, make_user
from tests.pages import client_of, count_queries, found, page

pytestmark = pytest.mark.django_db
LIST = "/concepts/"


@pytest.fixture
def ana():
    return make_user("ana")


@pytest.fixture
def bay(ana):
    return make_collection("bay", owner=ana, visibility=Visibility.MEMBERS)


def like(scene, weight=1.0, window=None):
    return ExampleGiven("box" if window else "scene", scene.pk, window, weight)


def address(concept, part=""):
    return f"{LIST}{concept.pk}/{part}"


def run(user, concept):
    """Search with the concept, as its link does."""
    return search_run(user=user, request=search_request_parse(user=user, text="", examples=[f"concept:{concept.pk}"]))


def test_a_newcomer_is_told_what_concepts_are(ana):
    html = page(client_of(ana), LIST)
    assert "No concept yet" in html and f"{LIST}new/" in html
    assert "还没有概念" in client_of(ana).get(LIST, headers={"accept-language": "zh-CN"}).content.decode()


def test_the_list_shows_pictures_counts_and_who_uses_it(ana, bay):
    bob = make_user("bob")
    bay.members.add(bob, through_defaults={"role": "viewer"})
    scene = make_scene(bay)
    concept_create(user=ana, name="Piers", text="a pier", examples=[like(scene), like(make_scene(bay), -1.0)])
    concept_create(user=ana, name="Quays", examples=[like(scene)], collection=bay)
    html = page(client_of(ana), LIST)
    assert "Piers" in html and "2 examples" in html and "Only you" in html and "“a pier”" in html
    assert html.count(f'src="/scenes/{scene.pk}/thumbnail.webp"') == 2 and "frame--against" in html
    theirs = page(client_of(bob), LIST)
    assert "Quays" in theirs and "shared by ana" in theirs and "Piers" not in theirs


def test_statements_do_not_grow_with_concepts_or_examples(ana, bay):
    make_encoder()
    client = client_of(ana)
    one = concept_create(user=ana, name="0", examples=[like(make_scene(bay))], collection=bay)
    run(ana, one)
    few, alone = count_queries(client, LIST), count_queries(client, address(one))
    for number in range(1, 6):
        examples = [like(make_scene(bay)) for _ in range(3)]
        run(ana, concept_create(user=ana, name=str(number), examples=examples, collection=bay))
    assert count_queries(client, LIST) == few
    assert count_queries(client, address(Concept.objects.get(name="5"))) == alone


def test_a_concept_is_made_of_words_and_refused_without_a_name(ana):
    client = client_of(ana)
    assert 'name="text"' in page(client, f"{LIST}new/")
    refused = client.post(LIST, {"name": " ", "text": "a pier", "description": "<Long>"})
    html = refused.content.decode()
    assert refused.status_code == 400 and "Give the concept a name." in html
    assert 'value="a pier"' in html and "&lt;Long&gt;" in html
    made = client.post(LIST, {"name": "Piers", "text": "a pier"}, follow=True)
    assert "“Piers” was saved as a concept." in made.content.decode()
    assert Concept.objects.get().text == "a pier"


def test_a_search_is_saved_from_its_page_with_what_was_liked(ana, bay):
    make_encoder()
    know_query("a pier")
    scene = make_scene(bay, title="Long pier")
    client = client_of(ana)
    html = page(client, "/?q=a+pier")
    token = found(r'name="token" value="([^"]+)"', html)
    client.post("/events/", {"token": token, "kind": "like"})
    html = page(client, "/?q=a+pier")
    ranking = found(r'name="ranking"\s+value="([^"]+)"', html[html.index("save-concept") :])
    made = client.post(LIST, {"name": "Piers", "ranking": ranking}, follow=True)
    assert "Long pier" in made.content.decode()
    assert ConceptExample.objects.get().scene == scene
    again = client.post(LIST, {"name": "Piers", "ranking": ranking})
    assert again.status_code == 400 and "You have a concept “Piers” already" in again.content.decode()
    assert f'value="{ranking}"' in again.content.decode()
    into = str(Concept.objects.get().pk)
    added = client.post(LIST, {"ranking": ranking, "into": into}, follow=True).content.decode()
    assert "0 examples were added to “Piers”." in added


def test_the_search_page_offers_concepts_that_are_not_in_the_search_yet(ana, bay):
    make_encoder()
    concept = concept_create(user=ana, name="Piers", examples=[like(make_scene(bay))])
    concept_create(user=make_user(), name="Secret piers", text="pier")
    client, offer = client_of(ana), f'value="concept:{concept.pk}">Piers</button>'
    assert offer in page(client, "/") and "Secret" not in page(client, "/")
    assert offer not in page(client, f"/?like=concept:{concept.pk}*2")
    know_query("a pier")
    html = page(client, f"/?q=a+pier&like=concept:{concept.pk}")
    assert [row.hit.scene for row in client.get(f"/?q=a+pier&like=concept:{concept.pk}").context["hits"]]
    assert 'value="a pier"' in html


def test_the_form_of_a_search_says_what_will_be_saved(ana, bay):
    scene = make_scene(bay)
    ranking = make_ranking(ana, [scene], text="a pier")
    shown = Impression.objects.create(ranking=ranking, scene=scene, tile_id=ranking.tile_ids[0], rank=1)
    Event.objects.create(impression=shown, kind="dislike", user=ana)
    html = page(client_of(ana), f"{LIST}new/?ranking={ranking.pk}")
    assert "The words “a pier”" in html and "0 liked, 1 disliked results" in html and 'value="a pier"' in html


def test_words_weights_and_removal_in_one_form(ana, bay):
    one, two = make_scene(bay), make_scene(bay)
    concept = concept_create(user=ana, name="Piers", examples=[like(one), like(two, window=(0, 0, 32, 32))])
    first, second = ConceptExample.objects.order_by("pk")
    client = client_of(ana)
    html = page(client, address(concept))
    assert "part of the scene" in html and f'name="weight-{first.pk}"' in html and 'class="match"' in html
    sent = {"name": "Jetties", "text": "jetty", "description": "", f"weight-{first.pk}": "-2", "remove": second.pk}
    assert "The changes were saved." in client.post(address(concept), sent, follow=True).content.decode()
    assert (Concept.objects.get().name, ConceptExample.objects.get().weight) == ("Jetties", -2.0)
    refused = client.post(address(concept), {"name": "", "text": "jetty"})
    assert refused.status_code == 400 and "Give the concept a name." in refused.content.decode()
    bad = client.post(address(concept), {f"weight-{first.pk}": "nan"})
    assert bad.status_code == 400 and ConceptExample.objects.get().weight == -2.0


def test_sharing_names_what_lies_outside_and_offers_to_leave_it_out(ana, bay):
    outside = make_scene(make_collection("elsewhere", owner=ana), title="Far pier")
    image = QueryImage.objects.create(user=ana, name="mine.png", picture=b"R", width=8, height=8, sha256="0" * 64)
    examples = [like(make_scene(bay)), like(outside), ExampleGiven("image", image.pk)]
    concept = concept_create(user=ana, name="Piers", examples=examples)
    client = client_of(ana)
    assert "The picture you gave yourself is shown to them" in page(client, address(concept))
    refused = client.post(address(concept, "sharing/"), {"collection": "bay"})
    html = refused.content.decode()
    assert refused.status_code == 400 and "“Far pier”" in html and 'name="leave_out"' in html
    assert re.search(r'<option value="bay"\s+selected>', html)
    shared = client.post(address(concept, "sharing/"), {"collection": "bay", "leave_out": "on"}, follow=True)
    assert "whoever may see “Bay”" in shared.content.decode()
    assert Concept.objects.get().collection == bay and ConceptExample.objects.count() == 2
    client.post(address(concept, "sharing/"), {"collection": ""})
    assert Concept.objects.get().collection is None
    nowhere = client.post(address(concept, "sharing/"), {"collection": "nowhere"})
    assert nowhere.status_code == 400 and "no such collection" in nowhere.content.decode()


def test_a_reader_looks_and_searches_but_changes_nothing(ana, bay):
    bob = make_user("bob")
    bay.members.add(bob, through_defaults={"role": "viewer"})
    concept = concept_create(user=ana, name="Piers", text="pier", examples=[like(make_scene(bay), -1)], collection=bay)
    client = client_of(bob)
    html = page(client, address(concept))
    assert "Shared by ana in “Bay”" in html and f"/?like=concept:{concept.pk}" in html and "not like this" in html
    assert "Save changes" not in html and "<select" not in html.split("<main")[1]
    page(client, address(concept, "delete/"), status=404)
    for part in ("", "sharing/", "delete/"):
        assert client.post(address(concept, part), {"name": "Mine", "collection": ""}).status_code == 403
    assert Concept.objects.get().name == "Piers"


def test_a_scene_or_its_outlined_part_is_added_from_its_page(ana, bay):
    scene, client = make_scene(bay), client_of(ana)
    here = f"/scenes/{scene.pk}/?window=0,0,32,32"
    html = page(client, here)
    assert "Add to a concept" in html and 'name="into"' not in html
    box = f"box:{scene.pk}:0,0,32,32"
    assert f'value="{box}"' in html and f'value="scene:{scene.pk}"' in html
    client.post(LIST, {"like": box, "name": "Piers", "into": ""})
    concept = Concept.objects.get()
    assert f'<option value="{concept.pk}">Piers</option>' in page(client, here)
    answer = client.post(LIST, {"like": f"scene:{scene.pk}", "into": str(concept.pk), "next": here})
    assert answer.status_code == 302 and answer["Location"] == here
    assert "1 example was added to “Piers”." in page(client, here)
    assert [row.window for row in ConceptExample.objects.order_by("pk")] == [[0, 0, 32, 32], None]
    wrong = client.post(LIST, {"like": f"scene:{uuid4()}", "into": str(concept.pk)})
    assert wrong.status_code == 400 and "There is no scene" in wrong.content.decode()


def test_deleting_asks_first(ana, bay):
    concept = concept_create(user=ana, name="Piers", text="pier", collection=bay)
    client = client_of(ana)
    assert "also for everybody who uses it in “Bay”" in page(client, address(concept, "delete/"))
    assert Concept.objects.exists()
    assert "“Piers” was deleted." in client.post(address(concept, "delete/"), follow=True).content.decode()
    assert not Concept.objects.exists()


def test_what_is_new_since_the_last_search_with_it(ana, bay):
    make_encoder()
    old = make_scene(bay, title="Old pier")
    concept = concept_create(user=ana, name="Piers", examples=[like(old)])
    client = client_of(ana)
    assert "new scene" not in page(client, LIST)
    run(ana, concept)
    Ranking.objects.update(created_at=timezone.now() - timedelta(hours=1))
    Scene.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert "new scene" not in page(client, LIST)
    for collection in (bay, make_collection("theirs")):
        scene = make_scene(collection, title=f"New pier of {collection.slug}")
        Scene.objects.filter(pk=scene.pk).update(created_at=timezone.now() - timedelta(minutes=1))
    html = page(client, LIST)
    assert re.search(r"\s1 new scene\s", html)
    link = found(r'href="(/\?like=concept:[^"]+added_after=[^"]+)"', html)
    hits = client.get(link).context["hits"]
    assert [row.hit.scene.title for row in hits] == ["New pier of bay"]
    assert "new scene" not in page(client, LIST), "it was searched with a moment ago"


def test_what_was_being_ingested_during_the_last_search_is_new(ana, bay):
    make_encoder()
    concept = concept_create(user=ana, name="Piers", examples=[like(make_scene(bay))])
    run(ana, concept)
    now = timezone.now()
    Scene.objects.update(created_at=now - timedelta(hours=3))
    Query.objects.update(created_at=now - timedelta(hours=4))
    Ranking.objects.update(created_at=now - timedelta(hours=1))
    for name, finished in (("Late", now), ("Early", now - timedelta(hours=2))):
        scene = make_scene(bay, title=name)
        Scene.objects.filter(pk=scene.pk).update(created_at=now - timedelta(hours=2.5 if name == "Early" else 2))
        job = IngestJob.objects.create(collection=bay, created_by=ana, source_name="x.tif", scene=scene)
        IngestJob.objects.filter(pk=job.pk).update(created_at=now - timedelta(hours=2.5), finished_at=finished)
    link = found(r'href="(/\?like=concept:[^"]+added_after=[^"]+)"', page(client_of(ana), LIST))
    assert [row.hit.scene.title for row in client_of(ana).get(link).context["hits"]] == ["Late"]


def test_the_pages_are_chinese_too(ana, bay):
    concept = concept_create(user=ana, name="Piers", text="pier", examples=[like(make_scene(bay))], collection=bay)
    client = client_of(ana)
    for path, words in (
        (LIST, "1 个示例"), (address(concept), "谁可以使用"), (address(concept, "delete/"), "删除此概念？"),
        (f"{LIST}new/", "新建概念"),
    ):  # fmt: skip
        html = client.get(path, headers={"accept-language": "zh-CN"}).content.decode()
        assert words in html and "概念" in html
