"""Collections over the API."""

import pytest
from django.core.cache import cache

from imagery.models import Collection, Scene
from imagery.models.collection import Visibility
from tests.api import SchemaClient, check_problem
from tests.factories import make_collection, make_scene, make_user, utc

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/collections/"


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


def test_the_list_holds_what_one_may_see_with_count_and_extent():
    ada, bob = make_user(), make_user()
    mine = make_collection("mine", owner=ada, title="B mine", license="CC-BY-4.0")
    make_collection("secret", owner=bob)
    make_collection("open", owner=bob, title="A open", visibility=Visibility.ALL_USERS)
    make_collection("shared", owner=bob, title="C shared", visibility=Visibility.MEMBERS, viewers=[ada])
    make_scene(mine, bbox=(10, 40, 11, 41), datetime=utc(2020, 5, 1))
    make_scene(mine, bbox=(12, 42, 13, 43), start_datetime=utc(2019, 1, 1), end_datetime=utc(2021, 1, 1))
    make_scene(mine, bbox=(90, 80, 91, 81), status=Scene.Status.PENDING)
    body = SchemaClient(ada).get(ADDRESS).json()
    assert [row["slug"] for row in body["results"]] == ["open", "mine", "shared"]
    row = body["results"][1]
    assert (row["scene_count"], row["originals_downloadable"], row["owner"]) == (2, True, ada.username)
    assert row["extent"]["bbox"] == [10, 40, 13, 43]
    assert row["extent"]["interval"] == ["2019-01-01T00:00:00Z", "2021-01-01T00:00:00Z"]
    assert body["results"][0]["extent"] == {"bbox": None, "interval": None}


@pytest.mark.parametrize(
    ("boxes", "extent"),
    [
        ([(170, 0, 175, 1), (-175, 0, -170, 1)], [170, 0, -170, 1]),
        ([(178, 0, -178, 1)], [178, 0, -178, 1]),
        ([(178, 0, -178, 1), (-10, 0, 10, 1)], [-10, 0, -178, 1]),
        ([(-10, 0, 10, 1), (20, 0, 30, 1)], [-10, 0, 30, 1]),
        ([(-180, -1, 180, 1)], [-180, -1, 180, 1]),
        ([(-80, 30, -70, 40)], [-80, 30, -70, 40]),
    ],
)
def test_the_extent_is_the_narrow_side_of_the_antimeridian(boxes, extent):
    collection = make_collection("any", owner=(ada := make_user()))
    for box in boxes:
        make_scene(collection, bbox=box)
    found = SchemaClient(ada).get(f"{ADDRESS}any/").json()["extent"]["bbox"]
    assert found[1::2] == extent[1::2]
    west, east = found[0], found[2] + (360 if found[2] < found[0] else 0)
    for box_west, _south, box_east, _north in boxes:
        length = (box_east - box_west) % 360 or 360
        start = (box_west - west) % 360
        assert start + length <= east - west + 1e-9 or east - west == 360
    if len(boxes) < 2 or boxes[0][0] == 170:
        assert found == extent


def test_one_may_not_know_of_a_collection_one_may_not_see():
    make_collection("secret", owner=make_user())
    client = SchemaClient(make_user())
    check_problem(client.get(f"{ADDRESS}secret/"), 404)
    check_problem(client.patch(f"{ADDRESS}secret/", {"title": "x"}), 404)
    check_problem(client.delete(f"{ADDRESS}secret/"), 404)
    check_problem(client.get(f"{ADDRESS}no%00thing/"), 404)


def test_a_collection_is_made_changed_and_deleted_by_its_owner():
    client = SchemaClient(ada := make_user())
    made = client.post(ADDRESS, {"slug": "bay", "title": "Bay", "license": "CC-BY-4.0", "visibility": "members"})
    assert made.status_code == 201
    assert made.headers["Location"] == made.json()["links"]["self"]
    assert Collection.objects.get(slug="bay").owner == ada
    changed = client.patch(f"{ADDRESS}bay/", {"title": "The bay", "visibility": "all_users"})
    assert (changed.json()["title"], changed.json()["license"]) == ("The bay", "CC-BY-4.0")
    assert client.delete(f"{ADDRESS}bay/").status_code == 204
    assert not Collection.objects.filter(slug="bay").exists()


def test_wrong_and_taken_fields_are_named():
    make_collection("taken", owner=make_user())
    client = SchemaClient(make_user())
    check_problem(client.post(ADDRESS, {"slug": "no spaces", "title": "x"}), 400, field="slug")
    check_problem(client.post(ADDRESS, {"slug": "taken", "title": "x"}), 400, field="slug")
    check_problem(client.post(ADDRESS, {"slug": "x"}), 400, field="title")
    check_problem(client.post(ADDRESS, {"title": "x", "visibility": "world"}), 400, field="visibility")
    half = client.generic("POST", ADDRESS, r'{"title": "\ud800"}', content_type="application/json")
    check_problem(half, 400, field="title")
    assert client.post(ADDRESS, {"title": "No slug given"}).json()["slug"] == "no-slug-given"


def test_how_scenes_are_cut_is_told_changed_and_checked():
    client = SchemaClient(make_user())
    made = client.post(ADDRESS, {"slug": "fine", "title": "Fine", "tile_overlap": 0.5, "tile_gsd_max": 40}).json()
    assert [made[f"tile_{name}"] for name in ("overlap", "gsd_min", "gsd_max", "most")] == [0.5, None, 40, 2000]
    changed = client.patch(f"{ADDRESS}fine/", {"tile_gsd_min": 20, "tile_most": 20_000}).json()
    assert [changed[f"tile_{name}"] for name in ("overlap", "gsd_min", "gsd_max", "most")] == [0.5, 20, 40, 20_000]
    for field, value in (("tile_overlap", 0.1), ("tile_gsd_max", 10), ("tile_gsd_min", -1), ("tile_most", 10**6)):
        check_problem(client.patch(f"{ADDRESS}fine/", {field: value}), 400, field=field)
    check_problem(client.post(ADDRESS, {"title": "x", "tile_overlap": 2}), 400, field="tile_overlap")
    assert client.patch(f"{ADDRESS}fine/", {"tile_gsd_min": None}).json()["tile_gsd_min"] is None


def test_only_the_owner_changes_a_collection_and_scenes_keep_it():
    ada, bob = make_user(), make_user()
    collection = make_collection("open", owner=ada, visibility=Visibility.ALL_USERS)
    make_scene(collection)
    check_problem(SchemaClient(bob).patch(f"{ADDRESS}open/", {"title": "x"}), 403, code="not_allowed")
    check_problem(SchemaClient(bob).delete(f"{ADDRESS}open/"), 403)
    check_problem(SchemaClient(ada).delete(f"{ADDRESS}open/"), 409, code="conflict")
    assert Collection.objects.filter(slug="open").exists()


def test_the_list_asks_the_database_equally_often_for_one_and_for_many(django_assert_max_num_queries):
    client = SchemaClient(ada := make_user())
    for number in range(12):
        make_scene(make_collection(f"c{number}", owner=ada), bbox=(1, 1, 2, 2))
    client.get(ADDRESS)
    with django_assert_max_num_queries(4):
        assert len(client.get(ADDRESS).json()["results"]) == 12


def test_pages_follow_the_title_and_never_repeat():
    client = SchemaClient(ada := make_user())
    for title in ["b", "a", "a", "a", "c", "B"]:
        make_collection(owner=ada, title=title)
    seen, address = [], f"{ADDRESS}?limit=2"
    while address:
        page = client.get(address).json()
        seen += [row["slug"] for row in page["results"]]
        address = page["next"]
    assert sorted(seen) == sorted(Collection.objects.values_list("slug", flat=True))
    assert seen == list(Collection.objects.order_by("title", "pk").values_list("slug", flat=True))


def test_the_band_recipe_of_a_collection_is_kept_as_it_is_understood():
    client = SchemaClient(make_user())
    recipe = {"bands": ["nir", "red", "green"], "stretch": "range", "range": [[0, 3500]], "gamma": 1.5}
    made = client.post(ADDRESS, {"slug": "fine", "title": "Fine", "rendering": recipe}).json()
    assert made["rendering"] == recipe
    changed = client.patch(f"{ADDRESS}fine/", {"rendering": {"bands": [4], "stretch": "auto"}}).json()
    assert changed["rendering"] == {"bands": ["4"]}
    wrong = {"rendering": {"bands": ["red"], "gamma": 9}}
    check_problem(client.patch(f"{ADDRESS}fine/", wrong), 400, field="rendering.gamma")
    check_problem(client.patch(f"{ADDRESS}fine/", {"rendering": ["red"]}), 400, field="rendering")
    assert client.get(f"{ADDRESS}fine/").json()["rendering"] == {"bands": ["4"]}
    assert client.patch(f"{ADDRESS}fine/", {"rendering": {}}).json()["rendering"] == {}
