"""What a scene's samples are, over the API, and pictures with bands of choice."""

import io

import numpy as np
import pytest
from affine import Affine
from django.urls import reverse
from PIL import Image

from tests.api import SchemaClient, check_problem
from tests.factories import make_collection, make_user
from tests.images import geotiff
from tests.rasters import raster_scene

pytestmark = pytest.mark.django_db
_GRID = Affine(10, 0, 435730, 0, -10, 4179460)


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def scene(owner, tmp_path):
    """Four 16-bit bands: constant 100, 200, 300, and a ramp 0 to 3,999 with the first ten rows without data."""
    array = np.stack([np.full((80, 50), value) for value in (100, 200, 300)] + [np.arange(4000).reshape(80, 50)])
    array[:, :10] = 65535
    path = geotiff(tmp_path / "four.tif", array.astype(np.uint16), transform=_GRID, nodata=65535)
    bands = [{"name": name} for name in ("band 1", "band 2", "band 3", "band 4")]
    return raster_scene(make_collection(owner=owner), path, bands=bands)


def ask(user, scene, what, **params):
    return SchemaClient(user).get(reverse(f"api:scene-{what}", args=[scene.pk]), params)


def test_info(owner, scene):
    told = ask(owner, scene, "info").json()
    assert (told["width"], told["height"], told["count"], told["dtype"]) == (50, 80, 4, "uint16")
    assert told["crs"] == "EPSG:32618"
    assert told["bounds"] == list(scene.bbox)
    assert len(told["band_descriptions"]) == 4
    assert told["minzoom"] <= told["maxzoom"]


def test_statistics_count_only_what_has_data(owner, scene):
    told = ask(owner, scene, "statistics").json()
    assert len(told) == 4
    first, *_others, ramp = told.values()
    assert (first["min"], first["max"], first["mean"], first["std"]) == (100, 100, 100, 0)
    assert ramp["count"] == 70 * 50
    assert ramp["valid_percent"] == 87.5
    assert (ramp["min"], ramp["max"]) == (500, 3999)
    assert ramp["median"] == pytest.approx(np.median(np.arange(500, 4000)))
    assert sum(ramp["histogram"][0]) == 70 * 50
    assert len(ramp["histogram"][1]) == len(ramp["histogram"][0]) + 1


def test_preview_with_bands_and_range_of_choice(owner, scene):
    answer = ask(owner, scene, "preview", bands="4", rescale="0,4000", max_size=40)
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    assert picture.shape == (40, 25, 3)
    assert picture[-1].mean() == pytest.approx(255 * 3950 / 4000, abs=6)
    assert picture[20].mean() == pytest.approx(255 * 2025 / 4000, abs=6)
    assert picture[:4].max() < 12
    assert ask(owner, scene, "preview").status_code == 200


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"max_size": "0"}, "max_size"),
        ({"max_size": "4096"}, "max_size"),
        ({"max_size": "²"}, "max_size"),
        ({"bands": "nir,red,green"}, "bands"),
        ({"bands": "1,2"}, "bands"),
        ({"rescale": "1"}, "rescale"),
        ({"rescale": "a,b"}, "rescale"),
        ({"rescale": "9,1"}, "rescale"),
        ({"gamma": "bright"}, "gamma"),
        ({"gamma": "99"}, "gamma"),
    ],
)
def test_a_wrong_parameter_is_named(owner, scene, params, field):
    check_problem(ask(owner, scene, "preview", **params), 400, field=field)


@pytest.mark.parametrize("what", ["info", "statistics", "preview"])
def test_strangers_and_missing_files(owner, scene, what):
    check_problem(ask(make_user(), scene, what), 404)
    scene.assets.update(path="/nowhere/four.tif")
    check_problem(ask(owner, scene, what), 404, code="missing")
