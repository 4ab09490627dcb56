"""One run at the shape of Git-RSCLIP-base: 12 layers of 768, 32,000 tokens, 256 px. Random weights, 0.8 GB."""

import gc
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.clip import CheckpointEncoder
from tests.checkpoints import BASE_FULL, SENTENCES, siglip_of_shape
from tests.imagery.encoders.reference import plain_images, plain_texts

TOLERANCE = 1e-5
_FREE_BYTES = 3 << 30


def test_full_base_shape(tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < _FREE_BYTES:
        pytest.skip("needs 3 GB of disk for a checkpoint of full size")
    folder = siglip_of_shape(tmp_path / "base", BASE_FULL)
    try:
        texts = ["a seaport,", (" ".join(SENTENCES) * 2)[:300]]
        random = np.random.default_rng(5)
        pixels: list[NDArray[np.uint8]] = [
            random.integers(0, 256, shape, dtype=np.uint8) for shape in ((256, 256, 3), (173, 301))
        ]
        images = [Image.fromarray(array) for array in pixels]
        encoder = CheckpointEncoder(EncoderSpec(EncoderKind.TRANSFORMERS, str(folder)))
        assert (encoder.dimension, encoder.image_size, encoder.max_text_length) == (768, 256, 64)
        rows = encoder.encode_texts(texts), encoder.encode_images(images)
        del encoder
        gc.collect()  # Its 0.8 GB go before the plain model takes as much again.
        for ours, plain in zip(rows, (plain_texts(folder, texts), plain_images(folder, images)), strict=True):
            np.testing.assert_allclose(ours, plain, atol=TOLERANCE)
            assert float(ours[0] @ ours[1]) < 1 - 1e-3
    finally:
        shutil.rmtree(folder)
