"""The search page, in every state it can be in, as a browser without JavaScript sees it."""

import re
from html import unescape

import pytest
from django.urls import reverse

from imagery.models import Embedding, Encoder, Scene
from imagery.models.collection import Visibility
from search.models import Event, Impression, Query, Ranking
from search.templatetags.search_words import duration
from tests.factories import axis, know_query, make_collection, make_encoder, make_scene, make_user, unit, utc
from tests.pages import client_of, count_queries, found, page

pytestmark = pytest.mark.django_db
CALIBRATION = {"scale": 10.0, "offset": -5.0}


@pytest.fixture
def user():
    return make_user("ana")


@pytest.fixture
def collection(user):
    make_encoder(calibration=CALIBRATION)
    return make_collection("bay", owner=user)


def near(share):
    """Return a vector whose cosine with the first axis is ``share``."""
    return unit([share, (1 - share**2) ** 0.5, 0, 0, 0, 0, 0, 0])


def titles(html):
    return [unescape(text).strip() for text in re.findall(r'class="hit__title">(.*?)</span>', html, re.S)]


def link(html, text):
    """Return the address of the link whose opening tag or words contain ``text``."""
    found = [
        unescape(href) for href, rest in re.findall(r'<a\b[^>]*?href="([^"]+)"(.*?)</a>', html, re.S) if text in rest
    ]
    assert found, text
    return found[0]


def test_an_empty_archive_says_what_to_do(user):
    html = page(client_of(user), "/")
    assert "There is nothing to search yet" in html
    assert reverse("imagery:upload") in html
    assert "an airport with many planes" not in html


def test_the_landing_page_offers_examples_and_says_which_languages_it_reads(user, collection):
    make_scene(collection, bbox=(10, 50, 11, 51))
    client = client_of(user)
    html = page(client, "/")
    assert "an airport with many planes" in html
    assert 'lang="zh-Hans" href' in " ".join(html.split())
    assert "Languages: English, Chinese (translated to English)" in html
    assert 'class="map__spot"' in html
    make_encoder(languages=["en", "zh"])
    make_scene(collection)
    assert "Languages: English, Chinese<" in page(client, "/").replace("\n", "").replace(" <", "<")
    assert not Query.objects.exists()


def test_a_chinese_reader_is_offered_chinese_examples_first(user, collection):
    client = client_of(user)
    make_scene(collection)  # The encoder reads English only: Chinese is translated.
    html = client.get("/", headers={"accept-language": "zh-CN"}).content.decode()
    assert re.findall(r'class="example" lang="([^"]+)"', html) == ["zh-Hans", "zh-Hans", "zh-Hans", "en"]


def test_hits_are_shown_best_first_with_what_an_analyst_wants_to_know(user, collection):
    know_query("a harbour")
    make_scene(collection, title="Far", vector=near(0.3))
    make_scene(collection, title="Near", vector=near(0.9), datetime=utc(2024, 5, 6), gsd=0.5)
    html = page(client_of(user), "/?q=a+harbour")
    assert titles(html) == ["Near", "Far"]
    assert "<strong>2 scenes</strong> searched in" in html
    assert "2024-05-06" in html and "0.5 m/px" in html and "Bay" in html
    assert "Likely" in html and "Unlikely" in html
    assert "score 0.900" in html
    assert Impression.objects.count() == 2


def test_the_weaker_matches_stand_below_a_line(user, collection):
    know_query("a harbour")
    make_scene(collection, title="Near", vector=near(0.9))
    make_scene(collection, title="Far", vector=near(0.2))
    html = page(client_of(user), "/?q=a+harbour")
    assert html.index("Near") < html.index("Weaker matches below") < html.rindex("Far")


def test_a_part_of_a_scene_is_outlined_on_its_picture(user, collection):
    know_query("a harbour")
    make_scene(collection, vector=near(0.1), windows={(32, 0, 32, 16): near(0.95)})
    html = page(client_of(user), "/?q=a+harbour")
    assert 'viewBox="0 0 64 64"' in html
    assert re.search(r'class="match__line"\s+x="32"\s+y="0"\s+width="32"\s+height="16"', html)


def test_opening_a_hit_records_the_click_and_keeps_the_outline(user, collection):
    know_query("a harbour")
    scene = make_scene(collection, vector=near(0.1), windows={(32, 0, 32, 16): near(0.95)})
    client = client_of(user)
    where = link(page(client, "/?q=a+harbour"), "data-open")
    response = client.get(where)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("imagery:scene", args=[scene.pk]))
    assert "window=32,0,32,16" in response["Location"]
    client.get(where)
    assert [event.kind for event in Event.objects.all()] == ["click"]


def test_later_pages_come_from_the_stored_ranking(user, collection):
    know_query("a harbour")
    for number in range(30):
        make_scene(collection, title=f"S{number:02}", vector=near(0.9 - number / 100))
    client = client_of(user)
    first = page(client, "/?q=a+harbour")
    more = link(first, "more__words")
    second = page(client, more)
    assert titles(first) + titles(second) == [f"S{number:02}" for number in range(30)]
    assert Ranking.objects.count() == 1
    part = page(client, more, htmx=True)
    assert "<html" not in part
    assert titles(part) == titles(second)
    assert "all the results" in part


def test_a_link_somebody_sent_is_asked_anew_with_ones_own_eyes(user, collection):
    know_query("a harbour")
    make_scene(collection, title="Secret")
    make_scene(make_collection("shared", visibility=Visibility.ALL_USERS), title="Shared")
    page(client_of(user), "/?q=a+harbour")
    ranking = Ranking.objects.get()
    other = make_user()
    for address in (f"/?q=a+harbour&ranking={ranking.pk}", "/?q=a+harbour&ranking=nonsense"):
        assert titles(page(client_of(other), address)) == ["Shared"]
    assert Ranking.objects.visible_to(other).count() == 1
    ranking.refresh_from_db()
    assert (ranking.query.user, len(ranking.scene_ids)) == (user, 2)


@pytest.mark.parametrize("number", ["0", "-3", "abc", "99", "9" * 40, "²"])
def test_strange_page_numbers_do_no_harm(user, collection, number):
    know_query("a harbour")
    make_scene(collection)
    client = client_of(user)
    page(client, "/?q=a+harbour")
    page(client, f"/?q=a+harbour&ranking={Ranking.objects.get().pk}&page={number}")


def test_filters_narrow_and_stay_ticked(user, collection):
    know_query("a harbour")
    other = make_collection("cape", owner=user)
    make_scene(collection, title="In bay", datetime=utc(2024, 5, 6))
    make_scene(collection, title="Old", datetime=utc(2001))
    make_scene(other, title="At cape", datetime=utc(2024, 5, 6))
    html = page(client_of(user), "/?q=a+harbour&collection=bay&start=2024-05-06&end=2024-05-06")
    assert titles(html) == ["In bay"]
    assert re.search(r'value="bay"\s+form="ask"\s+checked', html)
    assert 'value="2024-05-06"' in html


def test_no_hit_says_how_to_widen_the_search(user, collection):
    know_query("a harbour")
    make_scene(collection, datetime=utc(2024))
    html = page(client_of(user), "/?q=a+harbour&end=1999-01-01")
    assert "No scene passes these filters" in html
    assert link(html, "Search without filters") == "?q=a+harbour"


@pytest.mark.parametrize(
    ("query", "where", "words"),
    [
        ("q=", 'id="q_error"', "Write what you are looking for"),
        ("q=++&collection=bay", 'id="q_error"', "Write what you are looking for"),
        ("q=" + "x" * 1001, 'id="q_error"', "1001 characters"),
        ("q=sea&start=2024-02-01&end=2024-01-01", 'id="start_error"', "Swap them"),
        ("q=sea&end=yesterday", 'id="end_error"', "is not a day"),
        ("q=sea&collection=nowhere", 'class="rail"', "There is no collection"),
    ],
)
def test_bad_input_gets_a_sentence_beside_its_field(user, collection, query, where, words):
    make_scene(collection)
    html = page(client_of(user), f"/?{query}", status=400)
    assert where in html and words in html
    assert not Query.objects.exists()


def test_what_was_typed_is_escaped(user, collection):
    know_query("<script>alert(1)</script>")
    make_scene(collection)
    assert "<script>alert" not in page(client_of(user), "/?q=%3Cscript%3Ealert(1)%3C/script%3E")


def test_while_encoding_the_page_says_how_far_it_is(user, collection):
    make_scene(collection)
    waiting = make_scene(collection, status=Scene.Status.PENDING)
    client = client_of(user)
    html = page(client, "/")
    assert "1 of 2 scenes can be searched so far" in html
    assert reverse("search:progress") in html
    assert 'hx-trigger="every' in page(client, reverse("search:progress"))
    Scene.objects.filter(pk=waiting.pk).update(status=Scene.Status.READY)
    assert Embedding.objects.filter(tile__scene=waiting).exists()
    assert "hx-trigger" not in page(client, reverse("search:progress"))


def test_without_an_encoder_the_page_says_what_the_operator_must_do(user, collection):
    make_scene(collection)
    Encoder.objects.update(state=Encoder.State.RETIRED)
    html = page(client_of(user), "/?q=sea", status=503)
    assert "notice--error" in html
    assert "encoder" in html


def test_private_scenes_of_others_are_neither_found_nor_counted(user, collection):
    know_query("a harbour")
    make_scene(collection, title="Mine")
    make_scene(make_collection("of-another"), title="Theirs", bbox=(1, 2, 3, 4))
    client = client_of(user)
    html = page(client, "/?q=a+harbour")
    assert titles(html) == ["Mine"]
    assert "<strong>1 scene</strong> searched" in html
    assert "Of another" not in html
    assert "map__spot" not in page(client, "/")


def test_a_beacon_gets_204(user, collection):
    know_query("a harbour")
    make_scene(collection)
    client = client_of(user)
    token = found(r'data-token="([^"]+)"', page(client, "/?q=a+harbour"))
    assert client.post(reverse("search:event"), {"token": token, "kind": "click"}).status_code == 204


@pytest.mark.parametrize(("token", "kind"), [("forged", "like"), ("", ""), ("x:y:z", "unlike")])
def test_forged_events_are_refused(user, collection, token, kind):
    assert client_of(user).post(reverse("search:event"), {"token": token, "kind": kind}).status_code == 400
    assert not Event.objects.exists()


def test_feedback_never_leads_away_from_the_portal(user, collection):
    know_query("a harbour")
    make_scene(collection)
    client = client_of(user)
    token = found(r'data-token="([^"]+)"', page(client, "/?q=a+harbour"))
    response = client.post(reverse("search:event"), {"token": token, "kind": "like", "next": "https://evil.example/"})
    assert response["Location"] == "/"


def test_everybodys_collection_is_offered_with_its_count(user, collection):
    shared = make_collection("open-data", visibility=Visibility.ALL_USERS)
    make_scene(shared)
    html = page(client_of(user), "/")
    assert re.search(r'Open data</span>\s*<span class="rail__count">1</span>', html)


def test_statements_do_not_grow_with_the_hits(user, collection):
    know_query("a harbour")
    client = client_of(user)
    make_scene(collection, vector=axis(0))
    few = count_queries(client, "/?q=a+harbour")
    for _ in range(10):
        make_scene(make_collection(owner=user), vector=near(0.8))
    assert count_queries(client, "/?q=a+harbour") == few


def test_no_style_or_handler_stands_in_the_page(user, collection):
    know_query("a harbour")
    make_scene(collection, windows={(0, 0, 8, 8): axis(0)})
    for address in ("/", "/?q=a+harbour"):
        html = page(client_of(user), address)
        assert " style=" not in html
        assert not re.search(r"\son\w+=", html)
        assert "<script>" not in html


@pytest.mark.parametrize(
    ("milliseconds", "words"), [(0.42, "0.4 ms"), (42.4, "42 ms"), (999.0, "999 ms"), (6373, "6.4 s"), (None, "?")]
)
def test_durations_read_as_people_say_them(milliseconds, words):
    assert duration(milliseconds) == words
