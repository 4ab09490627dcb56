"""Chinese to English by the glossary and the grammar alone: the same text always gives the same words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from search.translation.glossary import Kind, Term
from search.translation.grammar import Clause
from search.translation.lexer import HAN, Token, tokens


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
    words = [_learned(token, known or {}) for token in tokens(text)]
    unknown = tuple(
        dict.fromkeys(token.text for token in words if token.kind is Kind.UNKNOWN and not token.term.english)
    )
    left = sum(len(token.text) for token in words if token.text in unknown and token.kind is Kind.UNKNOWN)
    every = sum(len(HAN.findall(token.text)) for token in words)
    clauses: list[list[Token]] = [[]]
    for token in words:
        if token.is_break:
            clauses.append([])
        elif token.kind is not Kind.SKIP:
            clauses[-1].append(token)
    english = [part for clause in clauses if (part := Clause(clause).english())]
    return Reading(_tidy(", ".join(english)), unknown, 1.0 - left / max(1, every))


def _learned(token: Token, known: Mapping[str, str]) -> Token:
    english = known.get(token.text, "") if token.kind is Kind.UNKNOWN else ""
    return replace(token, term=Term(Kind.NOUN, english, english)) if english else token


def _tidy(text: str) -> str:
    return re.sub(r"\s+([,.])", r"\1", " ".join(text.split()))
