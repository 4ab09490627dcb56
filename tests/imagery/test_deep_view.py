"""What the scene page offers of its picture: deep view, and its tiles for map programs."""

import json
from html import unescape

import pytest
from affine import Affine
from django.urls import reverse

from imagery.models import Asset, Scene
from tests.factories import make_collection, make_scene, make_user
from tests.pages import client_of, found, page
from tests.rasters import SIDE, raster_scene, telling_raster

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_user()


def address(scene):
    return reverse("imagery:scene", args=[scene.pk])


def told(html):
    return json.loads(unescape(found(r'data-deep="([^"]*)"', html)))


def test_a_scene_with_a_place_tells_of_squares_places_and_map_tiles(owner, tmp_path, media_folder):
    path = telling_raster(tmp_path / "telling.tif", "EPSG:32618", Affine(10, 0, 435730, 0, -10, 4179460))
    scene = raster_scene(make_collection(owner=owner), path)
    (media_folder / "overview.webp").write_bytes(b"RIFF")
    Asset.objects.create(
        scene=scene, key="overview", role=Asset.Role.OVERVIEW, path="overview.webp", filename="overview.webp",
        media_type="image/webp", size=4, sha256="0" * 64, width=SIDE, height=SIDE,
    )  # fmt: skip
    client = client_of(owner)
    html = page(client, address(scene))
    facts = told(html)
    assert (facts["width"], facts["height"], facts["levels"], facts["overview_side"]) == (SIDE, SIDE, 8, SIDE)
    square = facts["squares"].format(z=8, x=0, y=0)
    assert client.get(square).status_code == 200
    assert client.get(facts["places"]).json()["columns"][-1] == SIDE
    xyz = unescape(found(r'class="xyz" data-copy-text>([^<]*)<', html))
    assert xyz == f"http://testserver/api/v1/scenes/{scene.pk}/tiles/{{z}}/{{x}}/{{y}}.webp"
    assert reverse("imagery:tilejson", args=[scene.pk]) in html
    assert "<style" not in html
    assert " style=" not in html


def test_a_scene_without_a_place_has_no_tiles_to_copy(owner):
    html = page(client_of(owner), address(make_scene(make_collection(owner=owner), files=True)))
    assert told(html)["places"] == ""
    assert 'class="xyz"' not in html


def test_a_scene_that_waits_has_no_deep_view(owner):
    scene = make_scene(make_collection(owner=owner), status=Scene.Status.PENDING, files=True)
    assert "data-deep" not in page(client_of(owner), address(scene))
