"""Means of an encoder's texts and images: what numpy gives, the same every time, and never from a few scenes."""

import numpy as np
import pytest

from imagery.encoders.prompts import ENGLISH
from imagery.encoders.terms import terms
from imagery.models import Encoder, Scene
from imagery.services.encoders import encoder_instance
from imagery.services.means import (
    FEWEST_SCENES,
    encoder_image_mean_compute,
    encoder_means_compute,
    encoder_means_refresh,
    encoder_prompts_set,
)
from rsportal.errors import InvalidInput
from tests.factories import DIMENSION, make_collection, make_encoder, make_scene, unit

pytestmark = pytest.mark.django_db


def make_archive(count: int, *, encoder: Encoder, seed: int = 0) -> list[np.ndarray]:
    """``count`` scenes of private collections with vectors of their own; returns these."""
    random = np.random.default_rng(seed)
    collections = [make_collection(), make_collection()]
    vectors = [unit(random.normal(size=encoder.dimension) + 1) for _ in range(count)]
    for number, vector in enumerate(vectors):
        make_scene(collections[number % 2], vector=vector, encoder=encoder)
    return vectors


def test_the_image_mean_is_the_mean_of_the_scenes_means() -> None:
    encoder = make_encoder()
    vectors = make_archive(FEWEST_SCENES, encoder=encoder)
    tiles = [unit(np.random.default_rng(number).normal(size=DIMENSION)) for number in range(3)]
    windows = {(0, 0, 32, 32): tiles[0], (32, 0, 32, 32): tiles[1], (0, 32, 32, 32): tiles[2]}
    whole = unit(np.ones(DIMENSION))
    make_scene(vector=whole, windows=windows, encoder=encoder)
    make_scene(vector=-whole, encoder=encoder, status=Scene.Status.PENDING)
    done = encoder_image_mean_compute(encoder=encoder)
    expected = np.mean([*vectors, np.mean([whole, *tiles], axis=0)], axis=0)
    assert done.image_mean is not None
    np.testing.assert_allclose(done.image_mean, expected, atol=1e-3)  # The vectors are stored in half precision.
    assert done.means_of == {"archive": 51, "scenes": 51, "vectors": 54, "reason": ""}
    assert done.means_at is not None
    again = encoder_image_mean_compute(encoder=encoder)
    assert again.image_mean == done.image_mean, "the sample is stable"


def test_a_large_scene_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its many tiles a few stand for all; of a large archive a sample of scenes."""
    monkeypatch.setattr("imagery.services.means._SAMPLED_SCENES", 40)
    monkeypatch.setattr("imagery.services.means._TILES_OF_A_SCENE", 1)
    encoder = make_encoder()
    make_archive(FEWEST_SCENES, encoder=encoder)
    made_of = encoder_image_mean_compute(encoder=encoder).means_of
    assert (made_of["archive"], made_of["scenes"], made_of["vectors"]) == (50, 40, 40)


def test_few_scenes_give_no_image_mean() -> None:
    encoder = make_encoder()
    make_archive(FEWEST_SCENES - 1, encoder=encoder)
    done = encoder_image_mean_compute(encoder=encoder)
    assert done.image_mean is None
    assert "49 scenes" in done.means_of["reason"]


def test_vectors_of_other_encoders_do_not_count() -> None:
    other = make_encoder()
    make_archive(FEWEST_SCENES, encoder=other)
    assert encoder_image_mean_compute(encoder=make_encoder()).means_of["archive"] == 0


def test_the_mean_is_taken_anew_when_the_archive_has_grown() -> None:
    encoder = make_encoder()
    assert not encoder_means_refresh(), "too few scenes"
    make_archive(FEWEST_SCENES, encoder=encoder)
    assert encoder_means_refresh()
    before = Encoder.objects.get(pk=encoder.pk)
    make_archive(10, encoder=encoder, seed=1)
    assert not encoder_means_refresh(), "grown by 20 %, not more"
    make_archive(1, encoder=encoder, seed=2)
    assert encoder_means_refresh()
    after = Encoder.objects.get(pk=encoder.pk)
    assert (before.means_of["archive"], after.means_of["archive"]) == (50, 61)
    assert after.image_mean != before.image_mean


def test_the_text_mean_is_that_of_the_bank_in_the_prompts(encoder: Encoder) -> None:
    encoder = encoder_prompts_set(encoder=encoder, prompts=ENGLISH[:2])
    done = encoder_means_compute(encoder=encoder)
    bank = terms(["en"])
    model = encoder_instance(encoder)
    first, second = (model.encode_texts([prompt.replace("{}", term) for term in bank]) for prompt in ENGLISH[:2])
    both = first + second
    expected = (both / np.linalg.norm(both, axis=1, keepdims=True)).mean(axis=0)
    assert done.text_mean is not None
    np.testing.assert_allclose(done.text_mean, expected, atol=1e-5)
    assert done.means_of["terms"] == len(bank)
    assert done.means_of["prompts"] == list(ENGLISH[:2])
    assert done.image_mean is None


def test_other_prompts_drop_the_text_mean(encoder: Encoder) -> None:
    Encoder.objects.filter(pk=encoder.pk).update(text_mean=[0.5])
    assert encoder_prompts_set(encoder=encoder, prompts=encoder.prompts).text_mean == [0.5]
    assert encoder_prompts_set(encoder=encoder, prompts=["a map of {}"]).text_mean is None
    with pytest.raises(InvalidInput, match="once"):
        encoder_prompts_set(encoder=encoder, prompts=["a map"])


def test_a_mean_of_prompts_that_were_changed_meanwhile_is_not_kept(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_meanwhile(*, encoder: Encoder, vectors: np.ndarray) -> np.ndarray:
        encoder_prompts_set(encoder=encoder, prompts=["a map of {}"])
        return vectors

    monkeypatch.setattr("imagery.services.means.texts_adapt", change_meanwhile)
    assert encoder_means_compute(encoder=encoder).text_mean is None
    monkeypatch.undo()
    assert encoder_means_compute(encoder=Encoder.objects.get(pk=encoder.pk)).text_mean is not None
