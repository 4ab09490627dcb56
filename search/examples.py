"""The queries shown under an empty search box."""

from typing import Final

from django.utils.translation import get_language

_ENGLISH: Final = ("an airport with many planes", "a river crossed by a bridge", "dense houses beside a park")
_CHINESE: Final = ("港口里停着很多船", "停着许多飞机的机场", "横跨河流的桥梁")
_OTHERS_SHOWN: Final = 1
"""How many examples of each further language show that it is understood."""


def example_queries() -> list[tuple[str, str]]:
    """Return (language, text) of queries every encoder can be asked: the reader's language first, a taste of others.

    Chinese is translated for encoders that do not read it.
    """
    texts = {"en": _ENGLISH, "zh-Hans": _CHINESE}
    reader = "zh-Hans" if (get_language() or "").startswith("zh") else "en"
    examples = [(reader, text) for text in texts.pop(reader)]
    return examples + [(language, text) for language, others in texts.items() for text in others[:_OTHERS_SHOWN]]
