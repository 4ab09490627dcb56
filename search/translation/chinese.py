"""Chinese to English by the glossary and the grammar alone: the same text always gives the same words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from search.translation.glossary import Kind, Term
from search.translation.grammar import Clause
from search.translation.lexer import HAN, Token, tokens

# Everything here is a picture: "的图片" at the end says nothing that could be searched for.
_PICTURE_OF: Final = re.compile(
    r"(?<=[^的])的(?:卫星|遥感|航拍|航空|衛星|遙感|航空)?(?:图|图片|图像|照片|影像|圖|圖片|圖像)[。.!！]?\s*$"
)


@dataclass(frozen=True)
class Reading:
    """What was made of a text. ``untranslated`` are the words the glossary does not know, in order, each once.

    ``coverage``, 0 to 1, is the share of the text's Chinese characters that it does know.
    """

    english: str
    untranslated: tuple[str, ...]
    coverage: float


def translate_by_glossary(text: str, *, known: Mapping[str, str] | None = None) -> Reading:
    """Return the text in English; ``known`` gives the English of words that the glossary lacks (as nouns).

    Unknown words are left out of the English and named. Never raises; a text without Chinese stays as it is.
    """
    if not HAN.search(text):
        return Reading(" ".join(text.split()), (), 1.0)
    words = [_learned(token, known or {}) for token in _without_picture_of(text)]
    missing = [token.text for token in words if token.kind is Kind.UNKNOWN]
    left = sum(map(len, missing))
    every = sum(len(HAN.findall(token.text)) for token in words)
    clauses: list[list[Token]] = [[]]
    for token in words:
        if token.is_break:
            clauses.append([])
        elif token.kind is not Kind.SKIP:
            clauses[-1].append(token)
    english = [part for clause in clauses if (part := Clause(clause).english())]
    return Reading(_tidy(", ".join(english)), tuple(dict.fromkeys(missing)), 1.0 - left / max(1, every))


def _without_picture_of(text: str) -> list[Token]:
    """公园的图片 is searched for as 公园; 模糊的图片 stays, because an attribute alone is no query."""
    rest = tokens(_PICTURE_OF.sub("", text))
    attributes = (Kind.ADJECTIVE, Kind.ADVERB, Kind.DE, Kind.SKIP)
    return tokens(text) if all(token.kind in attributes for token in rest) else rest


def _learned(token: Token, known: Mapping[str, str]) -> Token:
    english = known.get(token.text, "") if token.kind is Kind.UNKNOWN else ""
    return replace(token, term=Term(Kind.NOUN, english, english)) if english else token


def _tidy(text: str) -> str:
    """Single spaces, none before a comma, and no word twice in a row (机场 airport)."""
    line = re.sub(r"\s+([,.])", r"\1", " ".join(text.split()))
    return re.sub(r"\b([a-z]{3,})(?: \1\b)+", r"\1", line)
