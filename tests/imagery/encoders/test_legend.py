"""Names of land cover classes that the built-in encoder reads in the words of captions."""

import numpy as np
import pytest

from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.builtin.encoder import BuiltinEncoder
from imagery.encoders.builtin.legend import in_caption_words


@pytest.mark.parametrize(
    "name",
    [
        "built-up land", "Built up area", "built-up", "urban or built-up land", "artificial surfaces", "urban fabric",
        "discontinuous urban fabric", "developed land", "human settlement",
    ],
)  # fmt: skip
def test_classes_of_legends_are_read_as_captions_say_them(name):
    assert in_caption_words(name) == "urban area"
    assert in_caption_words(f"{name} beside a river") == "urban area beside a river"


@pytest.mark.parametrize(
    "text",
    ["undeveloped land", "rebuilt upper deck", "a built upland hut", "fields", "urban area", "", "land", "建成区"],
)
def test_other_words_stay(text):
    assert in_caption_words(text) == text


def test_built_up_land_is_nearer_to_houses_than_to_fields():
    encoder = BuiltinEncoder(EncoderSpec(EncoderKind.BUILTIN, "builtin"))
    land, houses, fields = encoder.encode_texts(
        ["built-up land", "many buildings in a residential area", "many pieces of farmland"]
    )
    assert float(np.dot(land, houses)) > float(np.dot(land, fields)) + 0.3
