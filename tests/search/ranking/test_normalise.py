"""Distribution normalisation against its definition."""

import numpy as np
import pytest

from search.ranking.normalise import rows_corrected, target_corrected
from search.ranking.query import Geometry, unit

_RNG = np.random.default_rng(5)


def _clouds(count: int = 200, dimension: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Images and texts of the same things around two far-apart centres, as CLIP's are."""
    things = _RNG.normal(size=(count, dimension)) * 0.25
    images = unit(things + 4 * np.eye(dimension)[0] + 0.15 * _RNG.normal(size=things.shape))
    texts = unit(things + 4 * np.eye(dimension)[1] + 0.15 * _RNG.normal(size=things.shape))
    return images, texts


def test_it_is_the_cosine_of_the_centred_vectors():
    images, texts = _clouds()
    geometry = Geometry(text_mean=texts.mean(axis=0), image_mean=images.mean(axis=0))
    found = rows_corrected(images, geometry) @ target_corrected(texts[3], geometry)
    one, two = images - images.mean(axis=0), texts[3] - texts.mean(axis=0)
    expected = one @ two / np.linalg.norm(one, axis=1) / np.linalg.norm(two)
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_share_of_nothing_changes_nothing():
    images, texts = _clouds(20)
    geometry = Geometry(text_mean=texts.mean(axis=0), image_mean=images.mean(axis=0))
    assert rows_corrected(images, geometry, share=0.0) == pytest.approx(images, abs=1e-6)
    assert target_corrected(texts[0], geometry, share=0.0) == pytest.approx(texts[0], abs=1e-6)


def test_one_mean_alone_is_refused():
    images, texts = _clouds(20)
    with pytest.raises(ValueError, match="both means"):
        rows_corrected(images, Geometry(text_mean=texts.mean(axis=0)))
    with pytest.raises(ValueError, match="both means"):
        target_corrected(texts[0], Geometry(image_mean=images.mean(axis=0)))


def test_a_row_at_the_mean_has_no_direction_and_does_no_harm():
    mean = np.array([0.6, 0.8], dtype=np.float32)
    assert rows_corrected(mean[np.newaxis], Geometry(image_mean=mean)).tolist() == [[0.0, 0.0]]
