"""Retrieval recall: counted by hand, and against counting every order of the candidates."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagery.encoders.base import unit_rows
from imagery.evaluation.recall import rank_both_ways, retrieval_recall


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
    monkeypatch.setattr("imagery.evaluation.recall._BLOCK_SCORES", 7 * 50)
    assert retrieval_recall(images, texts, owner) == whole
    assert 0 < whole["mr"] < 50


@pytest.mark.parametrize(
    ("images", "texts", "owner"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), [0, 1]),
        (np.ones((2, 3)), np.ones((2, 3)), [0]),
        (np.ones((2, 3)), np.ones((2, 3)), [0, 2]),
        (np.ones((2, 3)), np.ones((0, 3)), []),
        (np.full((2, 3), np.nan), np.ones((2, 3)), [0, 1]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(images: np.ndarray, texts: np.ndarray, owner: list[int]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        retrieval_recall(images, texts, owner)


def brute_force(
    images: np.ndarray, texts: np.ndarray, owner: list[int], words: list[int], cut: int
) -> tuple[float, float]:
    """(image -> text, text -> image) recall, the mean over every order of the candidates; counted one by one."""

    def share(queries: list[tuple[np.ndarray, set[int]]], candidates: np.ndarray) -> float:
        found = []
        for query, wanted in queries:
            scores = [float(candidate @ query) for candidate in candidates]
            orders = [
                order
                for order in itertools.permutations(range(len(candidates)))
                if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
            ]
            found.append(np.mean([bool(wanted & set(order[:cut])) for order in orders]))
        return 100 * float(np.mean(found))

    def captions(row: int) -> set[int]:
        mine = {words[text] for text in range(len(owner)) if owner[text] == row}
        return {text for text in range(len(owner)) if words[text] in mine}

    def pictures(text: int) -> set[int]:
        return {owner[other] for other in range(len(owner)) if words[other] == words[text]}

    return (
        share([(images[row], captions(row)) for row in sorted(set(owner))], texts),
        share([(texts[text], pictures(text)) for text in range(len(owner))], images),
    )


# Few directions, so that many scores tie; whole numbers, so that ties are exact.
_few = st.lists(st.sampled_from([(1, 0), (0, 1), (1, 1)]), min_size=2, max_size=5)


@given(images=_few, texts=_few, data=st.data())
@settings(max_examples=60, deadline=None)
def test_expected_recall_is_the_mean_over_all_orders(images: list, texts: list, data: st.DataObject) -> None:
    pictures, captions = np.array(images, dtype=np.float32), np.array(texts, dtype=np.float32)
    count = len(texts)
    owner = data.draw(st.lists(st.integers(0, len(images) - 1), min_size=count, max_size=count))
    # Captions of the same words have the same vector; those of one vector may be of different words.
    words = [hash(text) if data.draw(st.booleans()) else (hash(text), number) for number, text in enumerate(texts)]
    names = [sorted(map(str, words)).index(str(word)) for word in words]
    alone = list(range(count))
    for same_text in (None, names):
        result = retrieval_recall(pictures, captions, owner, ties="expected", same_text=same_text)
        against = retrieval_recall(pictures, captions, owner, ties="against", same_text=same_text)
        image_to_text, text_to_image = brute_force(pictures, captions, owner, same_text or alone, 1)
        assert result["image_to_text_r1"] == pytest.approx(image_to_text)
        assert result["text_to_image_r1"] == pytest.approx(text_to_image)
        assert all(against[name] <= result[name] + 1e-9 for name in result)


def test_one_vector_for_everything_scores_what_guessing_scores() -> None:
    images, texts = np.ones((20, 3), dtype=np.float32), np.ones((100, 3), dtype=np.float32)
    result = retrieval_recall(images, texts, np.repeat(np.arange(20), 5), ties="expected")
    assert result["text_to_image_r1"] == pytest.approx(100 / 20)
    assert result["text_to_image_r10"] == pytest.approx(100 * 10 / 20)
    assert result["image_to_text_r1"] == pytest.approx(100 * 5 / 100)
    # No wanted one among ten of a hundred, five of them wanted.
    assert result["image_to_text_r10"] == pytest.approx(100 * (1 - math.comb(95, 10) / math.comb(100, 10)))


def test_a_caption_of_two_images_is_a_match_for_both_when_asked() -> None:
    images = np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 0, 1]], dtype=np.float32)
    texts = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32)
    strict = retrieval_recall(images, texts, [0, 1, 2], ties="expected")
    shared = retrieval_recall(images, texts, [0, 1, 2], ties="expected", same_text=[7, 7, 9])
    assert strict["text_to_image_r1"] == pytest.approx(200 / 3)
    assert strict["image_to_text_r1"] == pytest.approx(100 * (0.5 + 0.5 + 1) / 3)
    assert shared["text_to_image_r1"] == shared["image_to_text_r1"] == 100.0


def test_equal_captions_tie_exactly_wherever_they_stand() -> None:
    # Wide vectors and odd sizes: a plain product of these matrices rounds equal columns differently.
    random = np.random.default_rng(4)
    images = unit_rows(random.normal(size=(257, 384)))
    texts = np.repeat(unit_rows(random.normal(size=(1, 384))), 257 * 5, axis=0)
    ranked = rank_both_ways(images, texts, np.repeat(np.arange(257), 5))
    assert (ranked.image_to_text.better == 0).all()
    assert (ranked.image_to_text.tied == 256 * 5).all()
    assert (ranked.image_to_text.wanted == 5).all()


def test_intervals_hold_the_figure_and_come_out_the_same_again() -> None:
    random = np.random.default_rng(8)
    images = unit_rows(random.normal(size=(200, 16)))
    owner = np.repeat(np.arange(200), 5)
    ranked = rank_both_ways(images, unit_rows(images[owner] + 0.6 * random.normal(size=(1000, 16))), owner)
    intervals = ranked.intervals("expected")
    figures = ranked.recall("expected")
    assert set(intervals) == set(figures)
    for name, interval in intervals.items():
        assert interval.mean == figures[name]
        assert interval.low < interval.mean < interval.high
    # A share p of 200 independent pictures has the standard error sqrt(p (1 - p) / 200).
    share = figures["image_to_text_r1"] / 100
    width = 2 * 1.96 * 100 * math.sqrt(share * (1 - share) / 200)
    found = intervals["image_to_text_r1"]
    assert found.high - found.low == pytest.approx(width, rel=0.12)
    assert ranked.intervals("expected") == intervals
    # A gain of one encoder over another is measured on the same resamples.
    better = rank_both_ways(images, unit_rows(images[owner] + 0.4 * random.normal(size=(1000, 16))), owner)
    gain = better.resampled("expected")[:, -1] - ranked.resampled("expected")[:, -1]
    assert np.quantile(gain, 0.025) > 0
