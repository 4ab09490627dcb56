"""Adapters learned from captions whose right answer is known, and from captions that teach nothing."""

import numpy as np
import pytest

from imagery.encoders import adapter
from imagery.encoders.base import unit_rows
from imagery.encoders.errors import EncoderMismatch
from imagery.evaluation.adapting import Captioned, Recipe, adapter_learn, adapter_matrix
from rsportal.errors import InvalidInput

DIMENSION = 16


def rotation(seed: int) -> np.ndarray:
    matrix, _upper = np.linalg.qr(np.random.default_rng(seed).normal(size=(DIMENSION, DIMENSION)))
    return matrix.astype(np.float32)


def captioned(*, pictures: int = 120, noise: float = 0.15, turn: np.ndarray | None = None, seed: int = 1) -> Captioned:
    """Pictures with two captions each, near them (the smaller ``noise`` the nearer) but for a ``turn`` of all texts."""
    random = np.random.default_rng(seed)
    images = unit_rows(random.normal(size=(pictures, DIMENSION)))
    owner = np.repeat(np.arange(pictures), 2)
    texts = unit_rows(images[owner] + noise * random.normal(size=(2 * pictures, DIMENSION)))
    if turn is not None:
        texts = texts @ turn
    return Captioned(images=images, texts=texts, text=np.arange(2 * pictures), owner=owner)


def test_a_turned_text_tower_is_turned_back() -> None:
    turn = rotation(3)
    pairs = captioned(turn=turn)
    learned = adapter_learn(pairs)
    assert learned.helps
    assert learned.before < 15
    assert learned.after > 85
    assert learned.gain.low > 50
    assert learned.recipe.share == 1.0
    # The whole turn was found, not only what the captions at hand needed.
    np.testing.assert_allclose(turn @ learned.matrix, np.eye(DIMENSION), atol=0.1)
    fresh = captioned(turn=turn, seed=2)
    plain, adapted = fresh.ranked().recall("expected"), fresh.ranked(learned.matrix).recall("expected")
    assert adapted["mr"] > plain["mr"] + 50
    assert adapter_learn(pairs).gain == learned.gain


def test_where_there_is_nothing_to_correct_nothing_is_gained() -> None:
    learned = adapter_learn(captioned(noise=0.4))
    assert not learned.helps
    assert abs(learned.gain.mean) < 5


def test_captions_of_other_pictures_teach_nothing() -> None:
    pairs = captioned()
    mixed = np.random.default_rng(5).permutation(pairs.owner)
    learned = adapter_learn(Captioned(pairs.images, pairs.texts, pairs.text, mixed))
    assert not learned.helps
    assert learned.after < 15


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Only 39 pictures"):
        adapter_learn(captioned(pictures=39))


def test_directions_without_captions_stay_where_they_are() -> None:
    # All captions and pictures lie in the first four axes, and the texts are turned there.
    turn = np.eye(DIMENSION, dtype=np.float32)
    turn[:2, :2] = [[0, 1], [-1, 0]]
    random = np.random.default_rng(6)
    images = np.zeros((60, DIMENSION), dtype=np.float32)
    images[:, :4] = random.normal(size=(60, 4))
    images = unit_rows(images)
    pairs = Captioned(images, images @ turn, np.arange(60), np.arange(60))
    matrix = adapter_matrix(pairs, Recipe(share=1.0, pull=0.001))
    np.testing.assert_allclose(matrix[4:, 4:], np.eye(DIMENSION - 4), atol=1e-5)
    np.testing.assert_allclose(turn @ matrix, np.eye(DIMENSION), atol=0.01)
    np.testing.assert_allclose(adapter_matrix(pairs, Recipe(share=0.0, pull=0.001)), np.eye(DIMENSION))


def test_the_chance_of_a_match_survives_the_new_cosines() -> None:
    learned = adapter_learn(captioned(turn=None, noise=0.4))
    plain = {"scale": 20.0, "offset": -9.0}
    adapted = learned.calibration(plain)
    cosines = learned.cosines
    for before, after in ((cosines.own_before, cosines.own_after), (cosines.any_before, cosines.any_after)):
        assert adapted["scale"] * after + adapted["offset"] == pytest.approx(20 * before - 9, abs=0.01)
    assert learned.calibration({}) == {}
    # Before the turn was undone a cosine meant nothing, so there is nothing to carry over.
    assert adapter_learn(captioned(turn=rotation(3))).calibration(plain) == {}


def test_an_adapter_is_kept_at_half_precision_and_checked() -> None:
    matrix = rotation(8)
    content = adapter.pack(matrix)
    expected = adapter.checksum(content)
    again = adapter.unpack(content, dimension=DIMENSION, expected=expected)
    np.testing.assert_allclose(again, matrix, atol=5e-4)
    rows = unit_rows(np.random.default_rng(9).normal(size=(5, DIMENSION)))
    adapted = adapter.apply(rows, again)
    np.testing.assert_allclose(np.linalg.norm(adapted, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(adapted, rows @ matrix, atol=2e-3)
    for wrong, dimension in (
        (content[:-2], DIMENSION),
        (b"\0" + content[1:], DIMENSION),
        (content, DIMENSION + 1),
        (b"", 16),
    ):
        with pytest.raises(EncoderMismatch, match="adapt --remove"):
            adapter.unpack(wrong, dimension=dimension, expected=expected)
    with pytest.raises(EncoderMismatch, match="16 numbers, but the encoder gives 8"):
        adapter.apply(rows[:, :8], again)
    with pytest.raises(ValueError, match="square"):
        adapter.pack(matrix[:3])
    with pytest.raises(ValueError, match="half precision"):
        adapter.pack(matrix * 1e6)
