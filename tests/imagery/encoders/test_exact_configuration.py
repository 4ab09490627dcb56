"""Checkpoints whose small files are odd, as published ones are: the weights decide, and nothing is guessed silently."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.checkpoint import facts
from imagery.encoders.clip import CheckpointEncoder
from tests.imagery.encoders.reference import plain_images, plain_texts

TOLERANCE = 1e-5


def encoder_of(folder: Path) -> CheckpointEncoder:
    return CheckpointEncoder(EncoderSpec(EncoderKind.TRANSFORMERS, str(folder)))


def noise(width: int = 70, height: int = 50) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("family", "wrong"),
    [
        ("base", {"size": {"height": 48, "width": 48}}),
        ("clip", {"size": {"shortest_edge": 24}, "crop_size": {"height": 48, "width": 48}}),
    ],
)
def test_a_picture_size_that_is_not_the_weights_is_corrected(
    family: str, wrong: dict[str, object], model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """Git-RSCLIP-base's page says 224 in one place and 256 in another; plain code raises there."""
    right = model_folder(family)
    odd = shutil.copytree(right, tmp_path / "odd")
    settings = json.loads((odd / "preprocessor_config.json").read_text())
    (odd / "preprocessor_config.json").write_text(json.dumps(settings | wrong))
    with pytest.raises((ValueError, RuntimeError), match=r"size|match"):
        plain_images(odd, [noise()])
    np.testing.assert_allclose(encoder_of(odd).encode_images([noise()]), plain_images(right, [noise()]), atol=TOLERANCE)


def test_other_numbers_of_the_image_processor_are_kept(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """Mean, deviation and the way of scaling are the checkpoint's, not the family's."""
    folder = shutil.copytree(model_folder("base"), tmp_path / "other")
    file = folder / "preprocessor_config.json"
    changed = json.loads(file.read_text()) | {
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.3, 0.4],
        "resample": 2,
    }
    file.write_text(json.dumps(changed))
    ours = encoder_of(folder).encode_images([noise()])
    np.testing.assert_allclose(ours, plain_images(folder, [noise()]), atol=TOLERANCE)
    assert np.abs(ours - plain_images(model_folder("base"), [noise()])).max() > 1e-3


def test_naflex_says_the_side_of_the_square_it_can_hold(model_folder: Callable[[str], Path]) -> None:
    """16 patches of 8 px: a square of 32 px."""
    assert facts(EncoderSpec(EncoderKind.TRANSFORMERS, str(model_folder("naflex")))).image_size == 32


@pytest.mark.parametrize("family", ["base", "siglip2", "naflex"])
def test_capitals_mean_nothing_to_siglip(family: str, model_folder: Callable[[str], Path]) -> None:
    """SigLIP's tokenizer lowers them itself; Gemma's, which SigLIP 2 comes with, does not."""
    rows = encoder_of(model_folder(family)).encode_texts(["A HARBOUR with Boats", "a harbour with boats"])
    np.testing.assert_allclose(rows[0], rows[1], atol=TOLERANCE)
    np.testing.assert_allclose(rows[:1], plain_texts(model_folder(family), ["a harbour with boats"]), atol=TOLERANCE)


@pytest.mark.parametrize("family", ["base", "clip", "siglip2"])
def test_tokens_are_counted_with_their_marks_and_before_anything_is_cut(
    family: str, model_folder: Callable[[str], Path]
) -> None:
    encoder = encoder_of(model_folder(family))
    short, long = encoder.token_count("sea"), encoder.token_count("sea " * 200)
    assert 1 < short <= encoder.max_text_length < long
    assert encoder._image_tower is None
