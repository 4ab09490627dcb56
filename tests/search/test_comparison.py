"""Two encoders side by side: overlap, correlation and scores that can be computed by hand; the command and the page."""

import io
import json
import math

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from imagery.models import Encoder
from rsportal.errors import InvalidInput
from search.comparison import AskedQuery, encoders_compare
from search.comparison_queries import comparison_queries
from search.encode_query import query_vectors_forget
from tests import factories
from tests.factories import axis, know_query, make_collection, make_encoder, make_event, make_scene, make_user
from tests.search.judged import judge, make_judged_query, make_judged_set

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forget():
    query_vectors_forget()


@pytest.fixture
def boss():
    return make_user("boss", superuser=True)


@pytest.fixture
def pair():
    """Two encoders that know "harbour" as their first axis."""
    first, second = make_encoder("one"), make_encoder("two", active=False, state=Encoder.State.READY)
    for encoder in (first, second):
        know_query("harbour", encoder=encoder)
    return first, second


def place(pair, collection, angles, **fields):
    """Make a scene that stands at these angles (degrees) to the query under the two encoders."""
    import numpy as np

    vectors = [np.cos(np.radians(angle)) * axis(0) + np.sin(np.radians(angle)) * axis(1) for angle in angles]
    scene = make_scene(collection, encoder=pair[0], vector=vectors[0], **fields)
    factories.add_tile(scene, pair[1], vectors[1])
    return scene


def test_both_rankings_their_overlap_and_scores(pair, boss):
    collection = make_collection(owner=boss)
    port, ship, field = (
        place(pair, collection, angles, title=title, properties={"class": kind})
        for title, angles, kind in (
            ("port", (10, 30), "harbour"), ("ship", (20, 10), "harbour"), ("field", (30, 20), "farm")
        )
    )  # fmt: skip
    query = AskedQuery(text="harbour", language="en", scene_class="harbour")
    compared = encoders_compare(first=pair[0], second=pair[1], queries=[query], user=boss)
    (row,) = compared.queries
    assert [hit.scene for hit in row.sides[0].hits] == [port, ship, field]
    assert [hit.scene for hit in row.sides[1].hits] == [ship, field, port]
    assert [hit.other_rank for hit in row.sides[0].hits] == [3, 1, 2]
    assert [hit.relevant for hit in row.sides[1].hits] == [True, False, True]
    assert (row.overlap, row.known) == (1.0, 2)
    assert row.correlation == pytest.approx(-0.5)
    assert row.sides[0].precision == 1.0 and row.sides[1].precision == pytest.approx((1 + 2 / 3) / 2)
    assert compared.precision and compared.precision[0].mean == 1.0
    assert compared.precision_gain and compared.precision_gain.mean == pytest.approx(-1 / 6)
    assert row.sides[0].ndcg10 == 1.0 > (row.sides[1].ndcg10 or 0.0) > 0.5


def test_without_a_class_what_was_liked_is_right(pair, boss):
    collection = make_collection(owner=boss)
    liked, clicked, disliked = (place(pair, collection, (angle, angle)) for angle in (10, 20, 30))
    make_event(boss, liked, "like")
    make_event(boss, clicked, "click")
    make_event(boss, disliked, "download")
    make_event(make_user(), disliked, "dislike")
    compared = encoders_compare(first=pair[0], second=pair[1], queries=[AskedQuery("harbour")], user=boss)
    assert [hit.relevant for hit in compared.queries[0].sides[0].hits] == [True, False, False]
    assert compared.judged == 1 and compared.precision_gain and compared.precision_gain.mean == 0


def test_only_scenes_of_the_viewer_are_ranked_counted_and_right(pair):
    viewer = make_user("viewer", is_staff=True)
    place(pair, make_collection(), (5, 5), title="hidden", properties={"class": "harbour"})
    mine = place(pair, make_collection(owner=viewer), (40, 40), properties={"class": "harbour"})
    query = AskedQuery("harbour", scene_class="harbour")
    (row,) = encoders_compare(first=pair[0], second=pair[1], queries=[query], user=viewer).queries
    assert [hit.scene for hit in row.sides[0].hits] == [mine]
    assert (row.sides[0].searched, row.known) == (1, 1)


def test_a_query_that_cannot_be_answered_says_why_and_leaves_the_rest_alone(pair, boss):
    place(pair, make_collection(owner=boss), (10, 10))
    queries = [AskedQuery("harbour"), AskedQuery("an unknown word"), AskedQuery("x" * 2_000)]
    compared = encoders_compare(first=pair[0], second=pair[1], queries=queries, user=boss)
    fine, unloadable, too_long = compared.queries
    assert not fine.sides[0].problem and unloadable.sides[0].problem and unloadable.sides[1].problem
    assert "2000 characters" in too_long.sides[0].problem
    assert compared.overlap == 1.0 and compared.precision is None


def test_queries_are_words_or_judged_lines():
    lines = ["a harbour", "", '{"text": "ports", "language": "en", "class": "harbour"}', '{"text": "only text"}']
    assert comparison_queries(lines) == [
        AskedQuery("a harbour"), AskedQuery("ports", "en", "harbour"), AskedQuery("only text")
    ]  # fmt: skip
    assert len(comparison_queries([])) > 2, "the examples of the search box"
    for bad in ('{"language": "en"}', '{"text": 3}', "{broken", '{"text": " "}'):
        with pytest.raises(InvalidInput, match="Line 2") as caught:
            comparison_queries(["fine", bad])
        assert caught.value.field == "queries"
    with pytest.raises(InvalidInput, match="3 queries; 2 is the most"):
        comparison_queries(["a", "b", "c"], most=2)


def compare(*arguments):
    out = io.StringIO()
    call_command("encoder", "compare", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_both_rankings(pair, boss, tmp_path):
    place(pair, make_collection(owner=boss, slug="bay"), (10, 20), title="old port", properties={"kind": "harbour"})
    file = tmp_path / "queries.jsonl"
    file.write_text('{"text": "harbour", "language": "en", "class": "harbour"}\n')
    said = compare("one", "two", "--queries", str(file), "--property", "kind")
    assert said.count("old port") == 2 and "MAP" in said and "1.000 [1.000, 1.000]" in said
    told = json.loads(compare("one", "two", "--queries", str(file), "--json", "--collection", "bay"))
    assert told["encoders"] == ["one", "two"] and told["map"] is None
    assert told["queries"][0]["sides"][1]["hits"][0]["title"] == "old port"
    for arguments, reason in (
        (("one", "three"), "no encoder 'three'"),
        (("one", "two", "--as", "nobody"), "no active user"),
        (("one", "two", "--queries", "/nowhere"), "cannot be read"),
        (("one", "two", "--collection", "nowhere"), "no collection"),
    ):
        with pytest.raises(CommandError, match=reason):
            compare(*arguments)


def test_the_page_shows_thumbnails_side_by_side(client, pair, boss):
    scene = place(pair, make_collection(owner=boss), (10, 20), title="old port", properties={"class": "harbour"})
    client.force_login(boss)
    address = reverse("admin:search_compare")
    assert "old port" not in client.get(address, {"second": "two"}).content.decode()
    data = {"first": "one", "second": "two", "class_property": "class"}
    judged = '{"text": "harbour", "class": "harbour"}'
    shown = client.post(address, {**data, "queries": judged}).content.decode()
    assert shown.count(reverse("imagery:thumbnail", args=[scene.pk])) == 2
    assert "nDCG@10" in shown and "1 query with known right answers" in shown
    file = io.BytesIO(b"harbour\nharbour\n")
    file.name = "queries.jsonl"
    shown = client.post(address, {**data, "file": file}).content.decode()
    assert shown.count(reverse("imagery:thumbnail", args=[scene.pk])) == 4
    assert "no scores" in shown
    for wrong, reason in (
        ({"queries": "{broken"}, "Line 1 is no query"),
        ({"first": "nowhere"}, "Select a valid choice"),
        ({"class_property": "a b"}, "Enter a valid value"),
        ({"queries": "\n".join(["harbour"] * 201)}, "200 is the most"),
    ):
        shown = client.post(address, {**data, **wrong}).content.decode()
        assert reason in shown and "nDCG@10" not in shown


def test_the_page_is_for_those_who_steer_encoders(client, pair):
    client.force_login(make_user("staff", is_staff=True))
    assert client.get(reverse("admin:search_compare")).status_code == 403


def test_a_judged_set_brings_its_queries_grades_and_collection(client, pair, boss, tmp_path):
    bay = make_collection("bay", owner=boss)
    best, good, unjudged = (place(pair, bay, angles) for angles in ((10, 30), (20, 20), (30, 10)))
    place(pair, make_collection(owner=boss), (1, 1), title="elsewhere")
    judged_set = make_judged_set(boss, collection=bay)
    query = make_judged_query(judged_set, language="en")
    for scene, grade in ((best, 3), (good, 1), (unjudged, 0)):
        judge(query, scene, grade)
    make_judged_query(judged_set, "x" * 2_000)
    told = json.loads(compare("one", "two", "--set", "bays", "--json"))
    first, second = told["queries"][0]["sides"]
    assert told["queries"][0]["known"] == 2 and len(first["hits"]) == 3
    assert first["ndcg10"] == first["average_precision"] == 1.0
    ideal = 3 + 1 / math.log2(3)
    assert second["ndcg10"] == pytest.approx((1 / math.log2(3) + 3 / 2) / ideal)
    assert second["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert "2000 characters" in told["queries"][1]["sides"][0]["problem"]
    with pytest.raises(CommandError, match="not both"):
        compare("one", "two", "--set", "bays", "--queries", str(tmp_path / "q"))
    client.force_login(boss)
    address = reverse("admin:search_compare")
    data = {"first": "one", "second": "two", "class_property": "class", "judged_set": judged_set.pk}
    shown = client.post(address, data).content.decode()
    assert "1 query with known right answers" in shown and "elsewhere" not in shown
    assert "not both" in client.post(address, {**data, "queries": "harbour"}).content.decode()
    empty = make_judged_set(boss, "empty")
    assert "The set has 0 queries" in client.post(address, {**data, "judged_set": empty.pk}).content.decode()
