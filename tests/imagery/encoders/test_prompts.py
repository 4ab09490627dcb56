"""Which texts get prompts, what they become, and what a text of any length is encoded as."""

import numpy as np
import pytest

from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec, ImageTextEncoder
from imagery.encoders.prompts import CHINESE, ENGLISH, default_prompts, is_phrase, prompted, prompts_check
from imagery.encoders.terms import bank, terms
from imagery.encoders.texts import text_vector
from rsportal.errors import InvalidInput


@pytest.fixture(scope="module")
def builtin() -> ImageTextEncoder:
    return registry.get_encoder(EncoderSpec(EncoderKind.BUILTIN, "builtin"))


@pytest.mark.parametrize(
    "text", ["storage tanks", "boats in a harbour", "café roofs", "密集住宅区", "港口", "T2 航站楼"]
)
def test_short_phrases_get_prompts(text: str) -> None:
    assert is_phrase(text)


@pytest.mark.parametrize(
    "text",
    [
        "a river runs through a dense residential area",
        "boats are moored",
        "a harbour, boats",
        "a satellite image of a harbour",
        "an aerial view",
        "there is water",
        "港口里有许多船",
        "港口的卫星影像",
        "河上有桥。",
        "许多树和建筑物在一个操场的周围",
        "порт",
        "1234",
        "",
    ],
)
def test_sentences_and_everything_else_are_left_as_they_are(text: str) -> None:
    assert not is_phrase(text)
    assert prompted(text, [*ENGLISH, *CHINESE]) == [text]


def test_a_phrase_takes_the_prompts_of_its_own_script() -> None:
    both = [*ENGLISH, *CHINESE]
    assert prompted("storage tanks", both) == [prompt.replace("{}", "storage tanks") for prompt in ENGLISH]
    assert prompted("储罐", both) == ["储罐的遥感影像", "储罐的卫星图像", "储罐的卫星照片", "储罐的航拍图像"]
    assert prompted("储罐", ENGLISH) == ["储罐"]
    assert prompted("storage tanks", []) == ["storage tanks"]


def test_defaults_follow_the_encoder() -> None:
    assert default_prompts(kind=EncoderKind.TRANSFORMERS, languages=["en"]) == list(ENGLISH)
    assert default_prompts(kind="transformers", languages=["en", "zh"]) == [*ENGLISH, *CHINESE]
    assert default_prompts(kind="builtin", languages=["en", "zh"]) == []


def test_prompts_are_trimmed_and_refused_with_a_sentence() -> None:
    assert prompts_check([" a photo of {} ", "", "a photo of {}"]) == ["a photo of {}"]
    for wrong in ("a photo", "{}", "{} and {}", "x" * 100 + "{}"):
        with pytest.raises(InvalidInput, match="once") as caught:
            prompts_check([wrong])
        assert caught.value.field == "prompts"
    with pytest.raises(InvalidInput, match="17"):
        prompts_check([f"photo {number} of {{}}" for number in range(17)])


def test_the_bank_has_300_terms_in_both_languages_each_once() -> None:
    english, chinese = zip(*bank(), strict=True)
    assert 300 <= len(set(english)) == len(english)
    assert len(set(chinese)) == len(chinese)
    assert all(text.isascii() for text in english)
    assert all(any("\u4e00" <= char <= "\u9fff" for char in text) for text in chinese)
    assert all(is_phrase(text) for text in (*english, *chinese)), "each is asked as a phrase is"
    assert len(terms(["en", "zh"])) == 2 * len(terms(["en"])) == 2 * len(bank())


def test_a_phrase_is_the_unit_mean_of_its_prompts(builtin: ImageTextEncoder) -> None:
    encoded = text_vector(builtin, "storage tanks", prompts=ENGLISH)
    mean = builtin.encode_texts([prompt.replace("{}", "storage tanks") for prompt in ENGLISH]).mean(axis=0)
    np.testing.assert_allclose(encoded.vector, mean / np.linalg.norm(mean), atol=1e-6)
    assert encoded.parts == ()
    assert float(encoded.vector @ builtin.encode_texts(["storage tanks"])[0]) < 1 - 1e-4


def test_a_sentence_that_fits_is_encoded_once(builtin: ImageTextEncoder) -> None:
    text = "many boats are in a harbour beside a long pier"
    encoded = text_vector(builtin, text, prompts=ENGLISH)
    np.testing.assert_allclose(encoded.vector, builtin.encode_texts([text])[0], atol=1e-6)


def test_nothing_of_a_long_text_is_cut_off(builtin: ImageTextEncoder) -> None:
    """What stands after the encoder's last token still moves the vector."""
    begin = "A wide river runs through green fields. " * 20
    one, other = begin + "An airport with planes.", begin + "White boats in a harbour."
    cut = builtin.encode_texts([one, other])
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)
    first, second = text_vector(builtin, one), text_vector(builtin, other)
    assert float(first.vector @ second.vector) < 1 - 1e-4
    assert len(first.parts) > 1
    assert " ".join(first.parts) == one
    assert all(builtin.token_count(part) <= builtin.max_text_length for part in first.parts)
    assert np.linalg.norm(first.vector) == pytest.approx(1.0, abs=1e-5)
