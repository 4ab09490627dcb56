"""Where people and programs meet the translation: the page, its addresses, the API, the command, the history."""

import io
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import call_command
from django.urls import reverse

from imagery.models import Encoder
from search.models import Query
from tests import factories
from tests.api import SchemaClient, check_problem
from tests.pages import client_of, found, page

pytestmark = pytest.mark.django_db
CHINESE = "港口附近的工业区"
ENGLISH = "industrial area near a port"
ASKED = {"q": CHINESE}


@pytest.fixture
def ann():
    return factories.make_user("ann")


@pytest.fixture
def scene(ann):
    factories.make_encoder("english", languages=["en"])
    factories.know_query(ENGLISH)
    factories.know_query("a steel works", factories.axis(1))
    return factories.make_scene(factories.make_collection("bay", owner=ann), title="Works")


def shown(html: str) -> str:
    return found(r'class="translation__text" lang="en">(.*?)</span>', html)


def test_the_page_shows_what_was_searched_for_and_offers_to_change_it(ann, scene):
    html = page(client_of(ann), f"/?q={CHINESE}&collection=bay&start=2020-01-01")
    assert "No scene passes these filters" in html  # The scene has no date.
    html = page(client_of(ann), f"/?q={CHINESE}&collection=bay")
    assert shown(html) == ENGLISH
    form = found(r'<form class="translation__form"(.*?)</form>', html)
    assert f'name="q" value="{CHINESE}"' in form and 'name="collection" value="bay"' in form
    assert f'value="{ENGLISH}"' in form
    assert found(r'id="q"\s+name="q"\s+type="search"\s+value="(.*?)"', html) == CHINESE


def test_a_changed_translation_is_searched_for_and_kept_in_addresses(ann, scene):
    client = client_of(ann)
    html = page(client, f"/?q={CHINESE}&translation=a+steel+works")
    assert shown(html) == "a steel works"
    query = Query.objects.get()
    assert (query.text, query.translation) == (CHINESE, "a steel works")
    assert 'name="translation" value="a steel works"' in html and f'name="translation_of" value="{CHINESE}"' in html
    anew = found(r'href="\?([^"]*)">Translate it anew', html)
    assert parse_qs(anew) == {"q": [CHINESE]}


def test_further_pages_keep_the_translation(ann, scene):
    for _ in range(25):
        factories.make_scene(scene.collection)
    html = page(client_of(ann), f"/?q={CHINESE}&translation=a+steel+works")
    more = parse_qs(urlsplit(found(r'<a class="button"\s+href="(/\?[^"]*page=2)"', html)).query)
    assert more["translation"] == ["a steel works"] and more["q"] == [CHINESE]


def test_other_words_in_the_box_drop_the_translation_of_the_old_ones(ann, scene):
    factories.know_query("airport")
    html = page(client_of(ann), f"/?q=机场&translation=a+steel+works&translation_of={CHINESE}")
    assert shown(html) == "airport"
    html = page(client_of(ann), f"/?q={CHINESE}&translation=a+steel+works&translation_of={CHINESE}")
    assert shown(html) == "a steel works"


def test_unknown_words_are_named(ann, scene):
    factories.know_query("river")
    html = page(client_of(ann), "/?q=磨坊旁边的河")
    assert "Not understood and left out: 磨坊" in html
    assert shown(html) == "river"


def test_a_query_nobody_understands_offers_the_form(ann, scene):
    html = page(client_of(ann), "/?q=磨坊", status=400)
    assert "Not understood: 磨坊. Use other words, or write the query in English." in html
    form = found(r'<form class="translation__form"(.*?)</form>', html)
    assert 'name="q" value="磨坊"' in form and 'value=""' in form
    assert "Write it in English yourself" in html


def test_a_translation_that_is_too_long_is_refused_beside_its_field(ann, scene):
    html = page(client_of(ann), f"/?q={CHINESE}&translation={'x' * 1_001}", status=400)
    assert "1001 characters" in found(r'id="translation_error" role="alert">(.*?)</p>', html)


def test_a_translation_in_chinese_is_refused_beside_its_field(ann, scene):
    html = page(client_of(ann), f"/?q={CHINESE}&translation=港口", status=400)
    said = found(r'id="translation_error" role="alert">(.*?)</p>', html)
    assert said == "Write the translation in English: the encoder english does not read Chinese."


def test_english_and_an_encoder_that_reads_chinese_show_no_translation(ann, scene):
    client = client_of(ann)
    assert "translation__text" not in page(client, "/?q=a+steel+works")
    Encoder.objects.update(languages=["en", "zh"])
    factories.know_query(CHINESE)
    assert "translation__text" not in page(client, f"/?q={CHINESE}")
    assert Query.objects.filter(translation="").count() == 2


def test_the_languages_stand_beside_the_box(ann, scene):
    client = client_of(ann)
    assert "Languages: English, Chinese (translated to English)" in page(client, f"/?q={CHINESE}")
    html = client.get("/", headers={"accept-language": "zh-CN"}).content.decode()
    assert "查询语言：英文、中文（译成英文后检索）" in html


def test_the_history_shows_both_and_leads_back_to_the_answer(ann, scene):
    client = client_of(ann)
    page(client, f"/?q={CHINESE}")
    html = page(client, reverse("search:history"))
    assert CHINESE in html and f'<span lang="en">{ENGLISH}</span>' in html
    back = found(r'<h2 id="query-\d+">\s*<a href="(.*?)">', html)
    assert shown(page(client, back)) == ENGLISH
    assert "translation" not in parse_qs(urlsplit(back).query)  # Made here: made again if the answer is gone.
    export: Any = client.get(reverse("search:history_export"))
    exported = json.loads(b"".join(export.streaming_content))
    assert (exported["queries"][0]["translation"], exported["queries"][0]["untranslated"]) == (ENGLISH, [])
    page(client, f"/?q={CHINESE}&translation=a+steel+works")
    back = found(r'<h2 id="query-\d+">\s*<a href="(.*?)">', page(client, reverse("search:history")))
    assert parse_qs(urlsplit(back).query)["translation"] == ["a steel works"]


def test_the_api_tells_and_takes_a_translation(ann, scene):
    client = SchemaClient(ann)
    factories.know_query("river")
    body = client.get("/api/v1/search/", {"text": CHINESE}).json()
    assert (body["query"], body["translation"], body["untranslated"]) == (CHINESE, ENGLISH, [])
    body = client.get("/api/v1/search/", {"text": "磨坊旁边的河"}).json()
    assert (body["translation"], body["untranslated"]) == ("river", ["磨坊"])
    body = client.post("/api/v1/search/", {"text": CHINESE, "translation": "a steel works"}, format="json").json()
    assert (body["query"], body["translation"]) == (CHINESE, "a steel works")
    assert client.get("/api/v1/search/", {"text": "a steel works"}).json()["translation"] is None
    check_problem(client.get("/api/v1/search/", {"text": "磨坊"}), 400, field="text")


def test_the_command_tells_and_takes_a_translation(ann, scene):
    def call(*args: str) -> str:
        out = io.StringIO()
        call_command("search", *args, "--as", "ann", stdout=out)
        return out.getvalue()

    factories.know_query("river")
    assert call(CHINESE).startswith(f"Searched for: {ENGLISH}\n")
    assert "Not understood: 磨坊" in call("磨坊旁边的河")
    answer = json.loads(call(CHINESE, "--translation", "a steel works", "--json"))
    assert (answer["query"], answer["translation"], answer["untranslated"]) == (CHINESE, "a steel works", [])
