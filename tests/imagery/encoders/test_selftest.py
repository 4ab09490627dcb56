"""The self-test's inputs are the same for ever, and the faults it is there for move the vectors far enough."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from imagery.encoders import registry, selftest
from imagery.encoders.base import EncoderKind, EncoderSpec, ImageTextEncoder


@pytest.fixture(scope="module")
def builtin() -> ImageTextEncoder:
    return registry.get_encoder(EncoderSpec(EncoderKind.BUILTIN, "builtin"))


def test_the_inputs_never_change(builtin: ImageTextEncoder) -> None:
    """Rows in the field were recorded with these: another version needs another number and must not compare."""
    assert selftest.VERSION == 1
    digest = hashlib.sha256()
    for text in selftest.inputs(builtin, "text"):
        digest.update(text.encode())
    for image in selftest.inputs(builtin, "image"):
        digest.update(repr(image.size).encode() + image.mode.encode() + image.tobytes())
    assert digest.hexdigest() == "7bf3080b582819278ba6bbea7cf6a1a16aaaa11f2c6190e8b6938943658b88b8"


@pytest.mark.parametrize("tower", selftest.TOWERS)
def test_known_vectors_are_those_of_the_encoder(builtin: ImageTextEncoder, tower: str) -> None:
    half = selftest.known(builtin, tower)
    assert half["made"]["precision"] == "float32"
    assert half["made"]["numpy"] == np.__version__
    assert selftest.distance(half, selftest.vectors(builtin, tower)) < selftest.tolerance("float32") / 100


@pytest.mark.parametrize(
    "fault",
    [
        lambda image: Image.fromarray(np.asarray(image)[..., ::-1].copy()),
        lambda image: image.resize((224, 224), Image.Resampling.NEAREST),
        lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        lambda image: image.point(lambda value: value * 0.8),
        lambda image: image.convert("L").convert("RGB"),
    ],
    ids=["bgr", "nearest", "upside-down", "darker", "grey"],
)
def test_faults_of_preparing_pictures_are_beyond_every_tolerance_of_full_precision(
    builtin: ImageTextEncoder, fault
) -> None:
    half = selftest.known(builtin, "image")
    wrong = builtin.encode_images([fault(image) for image in selftest.inputs(builtin, "image")])
    assert selftest.distance(half, wrong) > selftest.tolerance("bfloat16")


@pytest.mark.parametrize("fault", [str.upper, lambda text: text[: len(text) // 2], lambda text: text + " </s>"])
def test_faults_of_reading_texts_are_noticed(builtin: ImageTextEncoder, fault) -> None:
    half = selftest.known(builtin, "text")
    wrong = builtin.encode_texts([fault(text) for text in selftest.inputs(builtin, "text")])
    assert selftest.distance(half, wrong) > selftest.tolerance("bfloat16")
