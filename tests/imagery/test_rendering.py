"""From samples to colours: recipes, stretches, and that what is kept draws the same picture again."""

from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from imagery.readers import MismatchedBands, open_scene
from imagery.rendering import Renderer, scene_drawn
from imagery.rendering_recipe import BandRecipe, Stretching, recipe_parse
from rsportal.errors import InvalidInput
from tests import images


def geotiff(tmp_path, bands=4, **more):
    return {"data": images.geotiff(tmp_path / "a.tif", images.deep_ramp(bands=bands), **more)}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"bands": ["nir", "red", "green"]},
        {"bands": ["4"], "gamma": 1.5},
        {"stretch": "percentile", "low": 1.0, "high": 99.0, "joint": True},
        {"stretch": "range", "range": [[0.0, 3000.0]]},
        {"stretch": "range", "range": [[0.0, 3000.0], [1.0, 2.0], [-5.0, 5.0]]},
        {"stretch": "none"},
    ],
)
def test_recipes_are_stored_as_they_were_given(value):
    assert recipe_parse(value).as_json() == value


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], ""),
        ("auto", ""),
        ({"colour": 1}, "colour"),
        ({"bands": "red"}, "bands"),
        ({"bands": ["red", "green"]}, "bands"),
        ({"bands": ["red", "", "blue"]}, "bands"),
        ({"bands": ["x" * 61]}, "bands"),
        ({"stretch": "wide"}, "stretch"),
        ({"low": -1}, "low"),
        ({"low": "much"}, "low"),
        ({"low": True}, "low"),
        ({"low": 50, "high": 50}, "high"),
        ({"high": 101}, "high"),
        ({"high": float("nan")}, "high"),
        ({"joint": "yes"}, "joint"),
        ({"stretch": "range"}, "range"),
        ({"stretch": "range", "range": [[5, 5]]}, "range"),
        ({"stretch": "range", "range": [[0, 1], [0, 1]]}, "range"),
        ({"stretch": "range", "range": [[0, float("inf")]]}, "range"),
        ({"stretch": "range", "range": [0, 1]}, "range"),
        ({"stretch": "range", "bands": ["red"], "range": [[0, 1]] * 3}, "range"),
        ({"gamma": 0}, "gamma"),
        ({"gamma": [1]}, "gamma"),
    ],
)
def test_wrong_recipes_name_the_field(value, field):
    with pytest.raises(InvalidInput) as error:
        recipe_parse(value)
    assert error.value.field == field and error.value.message


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32"])
@pytest.mark.parametrize("gamma", [0.5, 1, 2])
def test_a_fixed_range_with_gamma_is_the_formula(tmp_path, dtype, gamma):
    array = (np.linspace(0, 255, 3 * 48 * 64) if dtype == "uint8" else np.linspace(-900, 3000, 3 * 48 * 64)).clip(
        0 if dtype.startswith("u") else -np.inf, np.inf
    )
    files = {"data": images.geotiff(tmp_path / "a.tif", array.reshape(3, 48, 64).astype(dtype))}
    low, high = (20, 200) if dtype == "uint8" else (-300, 2100)
    recipe = recipe_parse({"stretch": "range", "range": [[low, high]], "gamma": gamma})
    with scene_drawn(files, recipe=recipe) as renderer:
        samples = renderer.reader.read().array.astype(np.float64)
        drawn = renderer.render().array
    expected = np.clip((samples - low) / (high - low), 0, 1) ** (1 / gamma) * 255
    assert np.abs(drawn - np.moveaxis(expected, 0, -1)).max() <= 0.51


def test_percentiles_are_those_of_the_scene(tmp_path):
    recipe = recipe_parse({"stretch": "percentile", "low": 10, "high": 90})
    with scene_drawn(geotiff(tmp_path), recipe=recipe) as renderer:
        samples = renderer.reader.read().array
        for band in range(3):
            low, high = np.percentile(samples[band], [10, 90])
            assert (renderer.kept["low"][band], renderer.kept["high"][band]) == (low, high)


def test_joint_percentiles_keep_the_bands_apart(tmp_path):
    """Of two flat bands, one twice as bright, each alone would be stretched to the same picture."""
    array = images.deep_ramp(bands=3)
    array[1] = array[0] * 2
    files = {"data": images.geotiff(tmp_path / "a.tif", array)}
    with scene_drawn(files, recipe=recipe_parse({"stretch": "percentile"})) as alone:
        each = alone.render().array.astype(int)
    with scene_drawn(files, recipe=recipe_parse({"stretch": "percentile", "joint": True})) as renderer:
        joint = renderer.render().array.astype(int)
        assert len(set(renderer.kept["low"])) == len(set(renderer.kept["high"])) == 1
    assert np.abs(each[..., 0] - each[..., 1]).max() <= 1
    assert (joint[..., 1] - joint[..., 0]).mean() > 20


def test_no_stretch_shows_the_whole_range_of_the_type(tmp_path):
    with scene_drawn(geotiff(tmp_path), recipe=BandRecipe(stretch=Stretching.NONE)) as renderer:
        samples, drawn = renderer.reader.read().array, renderer.render().array
    assert np.abs(drawn - np.moveaxis(samples, 0, -1) / 65535 * 255).max() <= 0.51


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        (("nir", "red", "green"), (3, 2, 1)),
        (("B08", "B04", "B03"), (3, 2, 1)),
        (("b8", "b4", "b3"), (3, 2, 1)),
        (("4", "3", "2"), (3, 2, 1)),
        (("nir",), (3, 3, 3)),
        (("B08", "2", "blue"), (3, 1, 0)),
    ],
)
def test_bands_by_name_common_name_and_number(tmp_path, wanted, positions):
    files = geotiff(tmp_path, descriptions=("B02", "B03", "B04", "B08"))
    with scene_drawn(files, recipe=BandRecipe(bands=wanted)) as renderer:
        assert renderer.rgb == positions
        assert renderer.kept["bands"] == [("B02", "B03", "B04", "B08")[position] for position in positions]


def test_a_band_that_is_not_there_is_named(tmp_path):
    with open_scene(geotiff(tmp_path)) as reader, pytest.raises(MismatchedBands, match=r"a\.tif has no band “swir16”"):
        Renderer(reader, recipe=BandRecipe(bands=("swir16",)))


def test_bands_of_the_same_name_are_kept_by_number(tmp_path):
    files = geotiff(tmp_path, descriptions=("x", "x", "x", "y"))
    with scene_drawn(files, recipe=BandRecipe(bands=("y", "3", "2"))) as renderer:
        drawn, kept = renderer.render().array, renderer.kept
    assert kept["bands"] == ["y", "3", "2"]
    with scene_drawn(files, stretch=kept) as again:
        assert np.array_equal(again.render().array, drawn)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"bands": ["4", "3", "2"]},
        {"bands": ["4"], "gamma": 1.4},
        {"stretch": "percentile", "low": 5, "high": 95, "joint": True, "gamma": 0.8},
        {"stretch": "range", "range": [[0, 3000]]},
    ],
)
@pytest.mark.parametrize("deep", [True, False])
def test_what_is_kept_draws_the_same_picture_of_any_window(tmp_path, value, deep):
    array = images.deep_ramp(bands=4)
    files = {"data": images.geotiff(tmp_path / "a.tif", array if deep else (array // 16).astype(np.uint8))}
    window = (3, 5, 20, 24)
    with scene_drawn(files, recipe=recipe_parse(value)) as renderer:
        whole, part, kept = renderer.render().array, renderer.render(window, (10, 12)).array, renderer.kept
    with scene_drawn(files, stretch=kept) as again:
        assert again.kept == kept
        assert np.array_equal(again.render(window, (10, 12)).array, part)
        assert np.array_equal(again.render().array, whole)


def test_scenes_from_before_stretches_were_kept_are_drawn_as_then(tmp_path):
    """Their vectors were made from each band between its 2nd and 98th percentile."""
    with scene_drawn(geotiff(tmp_path), stretch={}) as renderer:
        samples = renderer.reader.read().array
        assert renderer.kept["low"] == [float(np.percentile(band, 2)) for band in samples]
        assert renderer.kept["high"] == [float(np.percentile(band, 98)) for band in samples]


def test_pictures_of_8_bits_stay_as_they_are_and_keep_nothing(tmp_path):
    path = images.draw(tmp_path / "a.png")
    with scene_drawn({"data": path}) as renderer:
        assert renderer.kept == {}
        assert np.array_equal(renderer.render().array, np.moveaxis(renderer.reader.read().array, 0, -1))


def test_the_found_stretch_is_as_bright_as_a_photograph(tmp_path):
    """A dark scene with a few very bright pixels, as satellites see it: half of it lies in a tenth of the range."""
    samples = np.random.default_rng(1).lognormal(6, 0.6, size=(3, 300, 300)).astype(np.uint16)
    with scene_drawn({"data": images.geotiff(tmp_path / "a.tif", samples)}) as renderer:
        drawn, kept = renderer.render().array, renderer.kept
    assert kept["low"] == pytest.approx(np.percentile(samples, 1, axis=(1, 2)), abs=2)
    assert kept["high"] == pytest.approx(np.percentile(samples, 99, axis=(1, 2)), rel=0.02)
    assert 1 < kept["gamma"] < 2
    assert abs(np.median(drawn[drawn > 0]) - 85) <= 3
    assert ((drawn == 0) | (drawn == 255)).mean() < 0.03


def test_the_found_gamma_never_darkens_and_has_an_end(tmp_path):
    bright = (60_000 - np.random.default_rng(1).lognormal(6, 0.6, size=(3, 90, 90))).astype(np.uint16)
    dark = np.random.default_rng(1).lognormal(2, 2, size=(3, 90, 90)).astype(np.float32)
    flat = np.full((3, 90, 90), 700, dtype=np.uint16)
    gammas = []
    arrays: list[NDArray[Any]] = [bright, dark, flat]
    for number, array in enumerate(arrays):
        with scene_drawn({"data": images.geotiff(tmp_path / f"{number}.tif", array)}) as renderer:
            gammas.append(renderer.kept["gamma"])
    assert gammas == [1, 2, 1]


def test_the_colours_of_a_palette_are_never_stretched(tmp_path):
    classes = (np.arange(48 * 64).reshape(1, 48, 64) % 3).astype(np.uint8)
    path = images.geotiff(tmp_path / "a.tif", classes, colours=[ColorInterp.palette])
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (10, 20, 30, 255), 1: (200, 100, 0, 255), 2: (0, 0, 90, 255)})
    recipe = recipe_parse({"stretch": "percentile", "gamma": 2})
    with scene_drawn({"data": path}, recipe=recipe) as renderer:
        assert tuple(renderer.render().array[0, 1]) == (200, 100, 0)
        assert renderer.kept == {}
