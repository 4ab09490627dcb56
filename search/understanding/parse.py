"""From a text to a plan: which grammar reads it, and what its parts become."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from search.encode_query import query_text_normalise
from search.translation.lexer import HAN
from search.understanding.attributes import attributes_of
from search.understanding.chinese import chinese_reading
from search.understanding.english import english_reading, english_trim
from search.understanding.lexer import Word, words_of
from search.understanding.little_words import little_words
from search.understanding.plan import LIKE_ANY, MAX_CLAUSES, Attribute, Clause, QueryPlan, Relation
from search.understanding.reading import Part, Reading

_ENGLISH: Final = "(?:and|but|with|while|or|nor)"
_CHINESE: Final = "(?:但是|但|而且|并且|和|与|及|、)"
_LOOSE_END: Final = re.compile(
    rf"(?:\s*[,;:、，；：]|\s+{_ENGLISH}|(?<=[\u4e00-\u9fff]){_CHINESE})+\s*$", re.IGNORECASE
)
_LOOSE_START: Final = re.compile(
    rf"^\s*(?:[,;:、，；：.。!?]|{_ENGLISH}(?=\s)|(?:{_CHINESE}|的)(?=[\u4e00-\u9fff]))+\s*", re.IGNORECASE
)


def query_plan(text: str, language: str = "") -> QueryPlan:
    """Return how a query is understood: the same text always gives the same plan, and no text is refused.

    ``language`` is ``en`` or ``zh``; by default it is that of most of the words. Of a text in another language only the
    marks are read ("phrases", -words, weights^2).
    """
    line = query_text_normalise(text)
    spoken = words_of(line)
    outside = " ".join(word.text for word in spoken if word.mark not in ("quoted", "minus") and not word.pause)
    chosen = language or query_language(outside or line)
    reading = chinese_reading(spoken) if chosen == "zh" else english_reading(spoken)
    return _plan(line, chosen, spoken, reading)


def query_language(text: str) -> str:
    """Return ``zh`` when at least as many Chinese words as others stand in the text, by a rough count, else ``en``."""
    chinese = len(HAN.findall(text))
    others = len(re.findall(r"[^\W\d_]+", HAN.sub(" ", text)))
    return "zh" if chinese and chinese >= 2 * others - 1 else "en"


def _plan(line: str, language: str, spoken: Sequence[Word], reading: Reading) -> QueryPlan:
    positions = [at for at, word in enumerate(spoken) if not word.pause]
    place = {at: number for number, at in enumerate(positions)}
    linked = {id(part) for link in reading.links for part in (link.subject, *link.objects)}
    texts: dict[int, str] = {}
    parts: list[Part] = []
    for part in reading.parts:
        if language != "zh" and not part.literal:
            part.words = english_trim(spoken, part, is_linked=id(part) in linked)
        part.words = sorted(at for at in part.words if not spoken[at].pause)
        if part.words:
            parts.append(part)
    if any(_is_meant(spoken, part) and not part.negative for part in parts):
        parts = [part for part in parts if _is_meant(spoken, part)]
    parts.sort(key=lambda part: part.words[0])
    parts = _limited(parts, reading)
    for part in parts:
        texts[id(part)] = _text(spoken, part.words)
    parts = _unlike(parts, texts)
    made = {id(part): _clause(part, texts[id(part)], place) for part in parts}
    clauses = tuple(made[id(part)] for part in parts if not part.negative)
    negatives = tuple(made[id(part)] for part in parts if part.negative)
    denied = {at for part in parts if part.negative for at in part.words} | reading.denying
    whole = _whole(line, spoken, denied) if clauses else ""
    clauses, attributes = attributes_folded(clauses)
    relations = tuple(
        Relation(link.kind, texts[id(link.subject)], tuple(texts[id(thing)] for thing in link.objects))
        for link in reading.links
        if id(link.subject) in texts
        and link.objects
        and all(id(thing) in texts and texts[id(thing)] != texts[id(link.subject)] for thing in link.objects)
    )
    taken = {number for clause in (*clauses, *negatives) for number in clause.words}
    taken |= {number for attribute in attributes for number in attribute.words}
    return QueryPlan(
        text=line,
        language=language,
        whole=whole,
        undenied=_whole(line, spoken, {at for at, word in enumerate(spoken) if word.mark == "minus"}),
        words=tuple(spoken[at].text for at in positions),
        clauses=clauses,
        negatives=negatives,
        relations=tuple(dict.fromkeys(relations)),
        attributes=attributes,
        structure=tuple(number for number in range(len(positions)) if number not in taken),
    )


def _is_meant(spoken: Sequence[Word], part: Part) -> bool:
    return part.literal or any(spoken[at].english not in little_words("little") for at in part.words)


def _clause(part: Part, text: str, place: dict[int, int]) -> Clause:
    weight = part.weight if part.literal else LIKE_ANY
    words = tuple(place[at] for at in part.words)
    return Clause(text, -weight if part.negative else weight, words, explicit=part.literal)


def attributes_folded(clauses: Sequence[Clause]) -> tuple[tuple[Clause, ...], tuple[Attribute, ...]]:
    """Return the clauses and their attributes.

    A clause that says nothing but an attribute of another one ("many red roofs" "red roofs"^2) stresses it: it
    is no clause of its own, and its weight is the attribute's.
    """
    found: dict[str, Attribute] = {}
    wider: dict[str, set[str]] = {}
    for clause in clauses:
        for attribute in attributes_of(clause.text):
            found.setdefault(attribute.phrase, attribute)
            wider.setdefault(attribute.phrase, set()).add(clause.text)
    kept = []
    for clause in clauses:
        if wider.get(clause.text, set()) - {clause.text}:
            found[clause.text] = replace(found[clause.text], weight=clause.weight, words=clause.words)
        else:
            kept.append(clause)
    return tuple(kept), tuple(found.values())


def _unlike(parts: Sequence[Part], texts: dict[int, str]) -> list[Part]:
    """Join parts that say the same: each thing is looked for once."""
    kept: dict[tuple[str, bool], Part] = {}
    for part in parts:
        first = kept.setdefault((texts[id(part)], part.negative), part)
        if first is not part:
            first.words = sorted([*first.words, *part.words])
    return list(kept.values())


def _limited(parts: list[Part], reading: Reading) -> list[Part]:
    """Join the last parts that the grammar found until there are at most MAX_CLAUSES. Marked ones stay as they are."""
    kept = list(parts)
    while len(kept) > MAX_CLAUSES:
        pair = next(
            (
                (first, second)
                for negative in (False, True)
                for second in reversed(kept)
                for first in reversed(kept[: kept.index(second)])
                if not (first.literal or second.literal) and first.negative == second.negative == negative
            ),
            None,
        )
        if pair is None:
            break  # Too many marked parts: the request that carries them is refused with a sentence.
        first, second = pair
        first.words = sorted([*first.words, *second.words])
        kept.remove(second)
        reading.links = [
            link for link in reading.links if second not in (link.subject, *link.objects) and first is not link.subject
        ]
    return kept


def _text(spoken: Sequence[Word], places: Sequence[int]) -> str:
    """Words as they were written, with the blanks that stood between neighbours."""
    line = ""
    for number, at in enumerate(places):
        if number:
            before = spoken[places[number - 1]]
            glued = spoken[at].term is not None and before.term is not None
            line += "" if glued or (before.end == spoken[at].start) else " "
        line += spoken[at].text
    return line


def _whole(line: str, spoken: Sequence[Word], denied: set[int]) -> str:
    """Return the text without the words that deny and what they deny, and without marks."""
    if not denied and not any(word.mark for word in spoken):
        return line
    pieces: list[str] = [""]
    end = 0
    for at, word in enumerate(spoken):
        gap = line[end : word.start]
        end = word.end
        if word.pause:
            pieces.append(word.text + (" " if line[end : end + 1] == " " else ""))
            pieces.append("")
        elif at not in denied:
            pieces[-1] += (gap if not gap.strip() or pieces[-1] else "") + word.text
    return _joined(pieces)


def _joined(pieces: Sequence[str]) -> str:
    """Stretches and the pauses between them as one line; a pause beside nothing goes, and so do loose joining words."""
    line = ""
    for number in range(0, len(pieces), 2):
        stretch = _LOOSE_END.sub("", _LOOSE_START.sub("", " ".join(pieces[number].split())))
        if not stretch:
            continue
        line += (pieces[number - 1] if line and number else "") + stretch
    return " ".join(line.split())
