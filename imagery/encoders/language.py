"""Refuse a text that a tokenizer cannot read, instead of searching for noise."""

import unicodedata
from collections.abc import Sequence
from typing import Final

from django.utils.translation import gettext

from .errors import UnsupportedLanguage

_LARGEST_UNKNOWN_SHARE: Final = 0.3


def refuse_unreadable(
    text: str, *, tokens: Sequence[int], unknown: int | None, languages: Sequence[str], encoder: str
) -> None:
    """Raise UnsupportedLanguage if more than 30 % of the text means nothing to the tokenizer.

    `tokens` are the text's without special tokens. Counted are tokens equal to `unknown`; for an encoder that
    knows English only also letters outside the Latin script, because byte-level tokenizers (CLIP) have no unknown
    token and merged runs of unknown characters count as one token (SentencePiece).
    """
    share = sum(token == unknown for token in tokens) / max(1, len(tokens))
    if tuple(languages) == ("en",):
        share = max(share, foreign_letter_share(text))
    if share > _LARGEST_UNKNOWN_SHARE:
        known = ", ".join(languages)
        raise UnsupportedLanguage(
            gettext(
                "The encoder %(name)s cannot read “%(text)s”: it understands %(languages)s. Write the query in one of "
                "these, or have the operator activate an encoder that knows your language."
            )
            % {"name": encoder, "text": _shortened(text), "languages": known},
        )


def foreign_letter_share(text: str) -> float:
    """The share, 0..1, of the text's letters that are not of the Latin script; 0 if it has no letters."""
    letters = [character for character in text if character.isalpha()]
    foreign = sum(not unicodedata.name(character, "").startswith("LATIN") for character in letters)
    return foreign / len(letters) if letters else 0.0


def _shortened(text: str, length: int = 40) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
