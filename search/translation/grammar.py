"""From Chinese words to an English phrase: a small grammar of how picture descriptions are built.

Every stretch of words is read as a noun phrase, an attribute or a whole clause; among the readings that use all
words the cheapest is taken. Costs are small integers that say which reading is the more usual one; equal costs go to
the reading tried first, so the result is always the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from search.translation.combine import (
    attributes_alone,
    attributes_joined,
    items_of,
    owned,
    verb_attribute,
    with_object,
)
from search.translation.english import joined
from search.translation.glossary import Kind
from search.translation.lexer import Token
from search.translation.phrases import Adjective, Attribute, Listed, Noun, Post, counted

MAX_WORDS: Final = 24
"""Longer clauses are read in pieces: the work grows with the cube of their length."""

_Reading = tuple[int, Any]
_NOTHING: Final[_Reading] = (10_000, None)


class Clause:
    """The words between two punctuation marks."""

    def __init__(self, words: Sequence[Token]) -> None:
        self._words = tuple(words)
        self._memory: dict[tuple[str, int, int], _Reading] = {}

    def english(self) -> str:
        """Return the clause in English; words nothing can be made of are left out."""
        pieces = [self._words[i : i + MAX_WORDS] for i in range(0, len(self._words), MAX_WORDS)]
        if len(pieces) > 1:
            return joined(*(Clause(piece).english() for piece in pieces))
        return str(self._clause(0, len(self._words))[1]) if self._words else ""

    def _kind(self, at: int) -> Kind:
        return self._words[at].kind

    def _remembered(self, name: str, start: int, end: int, make: Callable[[int, int], list[_Reading]]) -> _Reading:
        key = (name, start, end)
        if key not in self._memory:
            self._memory[key] = _NOTHING  # Keeps a rule from asking for itself.
            self._memory[key] = min(make(start, end), key=lambda reading: reading[0], default=_NOTHING)
        return self._memory[key]

    # Noun phrases

    def _noun(self, start: int, end: int) -> _Reading:
        return self._remembered("noun", start, end, self._nouns)

    def _nouns(self, start: int, end: int) -> list[_Reading]:
        found: list[_Reading] = []
        if start >= end:
            return found
        first = self._words[start]
        if end - start == 1:
            if first.kind is Kind.NOUN:
                found.append((0, Noun.of(first.term)))
            elif first.kind is Kind.UNKNOWN:
                found.append((15, Noun.of(first.term)))
            return found
        if first.kind in (Kind.NUMBER, Kind.QUANTITY):
            found += self._counted(start, end)
        for middle in range(start + 1, end):
            if self._kind(middle) is Kind.DE and middle + 1 < end:
                found += self._attributed(start, middle, end)
            elif self._kind(middle) is Kind.CONJUNCTION and middle + 1 < end:
                found += self._side_by_side(start, middle, end)
        found += self._directly_attributed(start, end)
        return found

    def _counted(self, start: int, end: int) -> list[_Reading]:
        token, after = self._words[start], start + 1
        measure = self._words[after] if self._kind(after) is Kind.MEASURE else None
        after += measure is not None
        if after < end and self._kind(after) is Kind.DE:
            after += 1
        if after >= end:
            return []
        cost, noun = self._noun(after, end)
        return [] if noun is None else [(cost + 1, counted(noun, token, measure))]

    def _attributed(self, start: int, de: int, end: int) -> list[_Reading]:
        """A 的 B."""
        found: list[_Reading] = []
        cost, head = self._noun(de + 1, end)
        if head is None:
            return found
        before, attributes = self._attributes(start, de)
        if attributes is not None:
            found.append((cost + before + 2 + 2 * isinstance(head, Listed), head.plus(*attributes)))
        before, owner = self._noun(start, de)
        if owner is not None:
            found.append((cost + before + 3 + 2 * isinstance(head, Listed), owned(head, owner)))
        return found

    def _side_by_side(self, start: int, middle: int, end: int) -> list[_Reading]:
        left, right = self._noun(start, middle), self._noun(middle + 1, end)
        if left[1] is None or right[1] is None:
            return []
        items = [*items_of(left[1]), *items_of(right[1])]
        word = self._words[middle].term.english
        words = [right[1].conjunction] if isinstance(right[1], Listed) else []
        return [(left[0] + right[0] + 3, Listed(tuple(items), (words or [word])[0]))]

    def _directly_attributed(self, start: int, end: int) -> list[_Reading]:
        """A B without 的: an adjective, a noun or a place in front of a noun."""
        found: list[_Reading] = []
        for middle in range(start + 1, end):
            cost, head = self._noun(middle, end)
            if head is None or isinstance(head, Listed):
                continue
            if self._kind(start) in (Kind.ADJECTIVE, Kind.ADVERB):
                before, attributes = self._adjectives(start, middle)
                if attributes is not None:
                    extra = 1 * any(token.kind is Kind.DE for token in self._words[middle:end])
                    found.append((cost + before + extra, head.plus(*attributes)))
            before, owner = self._noun(start, middle)
            if isinstance(owner, Noun):
                extra = 2 if middle == start + 1 else 4
                extra += 6 * any(token.kind is Kind.DE for token in self._words[start:end])
                if owner.determiner is None and head.determiner is None:
                    found.append((cost + before + extra, head.compound(owner)))
            before, attributes = self._attributes(start, middle)
            if attributes is not None:
                found.append((cost + before + 7, head.plus(*attributes)))
        return found

    # Attributes

    def _attributes(self, start: int, end: int) -> _Reading:
        return self._remembered("attributes", start, end, self._attribute_readings)

    def _attribute_readings(self, start: int, end: int) -> list[_Reading]:
        found: list[_Reading] = []
        if start >= end:
            return found
        adjectives = self._adjectives(start, end)
        if adjectives[1] is not None:
            found.append(adjectives)
        place = self._place(start, end)
        if place[1] is not None:
            found.append((place[0], (place[1],)))
        first = self._words[start]
        if first.kind is Kind.ADVERB and end - start > 1:
            cost, rest = self._attributes(start + 1, end)
            if rest is not None and isinstance(rest[0], Post):
                post = replace(rest[0], preposition=joined(first.term.english, rest[0].preposition))
                found.append((cost + 1, (post, *rest[1:])))
        if first.kind is Kind.LINK and end - start > 1:
            cost, thing = self._noun(start + 1, end)
            if thing is not None and first.term.english != "being":
                found.append((cost, (with_object(first, thing),)))
            cost, described = self._adjectives(start + 1, end)
            if described is not None and first.term.english == "being":
                found.append((cost, described))
        found += self._done(start, end)
        for middle in range(start + 1, end):
            found += self._split_attributes(start, middle, end)
        return found

    def _adjectives(self, start: int, end: int) -> _Reading:
        """One attribute or several: very large round."""
        found: list[Attribute] = []
        adverb, conjunction = "", ""
        for token in self._words[start:end]:
            if token.kind is Kind.ADJECTIVE:
                text = joined(adverb, token.term.english)
                adverb = ""
                if conjunction and isinstance(found[-1], Adjective) and not token.term.is_after:
                    found[-1] = Adjective(f"{found[-1].text} {conjunction} {text}", found[-1].rank)
                    conjunction = ""
                    continue
                found.append(Post("", None, text) if token.term.is_after else Adjective(text, token.term.rank))
            elif token.kind is Kind.ADVERB and not adverb:
                adverb = token.term.english
            elif token.kind is Kind.CONJUNCTION and found and not adverb:
                conjunction = token.term.english
            elif token.kind is not Kind.DE or not found or adverb:
                return _NOTHING
        dangling = adverb or conjunction or not found or self._kind(end - 1) is Kind.DE
        return _NOTHING if dangling else (0, tuple(found))

    def _done(self, start: int, end: int) -> list[_Reading]:
        """Verbs: what the thing does, or what is done to it."""
        first, found = self._words[start], []
        alone = end - start == 1
        if alone and first.kind in (Kind.PLACE, Kind.ACT):
            found.append((1, (verb_attribute(first),)))
        elif alone and first.kind is Kind.PASSIVE:
            found.append((1, (Adjective(first.term.english.split()[0], -1),)))
        elif first.kind is Kind.PLACE:
            for place, extra in ((self._place(start + 1, end), 0), (self._location(start + 1, end), 2)):
                if place[1] is not None:
                    post = replace(place[1], verb=first.term.english, vessel=first.term.vessel)
                    found.append((place[0] + extra, (post,)))
        elif first.kind is Kind.PASSIVE:
            cost, thing = self._noun(start + 1, end)
            if thing is not None:
                found.append((cost, (Post(first.term.other, thing),)))
        last = self._words[end - 1]
        if first.kind is Kind.LINK and last.kind is Kind.PREPOSITION and end - start > 2:
            cost, thing = self._noun(start + 1, end - 1)
            if thing is not None:  # 有小路穿过: with a path through it
                found.append((cost + 1, (Post(first.term.english, thing, after=f"{last.term.english} it"),)))
        if first.kind is Kind.BY and last.kind is Kind.PASSIVE:
            cost, doer = self._noun(start + 1, end - 1)
            if doer is not None:
                found.append((cost, (Post(last.term.english, doer),)))
            elif end - start == 2:
                found.append((1, (Adjective(last.term.english.split()[0], -1),)))
        elif last.kind is Kind.PASSIVE and not alone:
            cost, doer = self._noun(start, end - 1)
            if doer is not None:
                found.append((cost + 1, (Post(last.term.english, doer),)))
        return found

    def _split_attributes(self, start: int, middle: int, end: int) -> list[_Reading]:
        found: list[_Reading] = []
        place, thing = self._place(start, middle), self._noun(start, middle)
        verb = self._words[middle]
        if place[1] is not None:
            if middle + 1 == end and verb.kind in (Kind.PLACE, Kind.ACT, Kind.ADJECTIVE):
                # 两岸绿色, green on both sides; but 悬崖下狭窄的海滩 is a narrow beach that lies there.
                extra = 9 if verb.kind is Kind.ADJECTIVE and place[1].object is not None else 1
                found.append((place[0] + extra, (replace(place[1], verb=verb.term.english, vessel=verb.term.vessel),)))
            if verb.kind is Kind.LINK:
                cost, inside = self._noun(middle + 1, end)
                if inside is not None:  # 铁轨上方有屋顶的: with a roof above the rails
                    preposition = "with" if verb.term.english == "being" else verb.term.english
                    found.append((place[0] + cost + 1, (Post(preposition, inside.plus(place[1])),)))
        if isinstance(thing[1], Noun) and thing[1].spot and middle + 1 == end and verb.kind is Kind.PLACE:
            found.append((thing[0] + 3, (Post(thing[1].spot, thing[1], verb.term.english, verb.term.vessel),)))
        if thing[1] is not None:
            found += self._said_of(thing, middle, end)
        left, right = self._attributes(start, middle), self._attributes(middle, end)
        if left[1] is not None and right[1] is not None:
            found.append((left[0] + right[0] + 8, (*right[1], *left[1])))
        if verb.kind is Kind.CONJUNCTION and middle + 1 < end:
            right = self._attributes(middle + 1, end)
            if left[1] is not None and right[1] is not None:
                found.append((left[0] + right[0] + 2, attributes_joined(left[1], right[1])))
        return found

    def _said_of(self, thing: _Reading, middle: int, end: int) -> list[_Reading]:
        """A noun and what is said of it, before another noun: 烟囱冒烟的工厂, a factory with smoking chimneys."""
        found: list[_Reading] = []
        verb = self._words[middle]
        if verb.kind is Kind.LINK and verb.term.english == "being":
            cost, what = self._noun(middle + 1, end)
            if what is not None:
                found.append((thing[0] + cost + 2, (Post("with", owned(thing[1], what)),)))
        if verb.kind is Kind.QUANTITY and middle + 1 == end:
            found.append((thing[0] + 2, (Post("with", counted(thing[1], verb, None)),)))
        cost, described = self._attributes(middle, end)
        if described is not None and verb.kind not in (Kind.NOUN, Kind.PREPOSITION, Kind.LOCATOR, Kind.BY):
            if isinstance(thing[1], Listed):  # a sea and a beach meeting
                described = tuple(Post("", None, a.text) if isinstance(a, Adjective) else a for a in described)
                if verb.kind is Kind.PLACE and middle + 1 == end:
                    cost -= 3
            extra = 4 if verb.kind in (Kind.ADJECTIVE, Kind.ADVERB, Kind.ACT, Kind.LINK) else 5
            found.append((thing[0] + cost + extra, (Post("with", thing[1].plus(*described)),)))
        return found

    # Places

    def _place(self, start: int, end: int) -> _Reading:
        return self._remembered("place", start, end, self._places)

    def _places(self, start: int, end: int) -> list[_Reading]:
        found: list[_Reading] = []
        if start >= end:
            return found
        first, last = self._words[start], self._words[end - 1]
        if last.kind is Kind.LOCATOR:
            stop = end - 1
            if stop > start and self._kind(stop - 1) is Kind.DE:
                stop -= 1
            cost, thing = self._noun(start, stop)
            if thing is not None:
                preposition = last.term.english
                unfit = 0
                if preposition == "between" and isinstance(thing, Noun):
                    # "两个A之间的B" counts the As: what lies between needs two of them.
                    unfit = 1 if thing.determiner is not None else 4
                    preposition = "among" if thing.determiner is None else preposition
                    thing = replace(thing, several=True)
                found.append((cost + (0 if isinstance(thing, Listed) else 1 + unfit), Post(preposition, thing)))
            elif stop == start:
                found.append((4, Post(last.term.english)))
        if first.kind is Kind.PREPOSITION and end - start > 1:
            cost, thing = self._noun(start + 1, end)
            if thing is not None:
                preposition = first.term.english
                if preposition == "in" and isinstance(thing, Noun):
                    preposition = thing.spot or "at"
                found.append((cost + 1, Post(preposition, thing)))
            cost, inner = self._place(start + 1, end)
            if inner is not None:
                kept = inner if first.term.english == "in" or inner.object is None else replace(
                    inner, preposition=first.term.english
                )  # fmt: skip
                found.append((cost, kept))
        return found

    def _location(self, start: int, end: int) -> _Reading:
        """停靠码头: the place as a bare noun."""
        cost, thing = self._noun(start, end)
        return _NOTHING if thing is None else (cost, Post("at", thing))

    # Clauses

    def _clause(self, start: int, end: int) -> _Reading:
        return self._remembered("clause", start, end, self._clauses)

    def _clauses(self, start: int, end: int) -> list[_Reading]:
        cost, whole = self._statement(start, end)
        found: list[_Reading] = [] if whole is None else [(cost, whole.written())]
        cost, attributes = self._attributes(start, end)
        if attributes is not None:
            found.append((cost + 6, attributes_alone(attributes)))
        if end - start == 1:
            token = self._words[start]
            text = token.term.english if token.kind in (Kind.QUANTITY, Kind.NUMBER, Kind.LINK) else ""
            found.append((12, text))
        if not found:
            for middle in range(start + 1, end):
                left, right = self._clause(start, middle), self._clause(middle, end)
                found.append((left[0] + right[0] + 20, joined(left[1], right[1])))
        return found

    def _statement(self, start: int, end: int) -> _Reading:
        return self._remembered("statement", start, end, self._statements)

    def _statements(self, start: int, end: int) -> list[_Reading]:
        found: list[_Reading] = [self._noun(start, end)] if self._noun(start, end)[1] is not None else []
        first = self._words[start]
        if first.kind is Kind.LINK and end - start > 1:
            cost, thing = self._noun(start + 1, end)
            if thing is not None:
                lacking = isinstance(thing, Noun) and first.term.english == "without"
                found.append((cost + 1, replace(thing, determiner="no") if lacking else thing))
        for middle in range(start + 1, end):
            found += self._at_a_place(start, middle, end)
            cost, thing = self._noun(start, middle)
            if thing is None:
                continue
            more, attributes = self._attributes(middle, end)
            if attributes is not None and self._kind(middle) not in (Kind.CONJUNCTION,):
                found.append((cost + more + 5, thing.plus(*attributes)))
        return found

    def _at_a_place(self, start: int, middle: int, end: int) -> list[_Reading]:
        """港口里停着很多船: many boats moored in a port."""
        found: list[_Reading] = []
        verb = self._words[middle]
        cost, place = self._place(start, middle)
        bare = place is None and verb.kind is Kind.LINK
        if verb.kind not in (Kind.LINK, Kind.PLACE) or place is None or bare:
            return found
        more, thing = self._noun(middle + 1, end)
        if thing is None:
            return found
        if verb.kind is Kind.LINK:
            if verb.term.english == "without":
                if isinstance(place.object, Noun):
                    found.append((cost + more + 1, place.object.plus(Post("without", thing))))
                return found
            posture = verb.term.english.removeprefix("with").strip()
            if posture == verb.term.english:  # planted with, full of: said of the place itself
                if isinstance(place.object, Noun):
                    found.append((cost + more + 1, place.object.plus(Post(posture, thing))))
                return found
            vessel = "moored" if posture == "parked" else ""
            posture = "" if posture == "being" else posture
            found.append((cost + more + 1, thing.plus(replace(place, verb=posture, vessel=vessel))))
            return found
        found.append((cost + more + 2, thing.plus(replace(place, verb=verb.term.english, vessel=verb.term.vessel))))
        return found
