"""Judging hits on the search page: the question is asked anew, the page says what moved, and undo takes it back."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from imagery.models import CollectionMember, Scene
from imagery.models.collection import Visibility
from search.models import Event, Ranking
from tests.factories import know_query, make_collection, make_encoder, make_scene, make_user, unit
from tests.pages import client_of, count_queries, found, page

pytestmark = pytest.mark.django_db
ASK = "/?q=a+harbour"


@pytest.fixture
def user():
    return make_user("ana")


@pytest.fixture
def collection(user):
    make_encoder()
    know_query("a harbour")
    return make_collection("bay", owner=user)


def near(share, other=1):
    """Return a vector whose cosine with the first axis is ``share``; the rest lies on axis ``other``."""
    values = [share] + [0.0] * 7
    values[other] = (1 - share**2) ** 0.5
    return unit(values)


def order(html):
    return re.findall(r'data-scene="([^"]+)"', html)


def marks(html):
    """Return by scene the mark on its picture: "▲ 2", "▼ 1", "new", or ""."""
    hits = re.split(r'<li class="hit"', html)[1:]
    found_marks = {}
    for hit in hits:
        mark = re.search(r'class="moved[^>]*>(?:\s*<span aria-hidden="true">)?\s*([^<]*?)\s*<', hit)
        found_marks[found(r'data-scene="([^"]+)"', hit)] = mark[1] if mark else ""
    return found_marks


def bar(html):
    return re.findall(r"<span>(.*?)</span>", found(r"data-says>(.*?)</p>", html), re.S)


def form_of(html, scene):
    """Return the token and the way back of the form that judges this scene."""
    hit = next(part for part in re.split(r'<li class="hit"', html) if f'data-scene="{scene.pk}"' in part)
    form = hit[hit.index('class="judge"') :]
    return {
        "token": found(r'name="token"\s+value="([^"]+)"', form),
        "next": found(r'name="next"\s+value="([^"]+)"', form),
    }


def say(client: Client, html: str, scene: Scene, kind: str) -> str:
    """Judge without JavaScript and return the page that this leads to."""
    response = client.post(reverse("search:event"), {**form_of(html, scene), "kind": kind})
    assert response.status_code == 302
    assert response["Location"].endswith(f"#scene-{scene.pk}")
    return page(client, response["Location"])


def test_a_like_leads_to_the_ranking_made_anew_with_the_button_pressed(user, collection):
    scenes = [make_scene(collection, vector=near(0.9 - number / 10)) for number in range(3)]
    client = client_of(user)
    first = page(client, ASK)
    assert "the order follows at once" in first
    html = say(client, first, scenes[1], "like")
    assert re.search(rf'id="like-{scenes[1].pk}"\s+name="kind"\s+value="unlike"', html)
    assert "1 like" in bar(html)[0]
    again = page(client, ASK)
    assert re.search(rf'id="like-{scenes[1].pk}"\s+name="kind"\s+value="unlike"', again), "asked anew, still known"
    assert "1 like" in bar(again)[0]


def test_what_looks_like_the_liked_hit_moves_up_and_undo_moves_it_back(user, collection):
    scenes = [make_scene(collection, vector=near(0.9 - number / 50, 1 + number % 6)) for number in range(24)]
    client = client_of(user)
    first = page(client, ASK)
    html = say(client, first, scenes[8], "like")
    assert "Re-ranked by 1 like." in bar(html)
    moved = {scene: mark for scene, mark in marks(html).items() if mark}
    assert bar(html)[1] == f"{len(moved)} hits moved."
    twins = [str(scene.pk) for number, scene in enumerate(scenes) if number % 6 == 2]
    assert all(moved[twin].startswith("▲") for twin in twins[2:]), moved
    assert "Without my history" in html
    off = page(client, found(r'href="([^"]+)">Without my history', html))
    assert order(off) == order(first)
    assert bar(off)[0] == "Ranked without your history." and "With my history" in off
    undo = found(r"data-undo=(.*?)</form>", html)
    sent = {name: found(rf'name="{name}"\s+value="([^"]+)"', undo) for name in ("token", "next", "kind")}
    back = page(client, client.post(reverse("search:event"), sent)["Location"])
    assert order(back) == order(first)
    assert {mark[0] for scene, mark in marks(back).items() if scene in twins[2:]} == {"▼"}


def test_what_was_opened_has_a_say_that_is_told_and_can_be_left_out(user, collection):
    scenes = [make_scene(collection, vector=near(0.9 - number / 50, 1 + number % 6)) for number in range(24)]
    client = client_of(user)
    first = page(client, ASK)
    assert "Without my history" not in first
    for number in (8, 20):
        hit = next(part for part in re.split(r'<li class="hit"', first) if f'data-scene="{scenes[number].pk}"' in part)
        client.get(found(r'href="(/open/[^"]+)"', hit))
    html = page(client, ASK)
    assert bar(html) == ["What you did in searches like this one had a say in this order."]
    assert order(html) != order(first)
    assert order(page(client, found(r'href="([^"]+)">Without my history', html))) == order(first)


def test_one_scene_has_one_judgement_a_question_however_often_it_was_shown(user, collection):
    scene = make_scene(collection)
    client = client_of(user)
    html = page(client, ASK)
    for kind, kinds in (("like", ["like"]), ("dislike", ["dislike"]), ("undislike", [])):
        html = say(client, html, scene, kind)
        Ranking.objects.update(cache_key="")  # The next answer is another ranking, as if the archive had changed.
        assert [event.kind for event in Event.objects.all()] == kinds
    assert "the order follows at once" in page(client, ASK)


def test_what_moved_is_told_beside_the_order_that_was_on_the_screen(user, collection):
    high, low = make_scene(collection, vector=near(0.9)), make_scene(collection, vector=near(0.5))
    client = client_of(user)
    page(client, ASK)
    before = Ranking.objects.get()
    between = make_scene(collection, vector=near(0.7))
    html = page(client, f"{ASK}&was={before.pk}")
    assert order(html) == [str(high.pk), str(between.pk), str(low.pk)]
    assert marks(html) == {str(high.pk): "", str(between.pk): "new", str(low.pk): "▼ 1"}
    assert re.search(r"1 place\s+down", html)
    now = Ranking.objects.exclude(pk=before.pk).get()
    between.delete()
    back = page(client, f"{ASK}&was={now.pk}")
    assert marks(back) == {str(high.pk): "", str(low.pk): "▲ 1"}


def test_another_persons_or_questions_ranking_is_no_order_to_compare_with(user, collection):
    make_scene(collection)
    know_query("a meadow")
    client = client_of(user)
    page(client, "/?q=a+meadow")
    other = make_user()
    make_scene(make_collection("theirs", owner=other))
    page(client_of(other), ASK)
    for ranking in Ranking.objects.all():
        html = page(client, f"{ASK}&was={ranking.pk}")
        assert 'class="moved' not in html and "moved" not in " ".join(bar(html))
    page(client, f"{ASK}&was=nonsense")


def test_undo_takes_the_last_judgement_back(user, collection):
    scenes = [make_scene(collection, vector=near(0.9 - number / 10)) for number in range(3)]
    client = client_of(user)
    html = say(client, page(client, ASK), scenes[0], "like")
    html = say(client, html, scenes[2], "dislike")
    assert "1 like and 1 dislike" in bar(html)[0]
    undo = found(r"data-undo=(.*?)</form>", html)
    sent = {name: found(rf'name="{name}"\s+value="([^"]+)"', undo) for name in ("token", "next", "kind")}
    assert sent["kind"] == "undislike"
    html = page(client, client.post(reverse("search:event"), sent)["Location"])
    assert [event.kind for event in Event.objects.all()] == ["like"]
    assert "1 like" in bar(html)[0] and "dislike" not in bar(html)[0]


def test_a_ranking_from_before_a_judgement_says_so_and_offers_to_rank_anew(user, collection):
    scene = make_scene(collection)
    client = client_of(user)
    html = page(client, ASK)
    stored = f"{ASK}&ranking={Ranking.objects.get().pk}"
    client.post(reverse("search:event"), {"token": form_of(html, scene)["token"], "kind": "like"})
    html = page(client, stored)
    assert "You judged after this order was made" in bar(html)[0]
    assert not re.search(r"data-anew\s+hidden", html)
    assert re.search(r"data-anew\s+hidden", page(client, ASK))


def test_judgements_of_hidden_scenes_are_not_counted(user, collection):
    other = make_user()
    shared = make_collection("shared", owner=other, visibility=Visibility.MEMBERS, viewers=(user,))
    mine, theirs = make_scene(collection), make_scene(shared)
    client = client_of(user)
    html = page(client, ASK)
    for scene in (mine, theirs):
        client.post(reverse("search:event"), {"token": form_of(html, scene)["token"], "kind": "like"})
    assert "2 likes" in bar(page(client, ASK))[0]
    CollectionMember.objects.filter(collection=shared).delete()
    html = page(client, ASK)
    assert "1 like" in bar(html)[0] and str(theirs.pk) not in html


def test_an_answer_scrolled_far_down_is_ranked_anew_as_far(user, collection):
    for number in range(60):
        make_scene(collection, vector=near(0.9 - number / 100))
    client = client_of(user)
    html = page(client, f"{ASK}&upto=2")
    assert len(order(html)) == 48
    assert re.search(r"page 2 of 3", html)
    rest = page(client, found(r'class="button"\s+href="([^"]+page=3[^"]*)"', html))
    assert len(order(rest)) == 12
    assert not set(order(html)) & set(order(rest))
    assert len(order(page(client, f"{ASK}&upto=99999"))) == 60


def test_htmx_is_given_the_results_alone(user, collection):
    make_scene(collection)
    client = client_of(user)
    response = client.get(ASK, headers={"HX-Request": "true", "HX-Target": "results"})
    html = response.content.decode()
    assert html.strip().startswith('<section class="results"') and "data-hit" in html
    assert {"HX-Request", "HX-Target"} <= {each.strip() for each in response["Vary"].split(",")}


def test_statements_do_not_grow_with_what_was_judged(user, collection):
    scenes = [make_scene(collection, vector=near(0.9 - number / 20)) for number in range(12)]
    client = client_of(user)
    html = say(client, page(client, ASK), scenes[0], "like")
    few = count_queries(client, ASK)
    for scene in scenes[1:8]:
        html = say(client, html, scene, "like")
    assert count_queries(client, ASK) == few
