"""The Simplified Chinese catalogue is complete and exact, and the pages use it."""

import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from babel.messages.pofile import read_po
from django.test import Client
from django.urls import reverse
from django.utils import translation

from imagery.models import IngestJob, Scene
from imagery.services.scene_store import NOTE_PROPERTY
from rsportal.accounts.models import User
from search.query import SearchRequest
from search.services import search_run
from tests.factories import know_query, make_collection, make_scene, make_user
from tests.messages import CATALOGUE, Message, python_messages, source_messages, template_messages
from tests.world import make_world

CHINESE = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
_PLACEHOLDER = re.compile(r"%%\(\w+\)s|%%|%\(\w+\)[-#0 +]*[\d.]*[a-zA-Z]|%[sdrfg]|\{\w*\}|</?\w+[^>]*>")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_ASCII_MARK_AFTER_HAN = re.compile(r"[\u4e00-\u9fff](?:[;:!?]|[,.](?![\w\u4e00-\u9fff]))")
_ENGLISH_PHRASE = re.compile(r"(?:\b[A-Za-z]{2,}[,.;:]? ){2}[A-Za-z]{2,}")
# Names and what people wrote themselves, which no catalogue translates.
_NAMES = ("JPEG 2000", "Contains Copernicus Sentinel data 2019", "GeoTIFF", "WGS 84")
# What Django and django-axes themselves have not translated yet.
_OF_LIBRARIES = ("Change or view list link",)
_SAME_IN_CHINESE = {"API", "SHA-256"}


@pytest.fixture(scope="module")
def catalogue():
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh_Hans")


def entries(catalogue):
    """Return (message, translations) of the catalogue; one translation, as Chinese has a single plural form."""
    for entry in catalogue:
        if entry.id:
            first, plural = entry.id if isinstance(entry.id, tuple) else (entry.id, "")
            texts = entry.string if isinstance(entry.string, tuple) else (entry.string,)
            yield Message(first, plural, entry.context or ""), texts, entry


def test_the_extractor_finds_every_way_of_marking_a_text():
    python = """
a = _("one"); b = gettext_lazy("two " "parts"); c = ngettext("%d cat", "%d cats", n)
d = translation.pgettext("verb", "open"); e = gettext(name)
"""
    assert set(python_messages(python)) == {
        Message("one"), Message("two parts"), Message("%d cat", "%d cats"), Message("open", context="verb"),
    }  # fmt: skip
    template = """{% load i18n %}<p title="{% translate "It's (so) 5 %" %}">{{ x|default:_("none") }}
{% blocktranslate count n=n trimmed %}
  {{ n }} cat
{% plural %}
  {{ n }} cats
{% endblocktranslate %}{% translate "open" context "verb" %}{% blocktranslate %}Dear {{ x }},
bye{% endblocktranslate %}"""
    assert set(template_messages(template)) == {
        Message("It's (so) 5 %%"), Message("none"), Message("%(n)s cat", "%(n)s cats"),
        Message("open", context="verb"), Message("Dear %(x)s,\nbye"),
    }  # fmt: skip


def test_the_catalogue_holds_exactly_the_texts_of_the_sources(catalogue):
    known = {(message.context, message.id) for message, _texts, _entry in entries(catalogue)}
    sources = source_messages()
    untranslated = {m.id: str(path) for m, path in sources.items() if (m.context, m.id) not in known}
    assert not untranslated, "add these to the catalogue (docs/translation.md)"
    plurals = {message for message, _texts, _entry in entries(catalogue) if message.plural}
    assert {message for message in sources if message.plural} == plurals
    unused = known - {(message.context, message.id) for message in sources}
    assert not unused, "no source has these any more; delete them from the catalogue"


def test_every_text_is_translated_with_its_placeholders_and_markup(catalogue):
    assert catalogue.num_plurals == 1
    for message, texts, entry in entries(catalogue):
        assert not entry.fuzzy, message
        assert len(texts) == 1, message
        assert texts[0].strip(), message
        wanted = Counter(_PLACEHOLDER.findall(message.plural or message.id))
        assert Counter(_PLACEHOLDER.findall(texts[0])) == wanted, (message, texts[0])
        assert message.id.endswith("\n") == texts[0].endswith("\n"), message


def test_every_translation_is_chinese(catalogue):
    for message, texts, _entry in entries(catalogue):
        if message.id not in _SAME_IN_CHINESE:
            assert _HAN.search(texts[0]), (message.id, texts[0])
            assert not _ASCII_MARK_AFTER_HAN.search(texts[0]), (message.id, texts[0])


def test_django_uses_the_catalogue():
    compiled = CATALOGUE.with_suffix(".mo")
    assert compiled.exists() and compiled.stat().st_mtime >= CATALOGUE.stat().st_mtime, "make setup compiles it"
    with translation.override("zh-hans"):
        assert translation.gettext("Upload imagery") == "上传影像"
        assert translation.ngettext("%(number)s scene", "%(number)s scenes", 3) % {"number": 3} == "3 景影像"
        assert translation.gettext("collection") == "数据集"  # One entry serves the word with and without plural.


class _Visible(HTMLParser):
    """Collects what a reader of a page sees or hears, leaving out foreign-language parts and what users wrote."""

    _SILENT = frozenset({"script", "style", "code", "pre", "kbd", "title"})
    _VOID = frozenset({"br", "img", "input", "hr", "link", "meta", "use", "path", "rect", "circle", "source", "col"})

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        for name in ("title", "alt", "aria-label", "placeholder"):
            if not self._hidden and values.get(name):
                self.texts.append(values[name])
        if tag in self._VOID:
            return
        if self._hidden or tag in self._SILENT or (values.get("lang") or "zh").startswith("en"):
            self._hidden.append(tag)

    def handle_endtag(self, tag):
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()

    def handle_data(self, data):
        if not self._hidden and data.strip():
            self.texts.append(" ".join(data.split()))


def english_in(html: str, *, allowed: tuple[str, ...] = ()) -> list[str]:
    """Return the visible texts of a page in which three English words follow each other."""
    parser = _Visible()
    parser.feed(html)
    left = []
    for text in parser.texts:
        rest = text
        for name in (*_NAMES, *allowed):
            rest = rest.replace(name, "")
        if _ENGLISH_PHRASE.search(rest):
            left.append(text)
    return left


def test_the_search_for_english_finds_it_where_readers_meet_it():
    html = '<p>你好 all is well here</p><img alt="a picture of it"><p lang="en">this is an example</p>'
    assert english_in(html) == ["你好 all is well here", "a picture of it"]


def chinese(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address, headers=CHINESE)
    assert response.status_code == status, address
    return response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["login", "password_reset", "password_reset_done", "signup"])
def test_a_visitors_pages_are_chinese(client, settings, name):
    settings.SIGNUP_OPEN = True
    html = chinese(client, reverse(name))
    assert 'lang="zh-hans"' in html.lower()
    assert _HAN.search(html)
    assert english_in(html) == []


@pytest.mark.django_db
def test_everybodys_pages_are_chinese(client):
    world = make_world()
    client.force_login(world.alice)
    holding = world.alices
    words = ("Zanzibar", "zanzibar", "Reykjavik", "is no image", "what everybody asks")
    addresses = [
        "/", "/?q=what+everybody+asks", f"/?q=dusk&ranking={holding.ranking_id}", "/?start=tomorrow",
        f"/scenes/{holding.scene_id}/", f"/scenes/{holding.scene_id}/delete/", "/upload/",
        "/jobs/", "/collections/", f"/collections/{holding.slug}/", f"/collections/{holding.slug}/edit/",
        f"/collections/{holding.slug}/delete/", "/collections/new/", "/history/", "/history/erase/",
        "/accounts/profile/", "/accounts/password/",
        "/concepts/", "/concepts/new/", f"/concepts/new/?ranking={holding.ranking_id}",
        f"/concepts/{holding.concept_id}/", f"/concepts/{holding.concept_id}/delete/",
    ]  # fmt: skip
    for address in addresses:
        html = chinese(client, address)
        assert '<html lang="zh-Hans">' in html, address
        assert "数据集" in html and "上传" in html, address  # The navigation.
        assert english_in(html, allowed=words) == [], address
    assert english_in(chinese(client, "/nowhere/", 404)) == []


@pytest.mark.django_db
def test_an_empty_portal_is_chinese(client):
    client.force_login(make_user("ana"))
    assert english_in(chinese(client, "/?q=boats", 503), allowed=("manage.py encoder",)) == []  # No encoder is active.
    for address in ("/", "/upload/", "/jobs/", "/collections/", "/concepts/", "/history/", "/accounts/profile/"):
        assert english_in(chinese(client, address)) == [], address


@pytest.mark.django_db
def test_the_administration_is_chinese(client):
    world = make_world()
    client.force_login(world.root)
    models = ("collection", "scene", "ingestjob", "encoder")
    addresses = ["/admin/", *(f"/admin/imagery/{model}/" for model in models)]
    addresses += ["/admin/search/query/", "/admin/search/ranking/", "/admin/search/event/", "/admin/accounts/user/"]
    addresses += [f"/admin/imagery/scene/{world.alices.scene_id}/change/", "/admin/imagery/collection/add/"]
    addresses += ["/admin/search/concept/", f"/admin/search/concept/{world.alices.concept_id}/change/"]
    judged = f"/admin/search/judgedset/{world.alices.judged_set_id}"
    addresses += ["/admin/search/judgedset/", f"{judged}/change/", f"{judged}/judge/{world.alices.judged_query_id}/"]
    addresses += [f"{judged}/runs/", f"{judged}/import/", "/admin/search/judgedquery/add/", "/admin/search/rankingrun/"]
    words = (
        "Zanzibar",
        "Valparaiso",
        "Reykjavik",
        "zanzibar",
        "valparaiso",
        "reykjavik",
        "is no image",
        "what everybody asks",
        *_OF_LIBRARIES,
    )
    for address in addresses:
        assert english_in(chinese(client, address), allowed=words) == [], address


@pytest.mark.django_db
def test_refusals_of_the_api_and_the_forms_are_chinese(client):
    user = make_user("ana")
    make_collection("bay", owner=user)
    client.force_login(user)
    answer = client.get("/api/v1/scenes/?bbox=1,2", headers={**CHINESE, "accept": "application/json"})
    assert answer.status_code == 400
    assert "bbox 应为四个数" in answer.content.decode()


@pytest.mark.django_db
def test_a_text_marked_lazily_is_translated_when_it_is_shown(client):
    user: User = make_user("ana")
    scene: Scene = make_scene(make_collection("bay", owner=user))
    know_query("boats at sea")
    ranking = search_run(user=user, request=SearchRequest(text="boats at sea"))
    IngestJob.objects.create(collection=scene.collection, created_by=user, source_name="a.tif", state="failed")
    client.force_login(user)
    assert "失败" in chinese(client, "/jobs/")
    assert "景影像</strong>" in chinese(client, f"/?q=boats&ranking={ranking.pk}")


@pytest.mark.django_db
def test_a_readers_note_is_kept_in_english_and_shown_in_the_readers_language(client):
    user = make_user("ana")
    note = "It has a grid but no coordinate reference system."
    scene = make_scene(make_collection("bay", owner=user), properties={NOTE_PROPERTY: note})
    client.force_login(user)
    assert note in client.get(f"/scenes/{scene.pk}/").content.decode()
    assert "文件有格网，但没有坐标参考系。" in chinese(client, f"/scenes/{scene.pk}/")
