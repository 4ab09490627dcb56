"""Retrieval recall on cases small enough to count by hand."""

import numpy as np
import pytest

from imagery.encoders.evaluation import retrieval_recall


def test_perfect_vectors_score_a_hundred() -> None:
    images = np.eye(4, dtype=np.float32)
    owner = np.repeat(np.arange(4), 5)
    result = retrieval_recall(images, images[owner], owner)
    assert result == dict.fromkeys(result, 100.0)
    assert len(result) == 7


def test_one_vector_for_everything_scores_nothing() -> None:
    # With ties in our favour this useless encoder would score 100.
    images = np.ones((20, 3), dtype=np.float32)
    texts = np.ones((100, 3), dtype=np.float32)
    assert retrieval_recall(images, texts, np.repeat(np.arange(20), 5))["mr"] == 0.0


def test_counted_by_hand() -> None:
    # Three images and one text each on a circle, in degrees.
    def at(*degrees: float) -> np.ndarray:
        radians = np.deg2rad(degrees)
        return np.stack([np.cos(radians), np.sin(radians)], axis=1)

    images = at(0, 40, 90)
    texts = at(5, 25, 50)
    # Text 0 -> image 0 (5 degrees off): rank 0. Text 1 -> image 1 (15 against 25 and 65): rank 0.
    # Text 2 -> image 2 is 40 off, image 1 is 10 off, image 0 is 50 off: rank 1.
    # Image 0 -> text 0: rank 0. Image 1 -> text 1 is 15 off, text 2 is 10 off: rank 1. Image 2 -> text 2: rank 0.
    result = retrieval_recall(images, texts, [0, 1, 2])
    assert result["text_to_image_r1"] == pytest.approx(200 / 3)
    assert result["image_to_text_r1"] == pytest.approx(200 / 3)
    assert result["text_to_image_r5"] == result["image_to_text_r5"] == 100.0
    assert result["mr"] == pytest.approx((2 * 200 / 3 + 400) / 6)


def test_the_best_of_an_images_captions_counts() -> None:
    images = np.eye(2, dtype=np.float32)
    # Image 0 has one good caption and one that is closer to image 1.
    texts = np.array([[1, 0], [0.1, 0.9], [0, 1]], dtype=np.float32)
    result = retrieval_recall(images, texts, [0, 0, 1])
    assert result["image_to_text_r1"] == 100.0
    assert result["text_to_image_r1"] == pytest.approx(200 / 3)


def test_a_caption_shared_by_two_images_counts_against_both() -> None:
    images = np.eye(2, dtype=np.float32)
    same = np.array([[1, 1], [1, 1]], dtype=np.float32) / np.sqrt(2)
    result = retrieval_recall(images, same, [0, 1])
    assert result["text_to_image_r1"] == 0.0
    assert result["image_to_text_r1"] == 0.0
    assert result["text_to_image_r5"] == 100.0


def test_blocks_agree_with_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    images, texts = random.normal(size=(50, 8)), random.normal(size=(250, 8))
    owner = random.permutation(np.repeat(np.arange(50), 5))
    whole = retrieval_recall(images, texts, owner)
    monkeypatch.setattr("imagery.encoders.evaluation._BLOCK_ROWS", 7)
    assert retrieval_recall(images, texts, owner) == whole
    assert 0 < whole["mr"] < 50


@pytest.mark.parametrize(
    ("images", "texts", "owner"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), [0, 1]),
        (np.ones((2, 3)), np.ones((2, 3)), [0]),
        (np.ones((2, 3)), np.ones((2, 3)), [0, 2]),
        (np.ones((2, 3)), np.ones((0, 3)), []),
    ],
)
def test_shapes_that_do_not_fit_are_refused(images: np.ndarray, texts: np.ndarray, owner: list[int]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        retrieval_recall(images, texts, owner)
