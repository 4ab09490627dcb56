"""Examples on the pages: more like a hit, a scene or a box on it, chips with weights, pictures without JavaScript."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from imagery.models import Scene
from search.models import QueryImage
from tests.factories import axis, know_query, make_collection, make_encoder, make_scene, make_user, picture, unit
from tests.pages import client_of, found, page

pytestmark = pytest.mark.django_db


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


def more_of(html, scene):
    """Return the address of "more like this" on a hit."""
    hit = next(part for part in re.split(r'<li class="hit"', html) if f'data-scene="{scene.pk}"' in part)
    return found(r'class="hit__more"\s+href="([^"]+)"', hit)


def likes(address):
    return parse_qs(urlsplit(address).query).get("like", [])


def test_more_like_a_hit_adds_it_to_the_search_and_changes_the_order(user, collection):
    best = make_scene(collection, vector=near(0.9, 1))
    twin = make_scene(collection, vector=near(0.1, 2))
    liked = make_scene(collection, vector=near(0.5, 2))
    other = make_scene(collection, vector=near(0.3, 3))
    client = client_of(user)
    first = page(client, "/?q=a+harbour&collection=bay")
    assert order(first) == [str(each.pk) for each in (best, liked, other, twin)]
    address = more_of(first, liked)
    assert likes(address) == [f"scene:{liked.pk}"] and "q=a+harbour" in address and "collection=bay" in address
    second = page(client, address)
    assert order(second).index(str(twin.pk)) < order(second).index(str(other.pk))
    with pytest.raises(AssertionError):
        more_of(second, liked)  # It is an example already.
    assert likes(more_of(second, best)) == [f"scene:{liked.pk}", f"scene:{best.pk}"]


def test_more_like_a_hit_in_a_part_means_the_part(user, collection):
    scene = make_scene(collection, vector=near(0.1), windows={(32, 0, 32, 16): near(0.95)})
    html = page(client_of(user), "/?q=a+harbour")
    assert likes(more_of(html, scene)) == [f"box:{scene.pk}:32,0,32,16"]


def test_a_chip_has_weights_that_work_without_javascript(user, collection):
    scene = make_scene(collection, title="Quay 7")
    client = client_of(user)
    html = page(client, f"/?q=a+harbour&like=scene:{scene.pk}*2")
    chip = found(r'(<li class="chip chip--example.*?</li>)', html)
    assert "Quay 7" in chip and reverse("imagery:thumbnail", args=[scene.pk]) in chip
    select = found(r'<select class="chip__weight"\s+name="like"(.*?)</select>', chip)
    options = re.findall(r'<option value="([^"]+)"( selected)?', select)
    assert (f"scene:{scene.pk}*2", " selected") in options
    assert f"scene:{scene.pk}*-1" in dict(options) and f"scene:{scene.pk}" in dict(options)
    without = found(r'class="chip__remove"\s+href="([^"]+)"', chip)
    assert likes(without) == [] and "q=a+harbour" in without


def test_an_example_alone_is_a_search_and_without_it_there_is_none(user, collection):
    scene, twin, far = (
        make_scene(collection, vector=vector) for vector in (axis(2), near(0.4, 2), near(0.1, 5))
    )  # fmt: skip
    html = page(client_of(user), f"/?like=scene:{scene.pk}")
    assert order(html)[:2] == [str(scene.pk), str(twin.pk)] and order(html)[-1] == str(far.pk)
    assert found(r'class="chip__remove"\s+href="([^"]+)"', html) == reverse("search:home")


def test_a_scene_of_others_is_no_example_and_the_page_says_so(user, collection):
    make_scene(collection)
    theirs = make_scene(make_collection("theirs"), title="Secret")
    html = page(client_of(user), f"/?q=a+harbour&like=scene:{theirs.pk}", status=400)
    assert "Secret" not in html and 'id="like_error"' in html
    assert "chip--idle" in html, "it can be taken away"


def test_the_scene_page_leads_to_more_like_it(user, collection):
    scene = make_scene(collection, files=True)
    client = client_of(user)
    alone = page(client, reverse("imagery:scene", args=[scene.pk]))
    assert found(r'href="([^"]+)"\s+data-more-like', alone) == f"/?like=scene%3A{scene.pk}"
    opened = client.get(found(r'href="(/open/[^"]+)"', page(client, "/?q=a+harbour&collection=bay")))
    html = page(client, opened["Location"])
    address = found(r'href="([^"]+)"\s+data-more-like', html)
    assert "q=a+harbour" in address and "collection=bay" in address and likes(address) == [f"scene:{scene.pk}"]


def part_form(html):
    return found(r'(<form class="part__form".*?</form>)', html)


def test_a_box_on_a_scene_becomes_an_example_of_the_search_that_led_there(user, collection):
    scene = make_scene(collection, files=True)
    client = client_of(user)
    opened = client.get(found(r'href="(/open/[^"]+)"', page(client, "/?q=a+harbour")))
    form = part_form(page(client, f"{opened['Location']}&window=8,4,16,20"))
    sent = {name: found(rf'name="{name}"[^>]*?value="([^"]*)"', form) for name in ("x", "y", "width", "height", "t")}
    assert [sent[name] for name in ("x", "y", "width", "height")] == ["8", "4", "16", "20"]
    action = unescape(found(r'action="([^"]+)"', form))
    with_words = client.get(action, sent)["Location"]
    assert likes(with_words) == [f"box:{scene.pk}:8,4,16,20"] and "q=a+harbour" in with_words
    del sent["t"]
    assert client.get(action, sent)["Location"] == f"/?like=box%3A{scene.pk}%3A8%2C4%2C16%2C20"


@pytest.mark.parametrize("numbers", [{}, {"x": "a", "y": "0", "width": "8", "height": "8"}, {"x": "1" * 400}])
def test_a_box_that_is_none_is_refused_with_a_sentence(user, collection, numbers):
    scene = make_scene(collection)
    client = client_of(user)
    answer = client.get(reverse("search:part", args=[scene.pk]), numbers)
    assert "Example 1" in page(client, answer["Location"], status=400)


def test_a_scene_that_is_not_ready_offers_no_search_by_its_parts(user, collection):
    scene = make_scene(collection, files=True, status=Scene.Status.PENDING)
    assert "part__form" not in page(client_of(user), reverse("imagery:scene", args=[scene.pk]))


def test_a_picture_is_given_without_javascript(user, collection):
    make_scene(collection)
    client = client_of(user)
    html = page(client, "/?q=a+harbour")
    give = found(r'(<form id="give".*?</form>)', html)
    following = found(r'name="next"\s+value="([^"]+)"', give)
    assert re.search(r'type="file"\s+form="give"\s+name="picture"', html)
    sent = {"picture": SimpleUploadedFile("boat.png", picture(3), "image/png"), "kind": "picture", "next": following}
    answer = client.post(found(r'action="([^"]+)"', give), sent)
    assert likes(answer["Location"]) == [f"image:{QueryImage.objects.get().pk}"]
    assert "q=a+harbour" in answer["Location"]
