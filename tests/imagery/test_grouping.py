"""Which files side by side are bands of one scene; only names are looked at."""

from pathlib import Path

import pytest

from imagery.readers.grouping import group_band_files


def names(paths):
    return [(scene.name, {key: path.name for key, path in scene.files.items()}) for scene in paths]


@pytest.mark.parametrize(
    ("stem", "suffix", "numbers", "rgb"),
    [
        ("s2", ".jp2", ["B01", "B02", "B03", "B04", "B8A"], ("B04", "B03", "B02")),
        ("T18SVG_20240531T154819", ".jp2", ["B02", "B03", "B04"], ("B04", "B03", "B02")),
        ("LC08_L1TP_020039_20200101_02_T1", ".TIF", ["B2", "B3", "B4", "B10"], ("B4", "B3", "B2")),
        ("LE07_L1TP_020039_20000101_02_T1", ".TIF", ["B1", "B2", "B3", "B4"], ("B3", "B2", "B1")),
    ],
)
def test_products(stem, suffix, numbers, rgb):
    files = [Path("in") / f"{stem}_{number}{suffix}" for number in numbers]
    (scene,) = group_band_files(files)
    assert scene.name == stem and scene.is_band_set
    assert tuple(scene.files[key].stem.removeprefix(f"{stem}_") for key in ("red", "green", "blue")) == rgb
    assert set(scene.files.values()) == set(files)


def test_level_2a_resolutions_are_one_scene_of_the_finest():
    files = [Path(f"P/R10m/T18_{band}_10m.jp2") for band in ("B02", "B03", "B04", "B08", "TCI")]
    files += [Path(f"P/R20m/T18_{band}_20m.jp2") for band in ("B02", "B03", "B04", "B8A", "B11", "SCL")]
    (scene,) = group_band_files(files)
    found = {key: path.name for key, path in scene.files.items()}
    assert scene.name == "T18" and len(found) == len(files)
    assert [found[colour] for colour in ("red", "green", "blue")] == [f"T18_B0{n}_10m.jp2" for n in (4, 3, 2)]
    assert found["B11"] == "T18_B11_20m.jp2" and found["B04_20m"] == "T18_B04_20m.jp2"
    assert found["TCI_10m"] == "T18_TCI_10m.jp2" and found["SCL_20m"] == "T18_SCL_20m.jp2"
    assert list(found)[:3] == ["red", "green", "blue"]


def test_landsat_level_2_keeps_its_masks_and_temperatures_with_its_bands():
    stem = "LC09_L2SP_020039_20230101_02_T1"
    files = [Path(f"{stem}_{name}.TIF") for name in ("QA_PIXEL", "QA_RADSAT", "SR_B2", "SR_B3", "SR_B4", "SR_B5")]
    files += [Path(f"{stem}_{name}.TIF") for name in ("SR_QA_AEROSOL", "ST_B10", "ST_QA")]
    (scene,) = group_band_files(files)
    assert scene.name == stem and set(scene.files.values()) == set(files)
    assert set(scene.files) == {
        "red", "green", "blue", "B5", "QA_PIXEL", "QA_RADSAT", "SR_QA_AEROSOL", "ST_B10", "ST_QA",
    }  # fmt: skip


def test_a_recipe_makes_scenes_of_bands_that_hold_no_true_colours():
    files = [Path("S2_B08.jp2"), Path("S2_B11.jp2"), Path("S2_B12.jp2"), Path("lone_B08.jp2")]
    assert len(group_band_files(files)) == 4
    scene, lone = group_band_files(files, wanted=("swir22", "B11", "nir"))
    assert list(scene.files) == ["B08", "B11", "B12"] and scene.is_band_set
    assert lone.files == {"data": Path("lone_B08.jp2")}


def test_a_recipes_names_may_end_file_names():
    files = [Path("S1A_vv.tif"), Path("S1A_vh.tif"), Path("S1B_vv.tif"), Path("S1A_vh.png")]
    assert len(group_band_files(files)) == 4
    scene, other, picture = group_band_files(files, wanted=("vv", "VH", "vv"))
    assert {key: path.name for key, path in scene.files.items()} == {"vh": "S1A_vh.tif", "vv": "S1A_vv.tif"}
    assert scene.name == "S1A" and not other.is_band_set and not picture.is_band_set


def test_what_is_no_set_stays_single():
    files = [Path("a/x_B04.tif"), Path("a/x_B03.tif"), Path("b/x_B02.tif"), Path("a/plain.tif"), Path("a/y_B02.png")]
    assert [scene.is_band_set for scene in group_band_files(files)] == [False] * 5


def test_order_and_repeats():
    one, two = Path("a.png"), Path("b.png")
    assert names(group_band_files([two, one, two])) == [("b", {"data": "b.png"}), ("a", {"data": "a.png"})]
