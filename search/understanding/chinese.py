"""The Chinese grammar of a query: what stands before 的 belongs to what stands behind it."""

from collections.abc import Sequence
from typing import Final

from search.translation.glossary import Kind, glossary
from search.understanding.lexer import Word
from search.understanding.little_words import little_words
from search.understanding.plan import RelationKind
from search.understanding.reading import Link, Part, Reading

_WITHOUT: Final = "without"
_BEING: Final = "being"
# By the glossary's English of the word that tells the place.
_PLACES: Final = {
    "to the left of": RelationKind.LEFT,
    "west of": RelationKind.LEFT,
    "to the right of": RelationKind.RIGHT,
    "east of": RelationKind.RIGHT,
    "above": RelationKind.ABOVE,
    "north of": RelationKind.ABOVE,
    "below": RelationKind.BELOW,
    "south of": RelationKind.BELOW,
    "near": RelationKind.NEAR,
    "beside": RelationKind.NEXT_TO,
    "next to": RelationKind.NEXT_TO,
    "between": RelationKind.BETWEEN,
    "around": RelationKind.SURROUNDED,
}
_SURROUNDED: Final = "surrounded by"
_DEEPEST: Final = 8  # More than that nobody means, and Python's stack is not endless.
_MOST_DENIALS: Final = 32
_OUTSIDE: Final = "outside"
_THING: Final = (Kind.NOUN, Kind.UNKNOWN)
_DESCRIBING: Final = (Kind.ADJECTIVE, Kind.ADVERB, Kind.NUMBER, Kind.QUANTITY, Kind.MEASURE, Kind.DE, Kind.SKIP)


def chinese_reading(words: Sequence[Word]) -> Reading:
    """Read a query written in Chinese, with whatever Latin words stand in it."""
    reading = Reading()
    begin = 0
    for at, word in enumerate([*words, Word("", 0, 0, pause=".")]):
        if word.pause and word.text != "、":
            _Segment(words, list(range(begin, at)), reading).read()
            begin = at + 1
    return reading


class _Segment:
    """The words between two pauses."""

    def __init__(self, words: Sequence[Word], places: list[int], reading: Reading) -> None:
        self._words = words
        self._places = places
        self._reading = reading
        self._depth = 0  # of relations within relations
        self._denials = 0

    def read(self) -> None:
        for run in self._literals(self._without_picture_of(self._places)):
            self._denied(run)

    def _kind(self, at: int) -> Kind:
        return self._words[at].kind

    def _english(self, at: int) -> str:
        return self._words[at].english

    def _is_thing(self, at: int) -> bool:
        return not self._words[at].pause and self._kind(at) in _THING

    def _has_thing(self, places: Sequence[int]) -> bool:
        return any(self._is_thing(at) for at in places)

    def _literals(self, places: list[int]) -> list[list[int]]:
        """Take out what carries a mark; what stands between the marks is read by itself."""
        related = any(self._relates(at) for at in places)
        runs: list[list[int]] = [[]]
        for at in places:
            mark = self._words[at].mark
            if mark == "minus":
                self._reading.parts.append(Part([at], negative=True, literal=True, weight=self._words[at].weight))
                runs.append([])
            elif mark and not related:
                self._reading.parts.append(Part([at], literal=True, weight=self._words[at].weight))
                runs.append([])
            else:
                runs[-1].append(at)
        return [run for run in runs if run]

    def _relates(self, at: int) -> bool:
        """Whether a word tells a place or denies: then quoted things are what it speaks of."""
        word = self._words[at]
        return not word.mark and word.term is not None and (
            self._relation_of(at) is not None or word.english == _WITHOUT
        )  # fmt: skip

    def _without_picture_of(self, places: list[int]) -> list[int]:
        """公园的图片 is looked for as 公园."""
        kept = list(places)
        for at in reversed(places):
            if self._words[at].text in little_words("chinese pictures") and not self._words[at].mark and len(kept) > 2:
                kept.pop()
            else:
                break
        if len(kept) < len(places) and kept and self._kind(kept[-1]) is Kind.DE and self._has_thing(kept):
            return kept[:-1]
        return list(places)

    # Negation

    def _denied(self, places: list[int]) -> None:
        """Take out what must not be there; the rest is read for relations."""
        self._denials += 1
        for number in range(len(places) if self._denials <= _MOST_DENIALS else 0):
            if not self._begins_denial(places, number):
                continue
            first = number + 1
            while first < len(places) and (
                self._kind(places[first]) is Kind.SKIP or self._english(places[first]) == _BEING
            ):
                first += 1
            stop = self._scope_end(places, first)
            scope = [place for place in places[first:stop] if self._english(place) != _OUTSIDE]
            if not any(self._is_meant(place) for place in scope):
                continue
            self._reading.denying |= set(places[number : max(stop, first)]) | self._de_after(places, stop)
            for items in self._listed(scope):
                self._reading.parts.append(Part(self._trimmed(items), negative=True, literal=self._quoted(items)))
            before, after = places[:number], places[stop:]
            if after and self._kind(after[0]) is Kind.DE:
                after = after[1:]
            while before and self._kind(before[-1]) is Kind.CONJUNCTION:
                self._reading.denying.add(before.pop())
            if not any(self._is_meant(at) for at in before):  # 周围没有树的房子: the place needs the thing
                self._reading.denying |= set(before)
                before = []
            if before and after and self._kind(after[0]) is Kind.CONJUNCTION:
                self._denied(before)
                self._denied(after[1:])
            else:
                self._denied([*before, *after])
            return
        self._related(places)

    def _begins_denial(self, places: list[int], number: int) -> bool:
        word = self._words[places[number]]
        if word.mark or word.term is None:
            return False
        if word.english == _WITHOUT:
            return True
        if word.kind is not Kind.ADVERB or word.english != "not" or number + 1 >= len(places):
            return False
        following = places[number + 1]
        return self._kind(following) in (Kind.ADJECTIVE, Kind.ADVERB) or self._english(following) == _BEING

    def _scope_end(self, places: list[int], first: int) -> int:
        """A negation reaches to the 的 behind its thing, to "but", or to the end."""
        thing = False
        deny = self._words[places[first - 1]]
        adjective_only = deny.english != _WITHOUT or deny.text == "非"
        for number in range(first, len(places)):
            at = places[number]
            if self._kind(at) is Kind.DE and (thing or adjective_only) and number + 1 < len(places):
                return number
            if self._kind(at) is Kind.CONJUNCTION and self._english(at) == "but":
                return number
            if self._english(at) == _OUTSIDE and thing:
                return number + 1
            if self._english(at) == _WITHOUT and thing:
                return number
            thing = thing or self._is_thing(at)
        return len(places)

    def _de_after(self, places: list[int], stop: int) -> set[int]:
        return {places[stop]} if stop < len(places) and self._kind(places[stop]) is Kind.DE else set()

    def _is_meant(self, at: int) -> bool:
        return self._is_thing(at) or self._kind(at) in (Kind.ADJECTIVE, Kind.ACT, Kind.PLACE)

    def _quoted(self, places: Sequence[int]) -> bool:
        return any(self._words[at].mark for at in places)

    # Relations

    def _relation_of(self, at: int) -> RelationKind | None:
        word = self._words[at]
        if word.mark or word.kind not in (Kind.LOCATOR, Kind.PREPOSITION, Kind.PASSIVE):
            return None
        if word.kind is Kind.PASSIVE:
            return RelationKind.SURROUNDED if word.english == _SURROUNDED else None
        return _PLACES.get(word.english)

    def _related(self, places: list[int]) -> Part | None:
        """Read a stretch without negation; return the part of the thing that all of it is about."""
        if self._depth >= _DEEPEST:
            return self._plain(places)
        self._depth += 1
        try:
            return self._relation(places)
        finally:
            self._depth -= 1

    def _relation(self, places: list[int]) -> Part | None:
        for number in range(len(places) - 1, -1, -1):
            kind = self._relation_of(places[number])
            if kind is None:
                continue
            word_kind = self._kind(places[number])
            if word_kind is Kind.LOCATOR:
                found = self._at_a_place(kind, places, number)
            elif word_kind is Kind.PREPOSITION:
                found = self._beside(kind, places, number)
            else:
                found = self._enclosed(places, number)
            if found is not None:
                return found
        return self._plain(places)

    def _at_a_place(self, kind: RelationKind, places: list[int], number: int) -> Part | None:
        """B左侧的A, B左侧有A, A在B左侧."""
        before, after = self._strip_end(places[:number]), places[number + 1 :]
        preposition = next(
            (at for at, place in enumerate(before) if self._english(place) == "in" and self._words[place].term), None
        )
        if preposition is not None and self._has_thing(before[:preposition]):
            subject, things = (
                before[:preposition] + [at for at in after if self._kind(at) is not Kind.DE],
                (before[preposition + 1 :]),
            )
        else:
            things = before if preposition is None else before[preposition + 1 :]
            subject = ([] if preposition is None else before[:preposition]) + self._strip_start(after)
        return self._linked(kind, subject, things)

    def _beside(self, kind: RelationKind, places: list[int], number: int) -> Part | None:
        """A靠近B, 靠近B的A."""
        before, after = places[:number], places[number + 1 :]
        cut = self._last_de(after)
        if self._has_thing(before) or cut is None:
            return self._linked(kind, self._strip_end(before), after)
        return self._linked(kind, after[cut + 1 :], after[:cut])

    def _enclosed(self, places: list[int], number: int) -> Part | None:
        """A被B包围, 被B包围的A, B包围的A, B包围着A."""
        before, after = places[:number], places[number + 1 :]
        by = next((at for at, place in enumerate(before) if self._kind(place) is Kind.BY), None)
        if by is not None:
            owner = before[:by] if self._has_thing(before[:by]) else self._strip_start(after)
            return self._linked(RelationKind.SURROUNDED, owner, before[by + 1 :])
        return self._linked(RelationKind.SURROUNDED, self._strip_start(after), before)

    def _last_de(self, places: list[int]) -> int | None:
        """Return where the last 的 behind a thing stands."""
        found = None
        for number, at in enumerate(places[:-1]):
            if self._kind(at) is Kind.DE and self._has_thing(places[:number]) and self._has_thing(places[number:]):
                found = number
        return found

    def _linked(self, kind: RelationKind, subject: list[int], things: list[int]) -> Part | None:
        if not self._has_thing(subject) or not self._has_thing(things):
            return None
        head = self._related(subject)
        if kind is RelationKind.SURROUNDED or kind is not RelationKind.BETWEEN:
            objects = [self._related(things)]
        else:
            objects = [self._related(items) for items in self._listed(things)[:2]]
            for items in self._listed(things)[2:]:
                self._plain(items)
        known = [part for part in objects if part is not None]
        if head is None or not known or head in known:
            return head
        if kind is RelationKind.SURROUNDED and self._is_around(subject, things):
            self._reading.links.append(Link(kind, known[0], [head]))
        else:
            self._reading.links.append(Link(kind, head, known))
        return head

    def _is_around(self, subject: list[int], things: list[int]) -> bool:
        """B周围有A: B is what is surrounded, while 被B包围的A says it of A."""
        between = set(range(min(subject + things), max(subject + things) + 1))
        return any(self._kind(at) is Kind.LOCATOR and self._english(at) == "around" for at in between)

    # Plain parts

    def _plain(self, places: list[int]) -> Part | None:
        """Things side by side as parts; return the one that the stretch is about (the last before or after 的)."""
        parts = []
        for items in self._listed(places, links=True):
            kept = self._trimmed(items)
            if any(self._is_meant(at) for at in kept):
                marked = len(kept) == 1 and self._quoted(kept)
                parts.append(Part(kept, literal=marked, weight=self._words[kept[0]].weight if marked else 1.0))
        self._reading.parts += parts
        return parts[-1] if parts else None

    def _listed(self, places: Sequence[int], *, links: bool = False) -> list[list[int]]:
        """Cut at 和 or 、 (and at 有 with ``links``) where a thing stands on both sides."""
        runs: list[list[int]] = [[]]
        owning = False
        for number, at in enumerate(places):
            word = self._words[at]
            if links and word.term is not None and word.kind is Kind.LINK and word.english.startswith("with"):
                owning = True
            if owning and word.kind is Kind.DE and self._has_thing(runs[-1]) and self._has_thing(places[number + 1 :]):
                runs.append([])
                owning = False
                continue
            cuts = word.pause or (word.term is not None and not word.mark and word.kind is Kind.CONJUNCTION)
            if links and word.term is not None and word.kind is Kind.LINK and word.english.startswith("with"):
                cuts = True
            if cuts and self._has_thing(runs[-1]) and self._has_thing(places[number + 1 :]):
                runs.append([])
            elif not cuts or runs[-1]:
                runs[-1].append(at)
        return [run for run in runs if run]

    def _strip_start(self, places: list[int]) -> list[int]:
        kept = list(places)
        while kept and (
            self._kind(kept[0]) in (Kind.DE, Kind.LINK, Kind.SKIP, Kind.PASSIVE)
            and self._words[kept[0]].term is not None
        ):
            kept.pop(0)
        return kept

    def _strip_end(self, places: list[int]) -> list[int]:
        kept = list(places)
        while kept and self._kind(kept[-1]) in (Kind.DE, Kind.SKIP) and self._words[kept[-1]].term is not None:
            kept.pop()
        return kept

    def _trimmed(self, places: Sequence[int]) -> list[int]:
        """Without little words and pauses at the ends."""
        little = (Kind.DE, Kind.SKIP, Kind.CONJUNCTION, Kind.LINK, Kind.BY, Kind.PREPOSITION)
        kept = [at for at in places if not self._words[at].pause]
        while kept and self._words[kept[0]].term is not None and self._kind(kept[0]) in little:
            kept.pop(0)
        while kept and self._words[kept[-1]].term is not None and (
            (self._kind(kept[-1]) in (*little, Kind.ADVERB) and self._words[kept[-1]].text not in glossary().measures)
            or self._english(kept[-1]) in ("in", "on")
        ):  # fmt: skip
            kept.pop()
        return kept
