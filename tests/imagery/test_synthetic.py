"""Synthetic vectors and metadata: the same every time, and distributed as is said."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from imagery.synthetic.scenes import COLLECTIONS, PLATFORMS, home_collections, scene_rows
from imagery.synthetic.statistics import REAL
from imagery.synthetic.vectors import BLOCK, CLASSES, VectorSource

SCENES = 2 * BLOCK + 500


@pytest.fixture(scope="module")
def source() -> VectorSource:
    return VectorSource(scenes=SCENES, dimension=256, seed=7)


@pytest.fixture(scope="module")
def blocks(source):
    return [source.block(number) for number in range(3)]


@pytest.fixture(scope="module")
def rows(blocks):
    return np.concatenate([block.whole for block in blocks])


@pytest.fixture(scope="module")
def classes(blocks):
    return np.concatenate([block.classes for block in blocks])


def test_the_same_numbers_come_again_block_by_block(source, blocks):
    again = VectorSource(scenes=SCENES, dimension=256, seed=7)
    assert np.array_equal(again.block(1).whole, blocks[1].whole)
    assert np.array_equal(again.queries(5)[0], source.queries(5)[0])


def test_another_seed_gives_another_archive(blocks):
    other = VectorSource(scenes=SCENES, dimension=256, seed=8).block(1).whole
    assert not np.allclose(other, blocks[1].whole, atol=1e-3)


def test_blocks_end_with_the_scenes(source, blocks):
    assert [len(block.whole) for block in blocks] == [BLOCK, BLOCK, 500]
    assert len(source.block(3).whole) == 0


def test_rows_have_length_one(rows):
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_the_cone_is_as_narrow_as_stated(source, rows):
    assert np.linalg.norm(rows.mean(axis=0)) == pytest.approx(REAL.image_mean, abs=0.02)
    assert np.linalg.norm(rows.mean(axis=0) - source.image_mean) < 0.05


def test_classes_and_clusters_hold_the_stated_shares_of_the_variance(rows, classes):
    centred = rows - rows.mean(axis=0)
    centres = np.stack([centred[classes == number].mean(axis=0) for number in range(CLASSES)])
    sizes = np.bincount(classes, minlength=CLASSES)
    between = (sizes * np.square(centres).sum(axis=1)).sum() / np.square(centred).sum()
    # The centres of the clusters a class drew add to the distance between classes.
    assert REAL.between_classes - 0.05 < between < REAL.between_classes + REAL.between_clusters * 0.6


def test_sizes_of_classes_follow_zipf(classes):
    sizes = np.bincount(classes, minlength=CLASSES)
    assert sizes[0] / sizes[1] == pytest.approx(2, rel=0.15)
    assert sizes[0] / sizes[9] == pytest.approx(10, rel=0.25)


def test_texts_lie_in_a_cone_of_their_own(source, rows):
    texts, _classes = source.queries(1_000)
    mean = texts.mean(axis=0)
    assert np.linalg.norm(mean) == pytest.approx(REAL.text_mean, abs=0.02)
    cosine = mean @ rows.mean(axis=0) / np.linalg.norm(mean) / np.linalg.norm(rows.mean(axis=0))
    assert cosine == pytest.approx(REAL.means_cosine, abs=0.05)


def test_a_centred_text_points_to_its_class(source, rows, classes):
    texts, wanted = source.queries(400)
    asked = texts - source.text_mean
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    centred = rows - rows.mean(axis=0)
    scores = asked @ centred.T
    best = classes[np.argsort(-scores, axis=1)[:, :10]]
    # By chance a tenth of the hits or less would be of the class.
    assert (best == wanted[:, None]).mean() > 0.5


def test_windows_are_near_their_scene():
    block = VectorSource(scenes=300, dimension=128, seed=1, windows=4).block(0)
    assert block.windows.shape == (300, 4, 128)
    own = np.einsum("nwd,nd->nw", block.windows, block.whole).mean()
    others = np.einsum("nwd,nd->nw", block.windows, np.roll(block.whole, 1, axis=0)).mean()
    assert own > others + 0.1


def test_statistics_can_be_others():
    flat = replace(REAL, image_mean=0.2)
    rows = VectorSource(scenes=BLOCK, dimension=128, seed=0, statistics=flat).block(0).whole
    assert np.linalg.norm(rows.mean(axis=0)) == pytest.approx(0.2, abs=0.04)


@pytest.fixture(scope="module")
def scenes():
    classes = np.random.default_rng(0).integers(0, CLASSES, 6_000)
    return classes, scene_rows(classes=classes, first=0, seed=3)


def test_metadata_come_again(scenes):
    classes, made = scenes
    assert scene_rows(classes=classes, first=0, seed=3) == made
    assert scene_rows(classes=classes, first=6_000, seed=3)[0].id != made[0].id


def test_ids_are_version_4_and_differ(scenes):
    ids = {row.id for row in scenes[1]}
    assert len(ids) == 6_000
    assert {id.version for id in ids} == {4}


def test_footprints_lie_on_earth_and_some_cross_the_antimeridian(scenes):
    crossing = 0
    for row in scenes[1]:
        if row.bbox is None:
            assert row.footprint is None
            continue
        west, south, east, north = row.bbox
        assert -180 <= west <= 180
        assert -180 <= east <= 180
        assert -90 < south < north < 90
        crossing += west > east
        assert row.footprint["type"] == ("MultiPolygon" if west > east else "Polygon")
    assert crossing
    assert sum(row.bbox is None for row in scenes[1]) == pytest.approx(180, abs=60)


def test_dates_are_of_all_kinds(scenes):
    kinds = Counter("period" if row.start else "moment" if row.moment else "none" for row in scenes[1])
    assert kinds["moment"] > 0.94 * 6_000
    assert kinds["period"] > 100
    assert kinds["none"] > 30
    years = Counter(row.moment.year for row in scenes[1] if row.moment)
    assert years[2025] > 3 * years[2014]


def test_platforms_and_clouds(scenes):
    found = Counter(row.platform.name for row in scenes[1])
    assert found["sentinel-2a"] == pytest.approx(0.24 * 6_000, rel=0.15)
    assert sum(platform.share for platform in PLATFORMS) == pytest.approx(1)
    assert all((row.cloud_cover is None) == (not row.platform.clouds) for row in scenes[1])
    assert all(0 <= row.cloud_cover <= 100 for row in scenes[1] if row.cloud_cover is not None)


def test_collections_are_about_something(scenes):
    classes, made = scenes
    home = home_collections(classes)
    at_home = np.mean([row.collection == expected for row, expected in zip(made, home, strict=True)])
    assert 0.7 < at_home < 0.9
    assert {row.collection for row in made} == set(range(len(COLLECTIONS)))
