"""Text vectors are those of plain transformers code, to 1e-5 in float32, whatever the batch and the length."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.clip import CheckpointEncoder
from tests.checkpoints import SENTENCES
from tests.imagery.encoders.reference import plain_texts

TOLERANCE = 1e-5
FAMILIES = ["base", "large", "clip", "siglip2", "naflex"]
TEN_CHARACTERS = "a seaport,"
THREE_HUNDRED_CHARACTERS = (" ".join(SENTENCES) * 2)[:300]
# From one token to more than any of the models reads, mixed, with upper case, punctuation and odd spaces.
RAGGED = [
    "sea",
    TEN_CHARACTERS,
    *SENTENCES,
    THREE_HUNDRED_CHARACTERS,
    "Many GREEN trees, and (some) buildings!",
    "  a   river ",
    "a road; a railway -- a 2nd station.",
]


@pytest.fixture(params=FAMILIES)
def folder(request: pytest.FixtureRequest, model_folder: Callable[[str], Path]) -> Path:
    return model_folder(request.param)


def encoder_of(folder: Path) -> CheckpointEncoder:
    return CheckpointEncoder(EncoderSpec(EncoderKind.TRANSFORMERS, str(folder)))


def test_the_lengths_are_what_they_say() -> None:
    assert (len(TEN_CHARACTERS), len(THREE_HUNDRED_CHARACTERS)) == (10, 300)


@pytest.mark.parametrize("text", [TEN_CHARACTERS, SENTENCES[1], THREE_HUNDRED_CHARACTERS])
def test_one_text(folder: Path, text: str) -> None:
    ours = encoder_of(folder).encode_texts([text])
    np.testing.assert_allclose(ours, plain_texts(folder, [text]), atol=TOLERANCE)


def test_a_ragged_batch_of_64(folder: Path) -> None:
    """Neither the neighbours of a text nor the plain code's own batching change its vector."""
    texts = [RAGGED[number % len(RAGGED)] for number in range(64)]
    ours = encoder_of(folder).encode_texts(texts)
    assert ours.dtype == np.float32
    if folder.name == "siglip2":  # Trained on lower case, which the plain code leaves to its caller.
        texts = [text.lower() for text in texts]
    np.testing.assert_allclose(ours, plain_texts(folder, texts), atol=TOLERANCE)
    np.testing.assert_allclose(ours, plain_texts(folder, texts, batch=64), atol=TOLERANCE)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1.0, atol=TOLERANCE)


def test_different_texts_have_different_vectors(folder: Path) -> None:
    """Otherwise agreement would show nothing."""
    rows = encoder_of(folder).encode_texts(RAGGED)
    likeness = rows @ rows.T
    assert likeness[np.triu_indices(len(RAGGED), 1)].min() < 0.9


@pytest.mark.parametrize("family", ["base", "large", "siglip2", "naflex"])
def test_siglip_reads_full_length_padding_without_a_mask(family: str, model_folder: Callable[[str], Path]) -> None:
    encoder = encoder_of(model_folder(family))
    encoder.load(image=False)
    tensors = dict(encoder._tokens([TEN_CHARACTERS, THREE_HUNDRED_CHARACTERS]))
    assert set(tensors) == {"input_ids"}
    assert tensors["input_ids"].shape == (2, 64)


def test_padding_matters_so_that_the_tests_would_notice(model_folder: Callable[[str], Path]) -> None:
    """The same model with the padding cut off gives another vector: the classic silent mistake."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = model_folder("base")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    short = tokenizer([TEN_CHARACTERS], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        wrong = model.get_text_features(input_ids=short).pooler_output[0].numpy()
    right = encoder_of(folder).encode_texts([TEN_CHARACTERS])[0]
    assert float(wrong @ right) / float(np.linalg.norm(wrong)) < 0.99
