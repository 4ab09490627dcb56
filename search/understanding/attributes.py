"""Colours, textures and sizes in a clause, with the thing they are said of. English words are the glossary's."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from search.translation.glossary import Kind, glossary
from search.understanding.lexer import Word, words_of
from search.understanding.little_words import little_words
from search.understanding.plan import Attribute, AttributeKind

_SIZE_RANK: Final = 1
_COLOUR_RANK: Final = 4
_MATERIAL_RANK: Final = 5
_NOUN_FROM: Final = 3  # A phrase has at most this many words behind its attribute.


def attributes_of(text: str) -> tuple[Attribute, ...]:
    """Return the attributes of a clause in their order, each phrase once."""
    words = [word for word in words_of(text) if not word.pause]
    found: list[Attribute] = []
    at = 0
    while at < len(words):
        end, kind = _attribute_at(words, at)
        if kind is None:
            at += 1
            continue
        stop = _thing_end(words, end)
        phrase = _text(words[at:stop])
        if all(other.phrase != phrase for other in found):
            found.append(Attribute(kind, _text(words[at:end]), phrase))
        at = end
    return tuple(found)


def is_attribute(word: str) -> bool:
    """Whether a lower-case English word names a colour, texture or size."""
    return word in _english() or word in little_words("shade")


@cache
def _english() -> dict[str, AttributeKind]:
    kinds = {word: kind for kind in AttributeKind for word in little_words(kind.value)}
    for term in glossary().words.values():
        kind = _chinese_kind(term.kind, term.rank, term.english)
        if kind is not None:
            kinds.setdefault(term.english, kind)
    return kinds


def _chinese_kind(kind: Kind, rank: int, english: str) -> AttributeKind | None:
    if kind is not Kind.ADJECTIVE:
        return None
    if english in little_words(AttributeKind.TEXTURE.value):
        return AttributeKind.TEXTURE
    ranks = {
        _SIZE_RANK: AttributeKind.SIZE,
        _COLOUR_RANK: AttributeKind.COLOUR,
        _MATERIAL_RANK: AttributeKind.TEXTURE,
    }
    return ranks.get(rank)


def _attribute_at(words: Sequence[Word], at: int) -> tuple[int, AttributeKind | None]:
    """Return where the attribute that begins here ends, and its kind; (at, None) if none begins."""
    if words[at].term is not None:
        term = words[at].term
        kind = _chinese_kind(term.kind, term.rank, term.english) if term is not None else None
        return (at + 1, kind) if kind is not None else (at, None)
    start = at
    while at < len(words) - 1 and words[at].english in little_words("shade"):
        at += 1
    for size in (3, 2, 1):
        kind = _english().get(" ".join(word.english for word in words[at : at + size]))
        if kind is not None and at + size <= len(words):
            return at + size, kind
    return start, None


def _thing_end(words: Sequence[Word], at: int) -> int:
    """Return where the thing behind an attribute ends: further attributes and its nouns."""
    if at < len(words) and words[at].term is not None:
        nouns = False
        while at < len(words) and words[at].term is not None:
            kind = words[at].kind
            if kind is Kind.NOUN or kind is Kind.UNKNOWN:
                nouns = True
            elif nouns or kind not in (Kind.DE, Kind.ADJECTIVE, Kind.ADVERB):
                break
            at += 1
        return at
    stop = at
    while stop < len(words) and stop < at + _NOUN_FROM and words[stop].english not in little_words("thing ends"):
        stop += 1
    return stop


def _text(words: Sequence[Word]) -> str:
    """Words as they are written: no blank inside Chinese."""
    line = ""
    for number, word in enumerate(words):
        blank = number and not (word.term is not None and words[number - 1].term is not None)
        line += (" " if blank else "") + word.text
    return line
