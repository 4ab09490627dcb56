"""The filters of a search as people and programs write them: pages, API, command line; and what is kept of texts."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.utils import timezone

from imagery.models import Collection, Scene
from imagery.models.collection import Visibility
from rsportal.errors import InvalidInput
from search.encode_query import query_encode, query_vectors_forget
from search.forms import SearchForm
from search.models import Query, QueryVector, TranslatedText
from search.selectors import ranking_get
from search.services import ranking_page, search_request_parse, search_run
from search.services.caches import texts_prune
from tests import factories
from tests.api import SchemaClient
from tests.pages import client_of, page

pytestmark = pytest.mark.django_db
API = "/api/v1/search/"
ADDED = {
    "sharp": factories.utc(2026, 5, 31, 13),
    "coarse": factories.utc(2026, 6, 1, 12),
    "unknown": factories.utc(2026, 6, 1, 13),
}
FAR, NEAR = (179, 10, -179, 11), (1, 1, 2, 2)


@pytest.fixture
def user():
    return factories.make_user("ana")


@pytest.fixture
def scenes(user):
    factories.make_encoder()
    factories.know_query("harbour")
    bay = factories.make_collection("bay", owner=user, license="CC-BY-4.0")
    cape = factories.make_collection("cape", owner=user)
    fields: dict[str, dict[str, Any]] = {
        "sharp": {"platform": "GF-2", "instruments": ["PMS"], "gsd": 0.8, "cloud_cover": 2.0, "bbox": FAR},
        "coarse": {"platform": "landsat-8", "instruments": ["oli"], "gsd": 30.0, "cloud_cover": 60.0, "bbox": NEAR},
        "unknown": {},
    }  # fmt: skip
    made = {
        name: factories.make_scene(
            cape if name == "unknown" else bay, title=name, datetime=factories.utc(2021), **values
        )
        for name, values in fields.items()
    }
    for name, day in ADDED.items():
        Scene.objects.filter(pk=made[name].pk).update(created_at=day)
    return made


FILTERS = [
    ({"bbox": "178,0,-178,20"}, {"sharp"}),
    ({"bbox": "[-179.5; 0; 3; 20]"}, {"sharp", "coarse"}),
    ({"intersects": '{"type":"Polygon","coordinates":[[[0,0],[3,0],[3,3],[0,0]]]}'}, {"coarse"}),
    ({"intersects": '{"type":"Polygon","coordinates":[[[179.5,9],[185,9],[182,12],[179.5,9]]]}'}, {"sharp"}),
    ({"platform": ["gf-2", "x"]}, {"sharp"}),
    ({"instruments": ["OLI"]}, {"coarse"}),
    ({"gsd_max": "0.8"}, {"sharp"}),
    ({"gsd_min": "0.8", "gsd_max": "30"}, {"sharp", "coarse"}),
    ({"cloud_cover_max": "2"}, {"sharp"}),
    ({"license": ["cc-by-4.0"]}, {"sharp", "coarse"}),
    ({"license": ["none"]}, {"unknown"}),
    ({"platform": ["landsat-8"], "cloud_cover_max": "10"}, set()),
    ({"added_after": "2026-05-31"}, {"coarse", "unknown"}),
    ({"added_after": "2026-05-31T12:00:00Z"}, {"sharp", "coarse", "unknown"}),
    ({"added_after": "2026-06-01T14:00:00+02:00"}, {"unknown"}),
]


@pytest.mark.parametrize(("asked", "wanted"), FILTERS)
def test_pages_and_programs_find_the_same(asked, wanted, user, scenes, client):
    client = client_of(user)
    response = client.get("/", {"q": "harbour", **asked})
    assert {row.hit.scene.title for row in response.context["hits"]} == wanted
    answer = SchemaClient(user).get(API, {"text": "harbour", **asked}).json()
    assert {hit["title"] for hit in answer["results"]} == wanted
    kept = Query.objects.latest("pk")
    again = client.get(f"/?{SearchForm.of_query(kept).querystring()}")
    assert {row.hit.scene.title for row in again.context["hits"]} == wanted
    assert SearchForm.of_query(kept).filters_set == len({name.split("_m")[0] for name in asked})


WRONG = [
    ({"bbox": "1,9,2,3"}, "bbox", "above north"),
    ({"bbox": "1,2,3"}, "bbox", "four numbers"),
    ({"bbox": "1,2,300,4"}, "bbox", "-180 and 180"),
    ({"bbox": "nan,2,3,4"}, "bbox", "finite"),
    ({"intersects": "here"}, "intersects", "GeoJSON"),
    ({"intersects": '{"type":"Polygon","coordinates":[[[0,0],[2,2],[2,0],[0,2],[0,0]]]}'}, "intersects", "crosses"),
    ({"gsd_min": "9", "gsd_max": "3"}, "gsd_min", "Swap"),
    ({"gsd_max": "-1"}, "gsd_max", "from 0"),
    ({"cloud_cover_max": "101"}, "cloud_cover_max", "0 to 100"),
    ({"added_after": "yesterday"}, "added_after", "year-month-day"),
    ({"added_after": "0001-01-01T00:00:00+09:00"}, "added_after", "moment"),
    ({"platform": ["a\x07b"]}, "platform", "control character"),
    ({"license": ["x" * 201]}, "license", "too long"),
]


@pytest.mark.parametrize(("asked", "field", "words"), WRONG)
def test_what_cannot_be_used_is_named_with_its_field(asked, field, words, user, scenes):
    with pytest.raises(InvalidInput, match=words) as caught:
        search_request_parse(user=user, text="harbour", **asked)
    assert caught.value.field == field
    response = client_of(user).get("/", {"q": "harbour", **asked})
    assert response.status_code == 400 and field in response.context["form"].errors
    answer = SchemaClient(user).get(API, {"text": "harbour", **asked})
    assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == field
    assert not Query.objects.exists()


def test_the_api_takes_a_box_as_numbers_and_counts_on_request(user, scenes):
    factories.make_scene(factories.make_collection(), platform="hidden")
    client = SchemaClient(user)
    assert client.get(API, {"text": "harbour"}).json()["facets"] is None
    asked = {"text": "harbour", "bbox": [170, 0, -170, 20], "facets": True, "limit": 1}
    answer = client.post(API, asked, format="json").json()
    facets = answer["facets"]
    assert (answer["searched"], answer["estimated"], facets["total"], facets["estimated"]) == (1, False, 1, [])
    assert facets["platform"] == [{"value": "gf-2", "count": 1}]
    assert facets["license"] == [{"value": "CC-BY-4.0", "count": 1}]
    assert [row["count"] for row in facets["gsd"] if row["to"] == 1.0] == [1]
    assert client.post(API, {**asked, "bbox": [1, 2]}, format="json").status_code == 400


def test_the_page_tells_what_each_choice_would_give(user, scenes):
    html = page(client_of(user), "/?q=harbour&platform=GF-2")
    rail = " ".join(html.split())
    assert 'value="gf-2" form="ask" checked> <span class="rail__name">gf-2</span> <span class="rail__count">1<' in rail
    assert '<span class="rail__name">landsat-8</span> <span class="rail__count">1<' in rail, "as if none were chosen"
    assert "up to 1 m" in rail and "up to 30 m" not in rail
    assert 'href="?q=harbour"' in rail, "the way to take the platform off"


def test_the_command_line_knows_the_filters(user, scenes, capsys):
    call_command("search", "harbour", "--as", "ana", "--bbox=178,0,-178,20", "--gsd-max", "1", "--license", "CC-BY-4.0")
    shown = capsys.readouterr().out
    assert "sharp" in shown and "coarse" not in shown


@pytest.mark.parametrize("seed", range(4))
def test_following_the_pages_neither_repeats_nor_drops_whatever_vanishes(seed, user):
    """Between any two pages scenes are deleted, hidden and added; each scene that stays is seen exactly once."""
    rng = random.Random(seed)
    factories.make_encoder()
    factories.know_query("harbour")
    owner = factories.make_user()
    shared = factories.make_collection(owner=owner, visibility=Visibility.ALL_USERS)
    veiled = factories.make_collection(owner=owner, visibility=Visibility.ALL_USERS)
    scenes = {
        scene.pk: scene.collection_id
        for n in range(23)
        for scene in [factories.make_scene(rng.choice([shared, veiled]), vector=[1, 0.02 * n, 0, 0, 0, 0, 0, 0])]
    }
    ranking = search_run(user=user, request=search_request_parse(user=user, text="harbour"))
    seen: list[UUID] = []
    gone: set[UUID] = set()
    number, pages, size = 0, 1, rng.randint(2, 6)
    while number < pages:
        number += 1
        cut = ranking_page(user=user, ranking=ranking_get(user, ranking.pk), page=number, size=size)
        pages = cut.pages
        seen += [hit.scene.pk for hit in cut.hits]
        lost = rng.sample(sorted(set(scenes) - gone), rng.randint(0, 2))
        Scene.objects.filter(pk__in=lost).delete()
        gone.update(lost)
        if rng.random() < 0.3:
            Collection.objects.filter(pk=veiled.pk).update(visibility=Visibility.PRIVATE)
        factories.make_scene(shared, vector=factories.axis(0))
    private = Collection.objects.get(pk=veiled.pk).visibility == Visibility.PRIVATE
    hidden = {pk for pk, collection in scenes.items() if private and collection == veiled.pk}
    assert len(seen) == len(set(seen))
    assert set(scenes) - gone - hidden <= set(seen) <= set(scenes)
    assert seen == sorted(seen, key=list(ranking.scene_ids).index)


def test_kept_texts_are_bounded_and_the_least_used_go(user, settings):
    settings.SEARCH_KEPT_TEXTS = 3
    encoder = factories.make_encoder()
    rows = [factories.know_query(f"text {number}") for number in range(6)]
    now = timezone.now()
    for age, row in enumerate(reversed(rows)):
        QueryVector.objects.filter(pk=row.pk).update(used_at=now - timedelta(hours=3 + age))
    query_vectors_forget()
    query_encode(text="text 0", encoder=encoder)  # The oldest is used again.
    kept = Query.objects.create(user=user, text="text 1", vector=rows[1])
    TranslatedText.objects.create(translator="x", text="旧", text_sha256="1", used_at=now - timedelta(days=8))
    assert texts_prune() == 4
    assert set(QueryVector.objects.values_list("text", flat=True)) == {"text 0", "text 4", "text 5"}
    kept.refresh_from_db()
    assert kept.vector is None, "the question itself stays"
    assert texts_prune() == 0


def test_texts_of_nobody_go_after_a_week(user):
    factories.make_encoder()
    mine, compared, fresh = (factories.know_query(text) for text in ("mine", "compared", "fresh"))
    Query.objects.create(user=user, text="mine", vector=mine)
    old = timezone.now() - timedelta(days=8)
    QueryVector.objects.filter(pk__in=[mine.pk, compared.pk]).update(used_at=old)
    assert texts_prune() == 1
    assert set(QueryVector.objects.all()) == {mine, fresh}
