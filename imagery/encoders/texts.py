"""From a text of any length to its vector: prompts for a phrase, pieces for what is too long, one pass for the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .base import ImageTextEncoder
from .clauses import combined, split
from .prompts import prompted

RULE_VERSION: Final = "1"
"""Changes when the same text would get another vector under the rules of this module, `clauses` or `prompts`."""


@dataclass(frozen=True)
class TextVector:
    """The unit ``vector`` (dimension,) float32 of a text; ``parts`` are its pieces if it had to be split, else ()."""

    vector: NDArray[np.float32]
    parts: tuple[str, ...] = ()


def text_vector(encoder: ImageTextEncoder, text: str, *, prompts: Sequence[str] = ()) -> TextVector:
    """Encode a text as a query: nothing of it is cut off. Loads the text tower if it is not.

    Raises UnsupportedLanguage if the tokenizer cannot read it, or one of its pieces.
    """
    variants = prompted(text, prompts)
    if len(variants) > 1:
        return TextVector(combined(encoder.encode_texts(variants), [1] * len(variants)))
    pieces = split(variants[0], limit=encoder.max_text_length, count=encoder.token_count)
    if len(pieces) <= 1:
        return TextVector(encoder.encode_texts(variants)[0])
    weights = [encoder.token_count(piece) for piece in pieces]
    return TextVector(combined(encoder.encode_texts(pieces), weights), tuple(pieces))


def text_vectors(encoder: ImageTextEncoder, texts: Sequence[str], *, prompts: Sequence[str] = ()) -> list[TextVector]:
    """Encode several texts as `text_vector` would each, in one pass of the model for all that need no splitting."""
    variants = [prompted(text, prompts) for text in texts]
    fits = [len(each) > 1 or encoder.token_count(each[0]) <= encoder.max_text_length for each in variants]
    together = [variant for each, fit in zip(variants, fits, strict=True) if fit for variant in each]
    rows = iter(encoder.encode_texts(together)) if together else iter(())
    found = []
    for text, each, fit in zip(texts, variants, fits, strict=True):
        if not fit:
            found.append(text_vector(encoder, text, prompts=prompts))
            continue
        own = np.stack([next(rows) for _ in each])
        found.append(TextVector(own[0] if len(own) == 1 else combined(own, [1] * len(own))))
    return found
