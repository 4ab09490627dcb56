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


def test_level_2a_resolutions_stay_apart():
    files = [Path(f"R10m/T18_{band}_10m.jp2") for band in ("B02", "B03", "B04", "B08")]
    files += [Path(f"R20m/T18_{band}_20m.jp2") for band in ("B02", "B03", "B04")]
    assert len(group_band_files(files)) == 2


def test_what_is_no_set_stays_single():
    files = [Path("a/x_B04.tif"), Path("a/x_B03.tif"), Path("b/x_B02.tif"), Path("a/plain.tif"), Path("a/y_B02.png")]
    assert [scene.is_band_set for scene in group_band_files(files)] == [False] * 5


def test_order_and_repeats():
    one, two = Path("a.png"), Path("b.png")
    assert names(group_band_files([two, one, two])) == [("b", {"data": "b.png"}), ("a", {"data": "a.png"})]
