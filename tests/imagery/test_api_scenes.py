"""Scenes over the API: lists, filters, pages, files."""

import uuid

import pytest
from django.core.cache import cache

from imagery.models import Asset, Scene
from imagery.models.collection import Visibility
from tests.api import SchemaClient, check_problem
from tests.factories import make_collection, make_scene, make_user, utc

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/scenes/"


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


def titles(client: SchemaClient, **params) -> list[str]:
    """Return the titles of a list, sorted."""
    response = client.get(ADDRESS, params)
    assert response.status_code == 200, response.json()
    return sorted(row["title"] for row in response.json()["results"])


def test_a_scene_speaks_stac():
    ada = make_user()
    collection = make_collection("bay", owner=ada, license="CC-BY-4.0")
    scene = make_scene(
        collection,
        title="Norfolk",
        bbox=(-76.4, 36.0, -75.1, 37.1),
        datetime=utc(2020, 1, 4, 15),
        platform="sentinel-2a",
        instruments=["msi"],
        gsd=10.0,
        cloud_cover=3.5,
        properties={"view:off_nadir": 0},
        files=True,
    )
    body = SchemaClient(ada).get(f"{ADDRESS}{scene.pk}/").json()
    assert (body["id"], body["collection"], body["title"], body["status"]) == (str(scene.pk), "bay", "Norfolk", "ready")
    assert (body["datetime"], body["platform"], body["instruments"]) == ("2020-01-04T15:00:00Z", "sentinel-2a", ["msi"])
    assert (body["gsd"], body["eo:cloud_cover"], body["proj:code"]) == (10.0, 3.5, "EPSG:4326")
    assert body["proj:shape"] == [64, 64]
    assert body["bbox"] == [-76.4, 36.0, -75.1, 37.1]
    assert body["geometry"]["type"] == "Polygon"
    assert body["properties"] == {"view:off_nadir": 0}
    assert set(body["assets"]) == {"data", "thumbnail", "overview"}
    asset = Asset.objects.get(scene=scene, key="data")
    assert body["assets"]["data"]["file:size"] == asset.size
    assert body["assets"]["data"]["file:checksum"] == f"1220{asset.sha256}"


def test_a_scene_without_place_or_time_is_told_so():
    scene = make_scene(make_collection(owner=(ada := make_user())))
    body = SchemaClient(ada).get(f"{ADDRESS}{scene.pk}/").json()
    assert (body["bbox"], body["geometry"], body["datetime"], body["gsd"]) == (None, None, None, None)


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ("0,0,20,20", ["europe"]),
        ("170,-20,-170,20", ["fiji", "japan-side"]),
        ("-180,-90,180,90", ["europe", "fiji", "japan-side"]),
        ("-179.5,-5,-179,5", ["fiji"]),
        ("20,20,30,30", []),
    ],
)
def test_the_bbox_filter_crosses_the_antimeridian(bbox, expected):
    collection = make_collection(owner=(ada := make_user()))
    make_scene(collection, title="europe", bbox=(10, 10, 11, 11))
    make_scene(collection, title="fiji", bbox=(179, -1, -179, 1))
    make_scene(collection, title="japan-side", bbox=(171, 0, 172, 1))
    make_scene(collection, title="nowhere")
    assert titles(SchemaClient(ada), bbox=bbox) == expected


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("2020-01-01/2020-12-31", ["in 2020", "spans"]),
        ("2021-01-01/..", ["in 2021"]),
        ("../2020-06-01", ["in 2020", "spans"]),
        ("2020-06-01", ["in 2020"]),
        ("2020-06-01T00:00:00Z", ["in 2020"]),
        ("2020-06-01T02:00:00+02:00", ["in 2020"]),
        ("2020-06-01T00:00:01Z/2020-06-02", []),
        ("../..", ["in 2020", "in 2021", "spans", "undated"]),
    ],
)
def test_the_datetime_filter_takes_stac_intervals(interval, expected):
    collection = make_collection(owner=(ada := make_user()))
    make_scene(collection, title="in 2020", datetime=utc(2020, 6, 1))
    make_scene(collection, title="in 2021", datetime=utc(2021, 6, 1))
    make_scene(collection, title="spans", start_datetime=utc(2019, 6, 1), end_datetime=utc(2020, 2, 1))
    make_scene(collection, title="undated")
    assert titles(SchemaClient(ada), datetime=interval) == expected


def test_the_other_filters_narrow_too():
    ada = make_user()
    one, two = make_collection("one", owner=ada), make_collection("two", owner=ada)
    make_scene(one, title="Harbour A", platform="Sentinel-2A")
    make_scene(two, title="harbour b", platform="landsat-8", status=Scene.Status.PENDING)
    make_scene(make_collection("three", owner=ada), title="100% cloud")
    client = SchemaClient(ada)
    assert titles(client, collection="one") == ["Harbour A"]
    assert titles(client, collection=["one", "two"]) == ["Harbour A", "harbour b"]
    assert titles(client, q="HARBOUR") == ["Harbour A", "harbour b"]
    assert titles(client, q="%") == ["100% cloud"]
    assert titles(client, platform="sentinel-2a") == ["Harbour A"]
    assert titles(client, status="pending") == ["harbour b"]
    assert titles(client, collection="unknown") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bbox", "1,2,3"),
        ("bbox", "a,b,c,d"),
        ("bbox", "nan,0,1,1"),
        ("bbox", "-181,0,1,1"),
        ("bbox", "0,-91,1,1"),
        ("bbox", "0,10,1,5"),
        ("datetime", "yesterday"),
        ("datetime", "2020-13-01"),
        ("datetime", "2021-01-01/2020-01-01"),
        ("datetime", "2020/2021/2022"),
        ("datetime", "0001-01-01T00:00:00+10:00"),
        ("status", "done"),
        ("collection", "no spaces"),
        ("collection", "a\x00b"),
        ("q", "a\x00b"),
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "many"),
        ("limit", "\u0665"),
        ("cursor", "nonsense"),
        ("cursor", "WyJhIiwgImIiXQ"),
        ("cursor", "WzEsMl0"),
    ],
)
def test_a_wrong_parameter_is_named(field, value):
    check_problem(SchemaClient(make_user()).get(ADDRESS, {field: value}), 400, field=field)


def test_pages_neither_repeat_nor_drop_while_scenes_arrive_and_go():
    ada = make_user()
    collection = make_collection(owner=ada)
    moment = utc(2026, 1, 1)
    before = [make_scene(collection).pk for _number in range(23)]
    # Half of them came in the same instant, as a bulk import does.
    Scene.objects.filter(pk__in=before[:12]).update(created_at=moment)
    client, seen, address = SchemaClient(ada), [], f"{ADDRESS}?limit=5"
    while address:
        page = client.get(address).json()
        seen += [uuid.UUID(row["id"]) for row in page["results"]]
        address = page["next"]
        make_scene(collection)
        Scene.objects.filter(pk=seen[-1]).update(title="The row the cursor points to has changed")
        if len(seen) == 10:
            Scene.objects.get(pk=seen[3]).delete()
    assert len(seen) == len(set(seen)) == 23
    assert set(seen) == set(before)


def test_following_next_keeps_the_filters():
    ada = make_user()
    wanted, other = make_collection("wanted", owner=ada), make_collection("other", owner=ada)
    for _number in range(3):
        make_scene(wanted)
        make_scene(other)
    client = SchemaClient(ada)
    first = client.get(ADDRESS, {"collection": "wanted", "limit": 2}).json()
    second = client.get(first["next"]).json()
    assert [len(first["results"]), len(second["results"]), second["next"]] == [2, 1, None]
    assert {row["collection"] for row in first["results"] + second["results"]} == {"wanted"}


def test_nobody_sees_a_private_scene_of_another():
    ada, bob = make_user(), make_user()
    scene = make_scene(make_collection("secret", owner=bob), files=True)
    client = SchemaClient(ada)
    assert titles(client) == [] and titles(client, collection="secret") == []
    check_problem(client.get(f"{ADDRESS}{scene.pk}/"), 404)
    check_problem(client.delete(f"{ADDRESS}{scene.pk}/"), 404)
    for key in ("data", "thumbnail", "overview", "none", "a%00b"):
        check_problem(client.get(f"{ADDRESS}{scene.pk}/assets/{key}/"), 404)


def test_files_come_to_a_token_and_are_not_sent_twice():
    ada = make_user()
    scene = make_scene(make_collection(owner=ada), files=True)
    client = SchemaClient(ada)
    assets = client.get(f"{ADDRESS}{scene.pk}/").json()["assets"]
    thumbnail = client.get(assets["thumbnail"]["href"], HTTP_ACCEPT="image/webp")
    content = b"".join(thumbnail.streaming_content)
    assert content[:4] == b"RIFF" and thumbnail.headers["Content-Type"] == "image/webp"
    assert len(content) == assets["thumbnail"]["file:size"]
    assert "private" in thumbnail.headers["Cache-Control"]
    again = client.get(assets["thumbnail"]["href"], HTTP_IF_NONE_MATCH=thumbnail.headers["ETag"])
    assert again.status_code == 304
    original = client.get(assets["data"]["href"])
    assert original.headers["Content-Disposition"].startswith("attachment")
    assert b"".join(original.streaming_content)[:4] == b"\x89PNG"


def test_originals_follow_the_licence():
    ada, bob, cyd = make_user(), make_user(), make_user()
    closed = make_collection("closed", owner=ada, visibility=Visibility.MEMBERS, viewers=[bob], editors=[cyd])
    scene = make_scene(closed, files=True)
    address = f"{ADDRESS}{scene.pk}/"
    viewer = SchemaClient(bob)
    assert set(viewer.get(address).json()["assets"]) == {"thumbnail", "overview"}
    check_problem(viewer.get(f"{address}assets/data/"), 403, code="not_allowed")
    assert viewer.get(f"{address}assets/overview/").status_code == 200
    for user in (ada, cyd):
        editor = SchemaClient(user)
        assert "data" in editor.get(address).json()["assets"]
        assert editor.get(f"{address}assets/data/").status_code == 200
    closed.license = "CC-BY-4.0"
    closed.save()
    assert "data" in viewer.get(address).json()["assets"]
    assert viewer.get(f"{address}assets/data/").status_code == 200


def test_a_file_that_is_gone_is_said_to_be_missing(media_folder):
    scene = make_scene(make_collection(owner=(ada := make_user())), files=True)
    (media_folder / Asset.objects.get(scene=scene, key="thumbnail").path).unlink()
    check_problem(SchemaClient(ada).get(f"{ADDRESS}{scene.pk}/assets/thumbnail/"), 404, code="missing")


def test_editors_delete_scenes_and_viewers_do_not():
    ada, bob = make_user(), make_user()
    scene = make_scene(make_collection(owner=ada, visibility=Visibility.MEMBERS, viewers=[bob]), files=True)
    check_problem(SchemaClient(bob).delete(f"{ADDRESS}{scene.pk}/"), 403, code="not_allowed")
    assert SchemaClient(ada).delete(f"{ADDRESS}{scene.pk}/").status_code == 204
    assert not Scene.objects.filter(pk=scene.pk).exists()


def test_lists_ask_the_database_equally_often_and_never_for_vectors(django_assert_max_num_queries):
    ada = make_user()
    collection = make_collection(owner=ada)
    for _number in range(20):
        make_scene(collection)
    client = SchemaClient(ada)
    client.get(ADDRESS)
    with django_assert_max_num_queries(6) as captured:
        assert len(client.get(ADDRESS).json()["results"]) == 20
    assert not [query for query in captured.captured_queries if "imagery_embedding" in query["sql"]]
