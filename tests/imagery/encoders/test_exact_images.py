"""Image vectors are those of plain transformers code, to 1e-5 in float32, whatever the picture's size and mode."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.clip import CheckpointEncoder
from tests.imagery.encoders.reference import image_processor, plain_images

TOLERANCE = 1e-5
FAMILIES = ["base", "large", "clip", "siglip2", "naflex"]
# Width and height in pixels: the model's own, odd ones, thin ones, and 3 pixels, which look like colour channels.
SIZES = [(64, 64), (65, 63), (224, 224), (33, 31), (17, 90), (301, 40), (3, 50), (50, 3), (3, 3), (1, 1), (2, 7)]


@pytest.fixture(params=FAMILIES)
def folder(request: pytest.FixtureRequest, model_folder: Callable[[str], Path]) -> Path:
    return model_folder(request.param)


def encoder_of(folder: Path) -> CheckpointEncoder:
    return CheckpointEncoder(EncoderSpec(EncoderKind.TRANSFORMERS, str(folder)))


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth colours with noise, as a photograph has both."""
    random = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    channels = np.stack([across, down, (across + down) / 2], axis=-1)
    return Image.fromarray((channels + random.integers(0, 55, channels.shape)).astype(np.uint8))


@pytest.mark.parametrize("size", SIZES)
def test_one_picture_of_any_size(folder: Path, size: tuple[int, int]) -> None:
    image = picture(*size)
    ours = encoder_of(folder).encode_images([image])
    np.testing.assert_allclose(ours, plain_images(folder, [image]), atol=TOLERANCE)


def test_a_ragged_batch_of_64(folder: Path) -> None:
    images = [picture(*SIZES[number % len(SIZES)], seed=number) for number in range(64)]
    ours = encoder_of(folder).encode_images(images)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, plain_images(folder, images), atol=TOLERANCE)
    np.testing.assert_allclose(ours, plain_images(folder, images, batch=64), atol=TOLERANCE)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1.0, atol=TOLERANCE)


def test_different_pictures_have_different_vectors(folder: Path) -> None:
    """Otherwise agreement would show nothing."""
    rows = encoder_of(folder).encode_images([picture(64, 64), picture(64, 64).rotate(90), Image.new("RGB", (64, 64))])
    assert (rows @ rows.T)[np.triu_indices(3, 1)].max() < 1 - 1e-3


def as_jpeg(image: Image.Image) -> Image.Image:
    """The picture as it comes back from a JPEG file of its mode."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=95)
    return Image.open(io.BytesIO(stream.getvalue()))


@pytest.mark.parametrize(
    "image",
    [
        picture(60, 45).convert("L"),
        picture(60, 45).convert("P", palette=Image.Palette.ADAPTIVE),
        picture(60, 45).convert("1"),
        picture(60, 45).convert("CMYK"),
        picture(60, 45).convert("YCbCr"),
        as_jpeg(picture(60, 45).convert("CMYK")),
        as_jpeg(picture(60, 45).convert("L")),
        picture(60, 45).convert("RGBA"),  # All pixels opaque.
    ],
    ids=["grey", "palette", "bilevel", "cmyk", "ycbcr", "cmyk-jpeg", "grey-jpeg", "opaque-rgba"],
)
def test_modes_that_the_image_processor_knows(folder: Path, image: Image.Image) -> None:
    ours = encoder_of(folder).encode_images([image])
    np.testing.assert_allclose(ours, plain_images(folder, [image]), atol=TOLERANCE)


def test_transparent_pixels_are_white(folder: Path) -> None:
    """The image processor would show whatever colour lies hidden under them."""
    shown = picture(60, 45)
    hidden = np.asarray(shown.convert("RGBA")).copy()
    hidden[:, :20] = (0, 255, 0, 0)
    expected = np.asarray(shown).copy()
    expected[:, :20] = 255
    ours = encoder_of(folder).encode_images([Image.fromarray(hidden)])
    np.testing.assert_allclose(ours, plain_images(folder, [Image.fromarray(expected)]), atol=TOLERANCE)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_wide_values_are_stretched_to_8_bits(folder: Path, kind: type) -> None:
    """The image processor would clip everything above 255 to white."""
    values = np.random.default_rng(3).integers(300, 9000, (45, 60))
    wide: NDArray[Any] = values.astype(kind)
    low, high = float(values.min()), float(values.max())
    narrow = np.rint((values - low) / (high - low) * 255).astype(np.uint8)
    ours = encoder_of(folder).encode_images([Image.fromarray(wide)])
    expected = plain_images(folder, [Image.fromarray(np.repeat(narrow[..., None], 3, axis=-1))])
    np.testing.assert_allclose(ours, expected, atol=TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_siglip_s_pixels_are_the_formula_s(size: tuple[int, int], model_folder: Callable[[str], Path]) -> None:
    """256 -> here 64 px, bicubic, not cropped, (x / 255 - 0.5) / 0.5: what the plain code itself must do."""
    image = picture(*size)
    got = image_processor(model_folder("base"), "siglip")(images=[image], return_tensors="np")["pixel_values"][0]
    side = got.shape[-1]
    scaled = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64) / 255
    np.testing.assert_allclose(got, ((scaled - 0.5) / 0.5).transpose(2, 0, 1), atol=1e-6)
