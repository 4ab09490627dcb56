"""The chips of examples, and addresses that carry them: on the page, in the history, back into the form."""

import uuid
from urllib.parse import parse_qs

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from imagery.models.collection import Visibility
from search.example_chips import example_chips
from search.forms import SearchForm
from search.models import Concept, Query
from search.services import search_run
from tests import factories
from tests.pages import client_of, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return factories.make_user("ada")


@pytest.fixture
def pier(ada):
    factories.make_encoder()
    return factories.make_scene(factories.make_collection("coast", owner=ada), title="Old pier")


def form_of(*likes: str, **rest: str) -> SearchForm:
    data = QueryDict(mutable=True)
    data.update(rest)
    data.setlist("like", list(likes))
    return SearchForm.read(data)


def test_each_example_says_what_it_is_and_what_it_counts(ada, pier):
    concept = Concept.objects.create(owner=ada, name="quays", text="x")
    image = factories.make_query_image(ada, name="field.png")
    likes = [f"scene:{pier.pk}", f"box:{pier.pk}:1,2,30,40*2", f"image:{image.pk}*-1", f"concept:{concept.pk}"]
    chips = example_chips(user=ada, form=form_of(*likes, q="harbour"))
    assert [(chip.kind, chip.title, chip.weight, chip.minus, chip.there) for chip in chips] == [
        ("scene", "Old pier", 1, False, True),
        ("box", "Old pier", 2, False, True),
        ("image", "field.png", -1, True, True),
        ("concept", "quays", 1, False, True),
    ]
    assert chips[0].page == reverse("imagery:scene", args=[pier.pk])
    assert chips[1].page.endswith("?window=1,2,30,40")
    assert chips[2].picture == reverse("search:example_picture", args=[image.pk])
    assert {choice.value for choice in chips[0].choices} >= {f"scene:{pier.pk}*-1", f"scene:{pier.pk}*2"}
    assert [choice.value for choice in chips[1].choices if choice.chosen] == [likes[1]]
    assert parse_qs(chips[0].without_it) == {"q": ["harbour"], "like": likes[1:]}


def test_what_is_hidden_gone_or_unreadable_stays_a_chip_that_can_be_taken_away(ada, pier):
    stranger = factories.make_user()
    likes = [f"scene:{pier.pk}", f"image:{uuid.uuid4()}", "scene:7<b>"]
    chips = example_chips(user=stranger, form=form_of(*likes))
    assert [chip.there for chip in chips] == [False, False, False]
    assert not any("pier" in chip.title for chip in chips)
    assert all(chip.title and not chip.picture and not chip.page for chip in chips)
    assert [parse_qs(chip.without_it)["like"] for chip in chips] == [likes[1:], [likes[0], likes[2]], likes[:2]]
    html = page(client_of(stranger), f"/?like={likes[2]}", status=400)
    assert "cannot be read" in html
    assert "7<b>" not in html


def test_the_same_thing_twice_is_one_chip_with_the_last_weight(ada, pier):
    chips = example_chips(user=ada, form=form_of(f"scene:{pier.pk}", f"scene:{pier.pk}*3"))
    assert [(chip.weight, chip.without_it) for chip in chips] == [(3, "")]


def test_the_last_example_of_a_search_without_words_leaves_the_empty_page(ada, pier):
    (chip,) = example_chips(user=ada, form=form_of(f"scene:{pier.pk}"))
    assert chip.without_it == ""
    (chip,) = example_chips(user=ada, form=form_of(f"scene:{pier.pk}", q="harbour"))
    assert chip.without_it == "q=harbour"


def test_a_kept_search_is_opened_again_with_its_examples(ada, pier):
    asked = form_of(f"scene:{pier.pk}*2", history="off", collection="coast")
    request = asked.parse(ada)
    assert request is not None
    ranking = search_run(user=ada, request=request)
    query = Query.objects.get(pk=ranking.query_id)
    assert query.without_history is True
    again = SearchForm.of_query(query)
    assert again.querystring() == asked.querystring()
    html = page(client_of(ada), reverse("search:history"))
    assert ">1 example<" in html.replace("\n", "")
    assert f"like=scene%3A{pier.pk}%2A2" in html


def test_every_form_of_the_page_keeps_the_examples(ada, pier):
    factories.know_query("boats", vector=factories.axis(1))
    factories.know_query("a harbour", vector=factories.axis(2))
    html = page(client_of(ada), f"/?q=a+harbour+without+boats&like=scene:{pier.pk}")
    form = html[html.index("data-chips") :]
    assert f'name="like" value="scene:{pier.pk}"' in form[: form.index("</form>")]


def test_an_example_hidden_since_is_not_named_on_a_later_page_or_in_the_history(ada, pier):
    reader = factories.make_user()
    shown = factories.make_collection(owner=ada, visibility=Visibility.ALL_USERS)
    example = factories.make_scene(shown, title="Secret jetty")
    client = Client()
    client.force_login(reader)
    found = page(client, f"/?like=scene:{example.pk}")
    assert "Secret jetty" in found
    ranking = Query.objects.get(user=reader).rankings.get()
    shown.visibility = Visibility.PRIVATE
    shown.save()
    assert "Secret jetty" not in page(client, f"/?like=scene:{example.pk}&ranking={ranking.pk}")
    assert "Secret jetty" not in page(client, reverse("search:history"))
    assert "Secret jetty" not in page(client, f"/?like=scene:{example.pk}", status=400)
