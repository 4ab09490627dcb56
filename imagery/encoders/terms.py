"""The bank of terms whose mean vector is the centre of an encoder's text space. Needs no model.

Distribution normalisation (Zhou et al., "Test-Time Distribution Normalization for Contrastively Learned
Vision-Language Models", NeurIPS 2023, arXiv 2302.11084) subtracts the mean of texts and of images before the two
are compared; the mean of texts is taken over what people may ask for, not over what they have asked.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("terms.txt")


@cache
def bank() -> tuple[tuple[str, str], ...]:
    """About 300 pairs of an English term and its Chinese, land use and land cover, in the order of the file."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return tuple((english, chinese) for english, _, chinese in pairs)


def terms(languages: Sequence[str]) -> list[str]:
    """The terms in English, and also in Chinese for an encoder that reads it."""
    found = [english for english, _ in bank()]
    if "zh" in languages:
        found += [chinese for _, chinese in bank()]
    return found
