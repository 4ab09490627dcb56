"""The queries shown under an empty search box."""

from typing import Final

from imagery.models import Encoder

_ENGLISH: Final = ("an airport with many planes", "a river crossed by a bridge", "dense houses beside a park")
_CHINESE: Final = ("港口里停着很多船",)


def example_queries(encoder: Encoder | None) -> list[tuple[str, str]]:
    """Return (language, text) of queries in the languages the encoder understands."""
    languages = {str(language).split("-")[0].lower() for language in encoder.languages} if encoder else {"en"}
    examples = [("en", text) for text in _ENGLISH]
    if "zh" in languages:
        examples += [("zh-Hans", text) for text in _CHINESE]
    return examples
