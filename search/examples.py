"""The queries shown under an empty search box."""

from typing import Final

from django.utils.translation import get_language

from imagery.models import Encoder

_ENGLISH: Final = ("an airport with many planes", "a river crossed by a bridge", "dense houses beside a park")
_CHINESE: Final = ("港口里停着很多船", "停着许多飞机的机场", "横跨河流的桥梁")
_OTHERS_SHOWN: Final = 1
"""How many examples of each further language show that the encoder reads it."""


def example_queries(encoder: Encoder | None) -> list[tuple[str, str]]:
    """Return (language, text) of queries the encoder understands: the reader's language first, a taste of others."""
    understood = {str(language).split("-")[0].lower() for language in encoder.languages} if encoder else {"en"}
    texts = {"en": _ENGLISH}
    if "zh" in understood:
        texts["zh-Hans"] = _CHINESE
    reader = "zh-Hans" if (get_language() or "").startswith("zh") and "zh-Hans" in texts else "en"
    examples = [(reader, text) for text in texts.pop(reader)]
    return examples + [(language, text) for language, others in texts.items() for text in others[:_OTHERS_SHOWN]]
