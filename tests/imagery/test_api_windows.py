"""The windows of a scene over the API: where they lie on Earth, and who may know."""

import pytest
from django.core.cache import cache
from rasterio.warp import transform

from imagery.models import Scene
from imagery.services.ingest import SourceFile, ingest_jobs_drain, source_ingest
from imagery.tiling import tile_windows
from tests import images
from tests.api import SchemaClient, check_problem
from tests.factories import make_scene, make_user

pytestmark = pytest.mark.django_db
SIZE = (900, 700)


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


@pytest.fixture
def scene(tmp_path, collection, owner, encoder):
    """A scene of several levels, 10 m in UTM 18 north."""
    path = images.geotiff(tmp_path / "utm.tif", images.deep_ramp(width=SIZE[0], height=SIZE[1]))
    source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=owner)
    ingest_jobs_drain()
    return Scene.objects.get()


def corners(window):
    """The corners of a window of NORTH_UP, by another way than the portal's."""
    x, y, width, height = window
    east, north = images.NORTH_UP.c, images.NORTH_UP.f
    xs = [east + 10 * (x + dx * width) for dx in (0, 0, 1, 1)]
    ys = [north - 10 * (y + dy * height) for dy in (0, 1, 1, 0)]
    return list(zip(*transform(images.UTM18, "EPSG:4326", xs, ys), strict=True))


def test_every_window_has_its_outline_on_earth(scene, owner):
    client, rows, address = SchemaClient(owner), [], f"/api/v1/scenes/{scene.pk}/windows/?limit=7"
    while address:
        page = client.get(address).json()
        rows += page["results"]
        address = page["next"]
    assert [(row["level"], *row["window"]) for row in rows] == [
        (window.level, *window.box) for window in tile_windows(*SIZE)
    ]
    half_a_pixel = 5 / 111_000
    for row in rows:
        (ring,) = row["geometry"]["coordinates"]
        for lon, lat in corners(row["window"]):
            nearest = min(max(abs(lon - point[0]) * 0.79, abs(lat - point[1])) for point in ring)
            assert nearest < half_a_pixel, row["window"]


def test_a_picture_without_a_place_has_windows_without_outlines(tmp_path, collection, owner, encoder):
    path = images.draw(tmp_path / "a.png", width=600, height=400)
    source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=owner)
    ingest_jobs_drain()
    rows = SchemaClient(owner).get(f"/api/v1/scenes/{Scene.objects.get().pk}/windows/").json()["results"]
    assert len(rows) > 4 and all(row["geometry"] is None for row in rows)


def test_who_may_not_see_a_scene_does_not_learn_of_its_windows(scene):
    stranger = SchemaClient(make_user("stranger"))
    check_problem(stranger.get(f"/api/v1/scenes/{scene.pk}/windows/"), 404)
    check_problem(stranger.get("/api/v1/scenes/00000000-0000-4000-8000-000000000000/windows/"), 404)


def test_a_wrong_cursor_is_named(scene, owner):
    check_problem(SchemaClient(owner).get(f"/api/v1/scenes/{scene.pk}/windows/?cursor=x"), 400, field="cursor")


def test_many_windows_cost_as_many_queries_as_few(scene, collection, owner, django_assert_max_num_queries):
    client, few = SchemaClient(owner), make_scene(collection)
    client.get(f"/api/v1/scenes/{few.pk}/windows/")
    with django_assert_max_num_queries(4):
        client.get(f"/api/v1/scenes/{scene.pk}/windows/")
    with django_assert_max_num_queries(4):
        client.get(f"/api/v1/scenes/{few.pk}/windows/")


def test_hits_of_a_search_tell_where_their_window_lies(scene, owner, encoder):
    client = SchemaClient(owner)
    (hit,) = client.post("/api/v1/search/", {"text": "a harbour"}).json()["results"]
    window = hit["window"] or [0, 0, *SIZE]
    (ring,) = hit["geometry"]["coordinates"]
    for lon, lat in corners(window):
        assert min(max(abs(lon - point[0]), abs(lat - point[1])) for point in ring) < 1e-4
