"""A query is ranked by how it was understood: on the page, over the API, and whichever stages are on."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

from rsportal.errors import InvalidInput
from search.models import Query, QueryVector
from search.query import search_request_parse
from search.services import search_run
from tests.api import SchemaClient, check_problem
from tests.factories import axis, know_query, make_collection, make_encoder, make_scene, make_user
from tests.pages import client_of, page

pytestmark = pytest.mark.django_db
API = "/api/v1/search/"
"""Vectors: 0 harbour, 1 ships, 2 cranes; the text's own vector is of no picture."""


@pytest.fixture
def user():
    return make_user("ada")


@pytest.fixture
def archive(user):
    make_encoder("made", languages=["en", "zh"])
    collection = make_collection("coast", owner=user)
    for text, number in (("harbour", 0), ("a harbour", 0), ("港口", 0), ("ships", 1), ("船", 1), ("cranes", 2)):
        know_query(text, axis(number))
    return {
        "ships": make_scene(collection, title="ships", vector=[1, 0.6, 0, 0, 0, 0, 0, 0]),
        "cranes": make_scene(collection, title="cranes", vector=[1, 0, 0.8, 0, 0, 0, 0, 0]),
        "both": make_scene(collection, title="both", vector=[1, 0.5, 0.5, 0, 0, 0, 0, 0]),
        "sea": make_scene(collection, title="sea", vector=[0.1, 0, 0, 1, 0, 0, 0, 0]),
    }


def _first(user, archive, text, **asked):
    ranking = search_run(user=user, request=search_request_parse(user=user, text=text, **asked))
    names = {scene.pk: name for name, scene in archive.items()}
    return [names[scene] for scene in ranking.scene_ids], ranking


@pytest.mark.parametrize("text", ["a harbour without ships", "harbour -ships", "没有船的港口", '"harbour", no ships'])
def test_what_must_not_be_there_is_looked_for_by_itself(user, archive, text):
    know_query(text, axis(1))  # Of the text as it stands ships would be first.
    order, ranking = _first(user, archive, text)
    assert order[0] == "cranes"
    assert [each["kind"] for each in ranking.query.parsed["clauses"]] == ["clause", "without"]
    assert ranking.query.text == text


def test_a_grammar_that_is_off_leaves_the_text_whole_but_a_minus_sign_counts(user, archive):
    know_query("a harbour without ships", axis(1))
    encoder = archive["sea"].collection.scenes.first().tiles.first().embeddings.first().encoder
    encoder.ranking = {"without": {"on": False}}
    encoder.save()
    assert _first(user, archive, "a harbour without ships")[0][0] == "ships"
    assert _first(user, archive, "a harbour -ships")[0][0] == "cranes"


def test_weights_of_chips_order_the_scenes(user, archive):
    know_query("ships, cranes", axis(0))
    one, _ranking = _first(user, archive, "ships, cranes", clauses=[("ships", 3), ("cranes", 0.2)])
    two, ranking = _first(user, archive, "ships, cranes", clauses=[("ships", "0.2"), ("cranes", "3")])
    assert one.index("ships") < one.index("cranes")
    assert two.index("cranes") < two.index("ships")
    assert ranking.query.parsed["given"] is True


def test_parts_of_a_query_leave_nothing_in_the_database(user, archive):
    kept = set(QueryVector.objects.values_list("text", flat=True))
    _first(user, archive, "a harbour without ships")
    assert set(QueryVector.objects.values_list("text", flat=True)) == kept


@pytest.mark.parametrize(
    ("clauses", "words"),
    [
        ([("ships", -1)], "Say also what the picture should show"),
        ([("ships", 9)], "The weight of clause 1 is '9'"),
        ([("ships", "much")], "The weight of clause 1 is 'much'"),
        ([("ships", float("nan"))], "The weight of clause 1 is 'nan'"),
        ([("harbour", 1), ("  ", 1)], "Clause 2 has no words"),
        ([("x" * 301, 1)], "Clause 1 has 301 characters"),
        ([(f"thing {n}", 1) for n in range(9)], "The query has 9 parts; 8 is the most"),
        ([("harbour", 1), ('"ships" near "cranes"', -1)], "Clause 2 says where things are"),
    ],
)
def test_clauses_that_cannot_be_used_are_refused_with_a_sentence(user, archive, clauses, words):
    with pytest.raises(InvalidInput, match=re.escape(words)) as refusal:
        search_request_parse(user=user, text="harbour", clauses=clauses)
    assert refusal.value.field == "clauses"


@pytest.mark.parametrize("text", ["no ships", "-ships", "没有船", " ".join(f'-"thing {n}"' for n in range(12))])
def test_a_text_without_anything_to_look_for_is_refused(user, archive, text):
    with pytest.raises(InvalidInput) as refusal:
        _first(user, archive, text)
    assert refusal.value.field == "text"


def test_where_things_are_decides_among_scenes_with_windows(user, archive):
    left, right = (0, 0, 32, 64), (32, 0, 32, 64)
    collection = archive["sea"].collection
    wrong = make_scene(collection, title="wrong", vector=axis(4), windows={left: axis(2), right: axis(1)})
    fits = make_scene(collection, title="fits", vector=axis(4), windows={left: axis(1), right: axis(2)})
    know_query("ships left of cranes", axis(4) + np.float32(0.01))
    order, ranking = _first(user, {**archive, "wrong": wrong, "fits": fits}, "ships left of cranes")
    assert order[0] == "fits"
    assert ranking.reasons[0]["relations"]["tiles"] == [list(left), list(right)]
    assert ranking.query.parsed["clauses"][2] == {
        "kind": "relation", "text": '"ships" left of "cranes"', "weight": 1.0, "counts": True,
    }  # fmt: skip


def test_the_api_takes_and_returns_clauses(user, archive):
    client = SchemaClient(user)
    asked = {"text": "a harbour", "clauses": [{"text": "harbour"}, {"text": "ships", "weight": -1}]}
    body = client.post(API, asked).json()
    assert [(each["kind"], each["text"], each["weight"]) for each in body["clauses"]] == [
        ("clause", "harbour", 1.0),
        ("without", "ships", -1.0),
    ]
    assert body["results"][0]["title"] == "cranes"
    again = client.post(API, {"text": "a harbour", "clauses": body["clauses"]}).json()
    assert again["clauses"] == body["clauses"]
    refused = client.post(API, {"text": "a harbour", "clauses": [{"text": "ships", "weight": 40}]})
    check_problem(refused, 400, field="clauses")


def _chips(html):
    texts = re.findall(r'name="clause"\s+value="([^"]*)"', html.split('id="results"')[1])
    weights = re.findall(r"<option value=\"([^\"]*)\" selected", html)
    return [unescape(text) for text in texts][: len(weights)], weights


def test_the_page_shows_chips_that_can_be_weighted_and_left_out(user, archive):
    client = client_of(user)
    know_query("a harbour, ships")
    html = page(client, "/?q=a+harbour+without+ships")
    assert _chips(html) == (["a harbour", "ships"], ["1", "-1"])
    (away,) = [unescape(href) for href in re.findall(r'class="chip__remove"\s+href="\?([^"]*)"', html)]
    assert dict(parse_qsl(away)) == {"q": "a harbour without ships", "clause": "a harbour", "weight": "1"}
    changed = page(client, "/?" + away)
    assert _chips(changed) == (["a harbour"], ["1"])
    assert "Understand the words anew" in changed
    assert Query.objects.order_by("-pk")[0].parsed["given"] is True
    weighted = page(client, "/?q=a+harbour+without+ships&clause=a+harbour&weight=1&clause=ships&weight=1")
    assert _chips(weighted) == (["a harbour", "ships"], ["1", "1"])


def test_chips_of_other_words_are_dropped_and_wrong_ones_are_told(user, archive):
    client = client_of(user)
    other = page(client, "/?q=harbour&clauses_of=cranes&clause=cranes&weight=2")
    assert 'name="clause"' not in other
    html = page(client, "/?q=harbour&clause=cranes&weight=70", status=400)
    assert "The weight of clause 1 is" in unescape(html)
    html = page(client, "/?q=harbour&clause=cranes", status=400)
    assert "Each clause needs a weight" in html


def test_changed_chips_are_answered_as_a_page_and_more_hits_as_a_part(user, archive):
    client = client_of(user)
    address = "/?q=harbour&clause=harbour&weight=2"
    whole = client.get(address, headers={"HX-Request": "true", "HX-Target": "results"}).content.decode()
    part = client.get(address, headers={"HX-Request": "true", "HX-Target": "more"}).content.decode()
    assert 'id="results"' in whole
    assert 'id="results"' not in part
    assert urlsplit(address).path == "/"
