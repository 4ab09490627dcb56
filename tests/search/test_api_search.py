"""Search over the API."""

import pytest
from django.core.cache import cache
from rest_framework.throttling import SimpleRateThrottle

from imagery.models import Encoder
from search.models import Impression, Query
from tests import factories
from tests.api import SchemaClient, check_problem

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/search/"
WINDOW = (16, 8, 32, 32)


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


@pytest.fixture
def owner():
    return factories.make_user("ada")


@pytest.fixture
def coast(owner):
    factories.make_encoder("made", calibration={"scale": 10.0, "offset": -4.0})
    factories.know_query("harbour")
    return factories.make_collection("coast", owner=owner)


@pytest.fixture
def scenes(coast):
    """Scenes whose cosine with the query falls from 1; the first is the best."""
    return [factories.make_scene(coast, vector=[1, 0.1 * n, 0, 0, 0, 0, 0, 0]) for n in range(7)]


def test_the_answer_is_the_commands_and_more(owner, coast):
    scene = factories.make_scene(
        coast,
        title="Port",
        vector=factories.axis(3),
        windows={WINDOW: factories.axis(0)},
        bbox=(4.0, 51.9, 4.2, 52.0),
        datetime=factories.utc(2024, 5, 31),
        files=True,
    )
    client = SchemaClient(owner)
    body = client.get(ADDRESS, {"text": " harbour "}).json()
    assert (body["query"], body["encoder"], body["searched"], body["total"]) == ("harbour", "made", 1, 1)
    assert set(body["took_ms"]) == {"encode", "retrieve", "rank", "total"}
    (hit,) = body["results"]
    assert (hit["rank"], hit["scene"], hit["title"], hit["collection"]) == (1, str(scene.pk), "Port", "coast")
    assert (hit["window"], hit["bbox"]) == (list(WINDOW), [4.0, 51.9, 4.2, 52.0])
    assert (hit["datetime"], hit["band"]) == ("2024-05-31T00:00:00Z", "likely")
    assert hit["filename"] == scene.assets.get(role="data").filename
    assert client.get(hit["links"]["scene"]).json()["id"] == hit["scene"]
    assert client.get(hit["links"]["thumbnail"]).headers["Content-Type"] == "image/webp"
    query = Query.objects.get()
    assert (query.user, query.channel) == (owner, "api")


def test_post_answers_the_same_as_get(owner, scenes):
    client = SchemaClient(owner)
    asked = {"text": "harbour", "collections": ["coast"], "limit": 3}
    one, two = client.get(ADDRESS, asked).json(), client.post(ADDRESS, asked).json()
    assert [hit["scene"] for hit in one["results"]] == [hit["scene"] for hit in two["results"]]
    assert [hit["scene"] for hit in one["results"]] == [str(scene.pk) for scene in scenes[:3]]
    assert Query.objects.filter(filters={"collections": ["coast"]}).count() == 1, "the same question is one entry"


def test_next_leads_through_the_whole_answer_whatever_arrives_meanwhile(owner, coast, scenes):
    client, seen = SchemaClient(owner), []
    page = client.get(ADDRESS, {"text": "harbour", "limit": 3}).json()
    while True:
        seen += [(hit["rank"], hit["scene"]) for hit in page["results"]]
        factories.make_scene(coast, vector=factories.axis(0))
        if page["next"] is None:
            break
        page = client.get(page["next"]).json()
    assert seen == [(rank, str(scene.pk)) for rank, scene in enumerate(scenes, start=1)]
    assert (page["page"], page["pages"], page["total"]) == (3, 3, 7)
    assert Query.objects.count() == 1
    assert Impression.objects.count() == 7


def test_a_ranking_of_another_person_is_unknown(owner, scenes):
    page = SchemaClient(owner).get(ADDRESS, {"text": "harbour", "limit": 3}).json()
    other = SchemaClient(factories.make_user())
    check_problem(other.get(page["next"]), 404)
    check_problem(other.get(ADDRESS, {"ranking": "00000000-0000-4000-8000-000000000000"}), 404)


def test_nobody_finds_a_private_scene_of_another(scenes):
    body = SchemaClient(factories.make_user()).get(ADDRESS, {"text": "harbour"}).json()
    assert (body["results"], body["searched"], body["total"]) == ([], 0, 0)


def test_filters_narrow_the_search(owner, coast):
    factories.make_scene(coast, title="old", datetime=factories.utc(2019, 6, 1))
    factories.make_scene(coast, title="new", datetime=factories.utc(2021, 6, 1))
    factories.make_scene(factories.make_collection("inland", owner=owner), title="inland")
    client = SchemaClient(owner)

    def found(**params) -> set[str]:
        return {hit["title"] for hit in client.get(ADDRESS, {"text": "harbour", **params}).json()["results"]}

    assert found(collections=["coast"], start="2020-01-01") == {"new"}
    assert found(end="2019-06-01") == {"old"}
    assert found(collections=["coast", "inland"]) == {"old", "new", "inland"}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "text"),
        ({"text": "  "}, "text"),
        ({"text": "x" * 10_000}, "text"),
        ({"text": "harbour", "collections": ["unknown"]}, "collections"),
        ({"text": "harbour", "start": "soon"}, "start"),
        ({"text": "harbour", "start": "2021-01-01", "end": "2020-01-01"}, "start"),
        ({"text": "harbour", "limit": 101}, "limit"),
        ({"text": "harbour", "limit": 0}, "limit"),
        ({"text": "harbour", "page": 0}, "page"),
        ({"ranking": "x"}, "ranking"),
    ],
)
def test_a_wrong_parameter_is_named(owner, coast, params, field):
    client = SchemaClient(owner)
    check_problem(client.get(ADDRESS, params), 400, field=field)
    check_problem(client.post(ADDRESS, params), 400, field=field)
    assert not Query.objects.exists()


def test_a_list_of_collections_has_an_end(owner, coast):
    asked = {"text": "harbour", "collections": ["coast"] * 1001}
    check_problem(SchemaClient(owner).post(ADDRESS, asked), 400, field="collections")


def test_without_an_encoder_it_says_what_the_operator_must_do(owner):
    Encoder.objects.all().delete()
    response = SchemaClient(owner).get(ADDRESS, {"text": "harbour"})
    body = check_problem(response, 503, code="no_encoder")
    assert "manage.py encoder" in body["detail"]
    assert int(response.headers["Retry-After"]) > 0


def test_a_search_asks_the_database_equally_often_for_few_and_many_results(owner, coast, scenes):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = SchemaClient(owner)
    counts = []
    for limit in (1, 7):
        client.get(ADDRESS, {"text": "harbour", "limit": limit})
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert len(client.get(ADDRESS, {"text": "harbour", "limit": limit}).json()["results"]) == limit
        counts.append(len(captured))
        # Vectors are compared where they lie; none is read out.
        assert not [query for query in captured if 'SELECT "imagery_embedding"."vector"' in query["sql"]]
    assert counts[0] == counts[1]


def test_searches_have_a_rate_of_their_own(monkeypatch, owner, scenes):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {**SimpleRateThrottle.THROTTLE_RATES, "search": "1/min"})
    client = SchemaClient(owner)
    assert client.get(ADDRESS, {"text": "harbour"}).status_code == 200
    response = client.get(ADDRESS, {"text": "harbour"})
    check_problem(response, 429, code="throttled")
    assert int(response.headers["Retry-After"]) > 0
    assert client.get("/api/v1/scenes/").status_code == 200
