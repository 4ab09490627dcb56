"""Map tiles and deep zoom over the web: who gets them, with which headers, drawn once, kept within bounds."""

import io
import os
import re
import threading
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from affine import Affine
from django.urls import reverse
from PIL import Image
from rasterio.warp import transform

from imagery import scene_tiles, tile_cache
from imagery.maptiles import MAX_ZOOM, tile_bounds, tile_meets, zooms_of
from imagery.models import Scene
from imagery.services.scenes import scene_delete
from tests.api import SchemaClient
from tests.factories import make_collection, make_scene, make_user
from tests.images import draw, geotiff
from tests.pages import client_of
from tests.rasters import SIDE, raster_scene, telling_raster

pytestmark = pytest.mark.django_db
_GRID = Affine(10, 0, 435730, 0, -10, 4179460)


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def scene(owner, tmp_path):
    path = telling_raster(tmp_path / "archive" / "telling.tif", "EPSG:32618", _GRID)
    return raster_scene(make_collection(owner=owner, license="CC-BY-4.0"), path)


def described(client, scene):
    answer = client.get(reverse("imagery:tilejson", args=[scene.pk]))
    assert answer.status_code == 200
    return answer.json()


def middle_tile(client, scene):
    """Return (z, x, y) of the tile in the middle of the scene at its own resolution."""
    told = described(client, scene)
    z = told["maxzoom"]
    lon, lat, _zoom = told["center"]
    x = int((lon + 180) / 360 * (1 << z))
    y = int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * (1 << z))
    return z, x, y


def picture_of(answer):
    assert answer.status_code == 200, answer.content[:300]
    assert answer["Content-Type"] == "image/webp"
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA")).astype(int)


def _without_tokens(html):
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", html)


def test_tilejson_tells_where_the_tiles_are_and_they_are_there(owner, scene):
    client = client_of(owner)
    told = described(client, scene)
    assert told["tilejson"] == "3.0.0"
    assert told["bounds"] == [scene.west, scene.south, scene.east, scene.north]
    assert told["attribution"] == f"{scene.collection.title} (CC-BY-4.0)"
    assert 0 <= told["minzoom"] < told["maxzoom"] == 14  # 10 m at 38 degrees north
    z, x, y = middle_tile(client, scene)
    address = told["tiles"][0].format(z=z, x=x, y=y)
    assert address.startswith("http://testserver/scenes/")
    picture = picture_of(client.get(address.removeprefix("http://testserver")))
    left, bottom, right, top = tile_bounds(z, x, y)
    assert picture.shape == (256, 256, 4)
    inside = picture[..., 3] == 255
    assert inside.mean() > 0.5
    # WebP is not exact, so only whereabouts: columns grow to the east, rows to the south.
    reds, greens = picture[..., 0][inside], picture[..., 1][inside]
    rows, columns = np.nonzero(inside)
    per_pixel = (right - left) / 256 * np.cos(np.radians(scene.north)) / 10
    assert np.polyfit(columns, reds, 1)[0] == pytest.approx(per_pixel, rel=0.05)
    assert np.polyfit(rows, greens, 1)[0] == pytest.approx(per_pixel, rel=0.05)
    assert bottom < top


def test_a_tile_that_is_known_is_neither_sent_nor_drawn_again(owner, scene, monkeypatch):
    client = client_of(owner)
    address = reverse("imagery:map_tile", args=[scene.pk, *middle_tile(client, scene)])
    first = client.get(address)
    assert "private" in first["Cache-Control"]
    assert first["X-Content-Type-Options"] == "nosniff"
    monkeypatch.setattr(scene_tiles.SceneTiles, "_draw", lambda *_: pytest.fail("drawn again"))
    assert client.get(address).content == first.content
    again = client.get(address, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]


def test_another_stretch_is_another_tile_and_the_old_ones_go(owner, tmp_path, media_folder):
    array = np.linspace(200, 3000, 3 * SIDE * SIDE).reshape(3, SIDE, SIDE).astype(np.uint16)
    path = geotiff(tmp_path / "deep.tif", array, transform=_GRID)
    dark = {"bands": ["1", "2", "3"], "low": [0, 0, 0], "high": [60000] * 3, "gamma": 1.0}
    scene = raster_scene(make_collection(owner=owner), path, stretch=dark)
    client = client_of(owner)
    address = reverse("imagery:deepzoom", args=[scene.pk, 8, 0, 0])
    first = client.get(address)
    assert picture_of(first)[..., :3].max() < 20
    scene.stretch = {**dark, "high": [3000] * 3}
    scene.save()
    second = client.get(address, headers={"If-None-Match": first["ETag"]})
    assert picture_of(second)[..., :3].max() > 240
    assert second["ETag"] != first["ETag"]
    styles = list((media_folder / "tiles" / scene.pk.hex[:2] / str(scene.pk)).iterdir())
    assert len(styles) == 1


def test_beside_the_scene_is_nothing_and_no_file_is_opened(owner, scene, monkeypatch):
    client = client_of(owner)
    monkeypatch.setattr(scene_tiles.SceneTiles, "_draw", lambda *_: pytest.fail("drawn"))
    assert (picture_of(client.get(reverse("imagery:map_tile", args=[scene.pk, 5, 0, 0]))) == 0).all()


@pytest.mark.parametrize("place", [(2, 4, 0), (2, 0, 4), (MAX_ZOOM + 1, 0, 0), (99999999999999999999, 0, 0)])
def test_no_such_tile_on_the_map(owner, scene, place):
    assert client_of(owner).get(reverse("imagery:map_tile", args=[scene.pk, *place])).status_code == 404


def test_the_pyramid_ends_where_the_scene_ends(owner, scene):
    client = client_of(owner)
    for place, status in {(8, 0, 0): 200, (8, 1, 0): 404, (9, 0, 0): 404, (0, 0, 0): 200, (7, 0, 0): 200}.items():
        answer = client.get(reverse("imagery:deepzoom", args=[scene.pk, *place]))
        assert answer.status_code == status, place
    whole = picture_of(client.get(reverse("imagery:deepzoom", args=[scene.pk, 8, 0, 0])))
    assert whole.shape == (SIDE, SIDE, 4)
    columns, rows = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    assert np.abs(whole[..., 0] - columns).mean() < 3
    assert np.abs(whole[..., 1] - rows).mean() < 3
    half = picture_of(client.get(reverse("imagery:deepzoom", args=[scene.pk, 7, 0, 0])))
    assert half.shape == (SIDE // 2, SIDE // 2, 4)


def test_a_picture_without_a_place_has_deep_zoom_but_no_map(owner, tmp_path):
    path = draw(tmp_path / "wide.png", width=3000, height=700)
    scene = raster_scene(make_collection(owner=owner), path)
    client = client_of(owner)
    assert client.get(reverse("imagery:tilejson", args=[scene.pk])).status_code == 404
    assert client.get(reverse("imagery:map_tile", args=[scene.pk, 0, 0, 0])).status_code == 404
    assert client.get(reverse("imagery:places", args=[scene.pk])).status_code == 404
    last = picture_of(client.get(reverse("imagery:deepzoom", args=[scene.pk, 12, 11, 2])))
    assert last.shape == (700 - 512, 3000 - 11 * 256, 4)
    with Image.open(path) as stored:
        truth = np.asarray(stored)[512:, 11 * 256 :].astype(int)
    assert np.abs(last[..., :2] - truth[..., :2]).mean() < 4


@pytest.mark.parametrize(
    ("name", "more"), [("map_tile", (0, 0, 0)), ("deepzoom", (0, 0, 0)), ("tilejson", ()), ("places", ())]
)
def test_a_stranger_gets_404_exactly_as_for_a_scene_that_does_not_exist(scene, name, more):
    client = client_of(make_user())
    nobody = uuid4()
    private = client.get(reverse(f"imagery:{name}", args=[scene.pk, *more]))
    unknown = client.get(reverse(f"imagery:{name}", args=[nobody, *more]))
    assert (private.status_code, unknown.status_code) == (404, 404)
    pages = [_without_tokens(answer.content.decode()) for answer in (private, unknown)]
    assert pages[0].replace(str(scene.pk), str(nobody)) == pages[1]  # The page names the address that was asked for.
    assert private.headers.keys() == unknown.headers.keys()


def test_scenes_without_pixels_have_no_tiles(owner):
    scene = make_scene(make_collection(owner=owner), bbox=(1, 2, 3, 4), status=Scene.Status.PENDING)
    client = client_of(owner)
    for name in ("map_tile", "deepzoom"):
        assert client.get(reverse(f"imagery:{name}", args=[scene.pk, 0, 0, 0])).status_code == 404


def test_a_missing_file_is_404(owner, scene):
    Path(scene.assets.get().path).unlink()
    assert client_of(owner).get(reverse("imagery:deepzoom", args=[scene.pk, 0, 0, 0])).status_code == 404


def test_the_api_gives_the_same_to_a_token(owner, scene):
    program = SchemaClient(owner)
    told = program.get(reverse("api:scene-tilejson", args=[scene.pk])).json()
    assert told["tiles"][0].startswith("http://testserver/api/v1/scenes/")
    z, x, y = middle_tile(client_of(owner), scene)
    there = told["tiles"][0].format(z=z, x=x, y=y).removeprefix("http://testserver")
    answer = program.get(there)
    assert answer.content == client_of(owner).get(reverse("imagery:map_tile", args=[scene.pk, z, x, y])).content
    assert program.get(there, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    squares = reverse("api:scene-deepzoom", args=[scene.pk, 8, 0, 0])
    assert program.get(squares).status_code == 200
    assert program.get(reverse("api:scene-deepzoom", args=[scene.pk, 9, 0, 0])).json()["code"] == "no_tile"
    stranger = SchemaClient(make_user())
    assert stranger.get(there).status_code == stranger.get(squares).status_code == 404
    assert SchemaClient().get(there).status_code == 401


def test_places_of_pixels(owner, scene):
    told = client_of(owner).get(reverse("imagery:places", args=[scene.pk])).json()
    for row, column in ((0, 0), (16, 16), (3, 12)):
        x, y = 435730 + told["columns"][column] * 10, 4179460 - told["rows"][row] * 10
        (lon,), (lat,) = transform("EPSG:32618", "EPSG:4326", [x], [y])
        assert told["lon"][row][column] == pytest.approx(lon, abs=1e-7)
        assert told["lat"][row][column] == pytest.approx(lat, abs=1e-7)


def test_bounds_do_not_wrap_around_the_antimeridian(owner, tmp_path):
    path = telling_raster(tmp_path / "fiji.tif", "EPSG:4326", Affine(0.01, 0, 178.75, 0, -0.01, -16))
    scene = raster_scene(make_collection(owner=owner), path)
    assert scene.bbox is not None
    assert scene.bbox[0] > scene.bbox[2]
    client = client_of(owner)
    told = described(client, scene)
    assert told["bounds"] == [-180, scene.south, 180, scene.north]
    assert told["center"][0] == pytest.approx(180, abs=0.001) or told["center"][0] == pytest.approx(-180, abs=0.001)
    z = told["maxzoom"]
    y = middle_tile(client, scene)[2]
    for x in (0, (1 << z) - 1):  # East and west of the line.
        assert (picture_of(client.get(reverse("imagery:map_tile", args=[scene.pk, z, x, y])))[..., 3] == 255).any()


def test_kept_tiles_stay_within_their_limit(settings, owner, scene, media_folder):
    settings.TILE_CACHE_MB = 1
    monkey = b"x" * 100_000
    for number in range(40):
        tile_cache.tile_write(tile_cache.TileKey(scene.pk, "style", "map", 9, number, 0), monkey)
    left = tile_cache.sweep()
    kept = list((media_folder / "tiles").rglob("*.webp"))
    assert left == sum(path.stat().st_size for path in kept) <= 1024 * 1024
    assert kept
    settings.TILE_CACHE_MB = 0
    tile_cache.tile_write(tile_cache.TileKey(scene.pk, "style", "map", 9, 99, 0), monkey)
    assert tile_cache.tile_read(tile_cache.TileKey(scene.pk, "style", "map", 9, 99, 0)) is None


def test_tiles_asked_for_longest_ago_go_first(settings, scene):
    settings.TILE_CACHE_MB = 1
    keys = [tile_cache.TileKey(scene.pk, "style", "map", 9, number, 0) for number in range(12)]
    for age, key in enumerate(keys):
        tile_cache.tile_write(key, b"x" * 80_000)
        os.utime(key.path, (1_000_000 - age * 1000, 1_000_000 - age * 1000))
    assert tile_cache.tile_read(keys[-1])  # The oldest, asked for again just now.
    tile_cache.tile_write(tile_cache.TileKey(scene.pk, "style", "map", 9, 50, 0), b"x" * 300_000)
    tile_cache.sweep()
    assert tile_cache.tile_read(keys[-1])
    assert tile_cache.tile_read(keys[-2]) is None


def test_with_the_scene_go_its_tiles(owner, scene, media_folder, django_capture_on_commit_callbacks):
    client_of(owner).get(reverse("imagery:deepzoom", args=[scene.pk, 8, 0, 0]))
    assert list((media_folder / "tiles").rglob("*.webp"))
    with django_capture_on_commit_callbacks(execute=True):
        scene_delete(scene=scene, user=owner)
    assert not list((media_folder / "tiles").rglob("*.webp"))


def test_many_who_ask_at_once_have_it_drawn_once(scene, monkeypatch):
    """Eight threads at one barrier ask for the same square."""
    tiles = scene_tiles.SceneTiles(scene=scene, originals=tuple(scene.assets.all()))
    key = tiles.key(scene_tiles.Kind.PIXELS, 8, 0, 0)
    drawn, barrier, answers = [], threading.Barrier(8), []
    draw_block = scene_tiles.SceneTiles._draw

    def watched(*args):
        drawn.append(args)
        return draw_block(*args)

    monkeypatch.setattr(scene_tiles.SceneTiles, "_draw", watched)

    def ask():
        barrier.wait()
        answers.append(tiles.tile(key))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert len(drawn) == 1


@pytest.mark.parametrize(
    ("bbox", "gsd", "zooms"),
    [((-180, -85, 180, 85), 40000, (0, 2)), ((0, 0, 1, 1), 10, (8, 14)), ((179, 0, -179, 1), 30, (7, 13))],
)
def test_zooms_of_a_scene(bbox, gsd, zooms):
    found = zooms_of(bbox, gsd)
    assert (found.least, found.most) == zooms


def test_tiles_on_both_sides_of_the_antimeridian_meet_a_box_across_it():
    box = (179.0, -1.0, -179.0, 1.0)
    assert tile_meets(3, 0, 3, box)
    assert tile_meets(3, 7, 4, box)
    assert not tile_meets(3, 4, 3, box)
