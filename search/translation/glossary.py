"""The glossary: Chinese words, what they are in a phrase, and their English. Its files lie in ``terms/``.

A file is lines ``word word ... = english`` under headings ``[kind]``; ``#`` begins a comment or a flag.

======================  ==========================================================================
``[noun]``              a bare noun means one thing: ``singular/plural``, the plural only when irregular;
                        ``#at``, ``#in``: how it is a place; ``#as:word``: how it stands before a noun
``[noun if A B]``       another sense, when one of these stands in the same text
``[nouns]``             a bare noun means several; ``#part``: A的B reads "B with A"; ``#vessel``: lies moored
``[mass]``              no article, no plural
``[adjective RANK]``    RANK orders several before a noun; ``#after``: stands behind it
``[locator]``           stands behind its object in Chinese, in front of it in English
``[preposition]``       stands in front of its object in both
``[link]``              a verb with an object, as an English preposition
``[passive]``           ``surrounded by/around``: with the doer in front, and with an object behind
``[place]``             posture of a thing at a place; ``#vessel:word`` for ships
``[act]``               what a thing does or what was done to it
``[measure]``           between number and noun; ``-``: English says nothing
``[quantity]``          how many, without a number
``[number] [conjunction] [adverb] [de] [by] [skip]``   the little words
======================  ==========================================================================
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from search.translation.traditional import simplified

_FOLDER: Final = Path(__file__).with_name("terms")
_SILENT: Final = "-"
_ADJECTIVE_RANKS: Final = ("opinion", "size", "age", "shape", "colour", "material", "purpose")


class Kind(StrEnum):
    """What a word does in a phrase."""

    NOUN = "noun"
    ADJECTIVE = "adjective"
    LOCATOR = "locator"
    PREPOSITION = "preposition"
    LINK = "link"
    PASSIVE = "passive"
    PLACE = "place"
    ACT = "act"
    MEASURE = "measure"
    NUMBER = "number"
    QUANTITY = "quantity"
    CONJUNCTION = "conjunction"
    ADVERB = "adverb"
    DE = "de"
    BY = "by"
    SKIP = "skip"
    UNKNOWN = "unknown"


class Count(StrEnum):
    """How many things a bare noun means."""

    ONE = "one"
    SEVERAL = "several"
    MASS = "mass"


@dataclass(frozen=True)
class Term:
    """A word of the glossary.

    ``other`` is an irregular plural (nouns) or the form with an object behind (passives); ``rank`` orders
    adjectives; ``vessel`` is the posture of ships (places); ``spot`` is the preposition of a noun that is a place.
    """

    kind: Kind
    english: str
    other: str = ""
    count: Count = Count.ONE
    rank: int = 0
    is_part: bool = False
    is_vessel: bool = False
    is_after: bool = False
    vessel: str = ""
    spot: str = ""
    attributive: str = ""


@dataclass(frozen=True)
class Glossary:
    """Words by spelling. Measure words stand apart: most of them mean something else without a number before."""

    words: Mapping[str, Term]
    measures: Mapping[str, str]
    senses: Mapping[str, tuple[tuple[str, ...], Term]]
    longest: int
    checksum: str

    def __contains__(self, word: str) -> bool:
        return word in self.words or word in self.measures


_SPOTS: Final = ("at", "in")
_NOUN_COUNTS: Final = {"noun": Count.ONE, "nouns": Count.SEVERAL, "mass": Count.MASS}


@cache
def glossary() -> Glossary:
    """Return the glossary of the files in ``terms/``. Raises ValueError for a line that cannot be read."""
    words: dict[str, Term] = {}
    measures: dict[str, str] = {}
    senses: dict[str, tuple[tuple[str, ...], Term]] = {}
    digest = hashlib.sha256()
    for path in sorted(_FOLDER.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        digest.update(text.encode())
        for place, heading, spellings, english in _lines(path.name, text):
            for word in map(simplified, spellings):
                if heading == Kind.MEASURE:
                    known, value = word in measures, english.removeprefix(_SILENT)
                    measures[word] = value
                elif " if " in heading:
                    name, _, near = heading.partition(" if ")
                    known = word in senses
                    senses[word] = (tuple(near.split()), _term(place, name, english))
                else:
                    known = word in words
                    words[word] = _term(place, heading, english)
                if known:
                    raise ValueError(f"{place}: {word} stands in the glossary twice")
    longest = max(len(word) for word in (*words, *measures))
    return Glossary(words=words, measures=measures, senses=senses, longest=longest, checksum=digest.hexdigest())


def _lines(name: str, text: str) -> Iterator[tuple[str, str, list[str], str]]:
    """Yield (file and line number, heading, spellings, english with flags) of each line that defines words."""
    heading = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        place = f"{name}:{number}"
        if line.startswith("["):
            heading = line.partition("]")[0][1:]
            continue
        spellings, equals, english = line.partition(" = ")
        if not equals or not english.strip() or not heading:
            raise ValueError(f"{place}: expected “words = english” under a [heading], found {line!r}")
        yield place, heading, spellings.split(), english.strip()


def _term(place: str, heading: str, english: str) -> Term:
    english, _, marks = (part.strip() for part in english.partition("#"))
    flags = marks.split()
    worded = dict(flag.split(":", 1) for flag in flags if ":" in flag)
    name, _, rank = heading.partition(" ")
    if name in _NOUN_COUNTS:
        english, _, plural = english.partition("/")
        return Term(
            Kind.NOUN,
            english,
            plural,
            _NOUN_COUNTS[name],
            is_part="part" in flags,
            is_vessel="vessel" in flags,
            spot=next((flag for flag in flags if flag in _SPOTS), ""),
            attributive=worded.get("as", ""),
        )
    try:
        kind = Kind(name)
        order = _ADJECTIVE_RANKS.index(rank) if kind is Kind.ADJECTIVE else 0
    except ValueError:
        raise ValueError(f"{place}: [{heading}] is no kind of word") from None
    if kind is Kind.PASSIVE:
        english, _, active = english.partition("/")
        return Term(kind, english, active)
    return Term(
        kind,
        "" if english == _SILENT else english,
        rank=order,
        is_after="after" in flags,
        vessel=worded.get("vessel", ""),
    )
