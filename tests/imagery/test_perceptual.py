"""What a picture looks like in 64 bits: copies stay near, other pictures stay far, flat ones have nothing to tell."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from imagery.perceptual import FLAT, perceptual_hash
from imagery.perceptual_bands import MAX_DISTANCE


def apart(one: int, other: int) -> int:
    """Return in how many of their 64 bits two hashes differ."""
    return ((one ^ other) & (2**64 - 1)).bit_count()


def saved(picture: Image.Image, format: str, **options) -> Image.Image:
    out = io.BytesIO()
    picture.save(out, format=format, **options)
    return Image.open(out).convert("RGB")


def hash_of(picture: Image.Image) -> int:
    return perceptual_hash(np.asarray(picture))


@pytest.fixture(scope="module")
def pictures(data_dir) -> list[Image.Image]:
    """Every tenth picture of the validation set of RSICD."""
    lines = (data_dir / "rsicd" / "captions.jsonl").read_text().splitlines()
    names = [row["filename"] for line in lines if (row := json.loads(line))["split"] == "val"]
    return [Image.open(data_dir / "rsicd" / "images" / name).convert("RGB") for name in names[::10]]


@pytest.mark.parametrize(
    "copy",
    [
        lambda picture: saved(picture, "JPEG", quality=50),
        lambda picture: saved(picture, "WEBP", quality=60),
        lambda picture: picture.resize((112, 112), Image.Resampling.LANCZOS),
        lambda picture: picture.resize((448, 448), Image.Resampling.BICUBIC),
        lambda picture: saved(picture.resize((112, 112), Image.Resampling.BILINEAR), "JPEG", quality=50),
        lambda picture: picture.point(lambda value: min(255, int(value * 1.1 + 5))),
    ],
    ids=["jpeg", "webp", "half", "double", "half and jpeg", "brighter"],
)
def test_copies_stay_near(pictures, copy):
    distances = [apart(hash_of(picture), hash_of(copy(picture))) for picture in pictures]
    near = sum(distance <= MAX_DISTANCE for distance in distances)
    assert near >= 0.98 * len(pictures), sorted(distances)[-5:]


def test_other_pictures_stay_far(pictures):
    hashes = [hash_of(picture) for picture in pictures]
    pairs = [apart(a, b) for position, a in enumerate(hashes) for b in hashes[:position]]
    assert min(pairs) > MAX_DISTANCE and 30 < sum(pairs) / len(pairs) < 34


def test_it_is_a_signed_64_bit_number_whatever_the_size():
    rng = np.random.default_rng(1)
    signs = set()
    for size in ((8, 8), (9, 300), (300, 9), (64, 48), (500, 700)):
        value = perceptual_hash(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        assert -(2**63) <= value < 2**63
        signs.add(value)
    assert len(signs) == 5


@pytest.mark.parametrize("noise", [0, 2])
def test_pictures_without_contrast_are_flat(noise):
    rng = np.random.default_rng(1)
    sea = np.full((224, 224, 3), 40, dtype=np.uint8) + rng.integers(0, noise + 1, (224, 224, 3), dtype=np.uint8)
    assert perceptual_hash(sea.astype(np.uint8)) == FLAT


def test_an_upside_down_picture_is_another_one(pictures):
    assert apart(hash_of(pictures[0]), hash_of(pictures[0].transpose(Image.Transpose.FLIP_TOP_BOTTOM))) > MAX_DISTANCE
