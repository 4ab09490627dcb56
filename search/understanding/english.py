"""The English grammar of a query: one pass from left to right over the roles of its words."""

from collections.abc import Sequence
from typing import Final

from search.understanding.attributes import is_attribute
from search.understanding.english_tags import Role, Tag, tags_of
from search.understanding.lexer import Word
from search.understanding.little_words import little_words
from search.understanding.plan import RelationKind
from search.understanding.reading import Link, Part, Reading

_COPULA: Final = frozenset({"is", "are", "was", "were", "lies", "lie", "located", "situated"})
_LIST_WORDS: Final = 4
"""A thing in a list of things that must not be there has at most this many words."""


def english_reading(words: Sequence[Word]) -> Reading:
    """Read a query written in English (or in any other language with spaces, of which only the marks are read)."""
    return _Reader(words).read()


class _Reader:
    """Where the pass stands: the part being filled, and what a relation or negation still waits for."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self._tags = tags_of(words)
        self._reading = Reading()
        self._part: Part | None = None
        self._last: Part | None = None  # The last positive part of this sentence.
        self._resumed: Part | None = None  # The positive part that a negation interrupted.
        self._heads: list[Part] = []  # What the sentence is about so far: "A and B" of "A and B with C are near D".
        self._owned = False  # The part being filled belongs to another: C of "A with C".
        self._link: Link | None = None
        self._swapped = False

    def read(self) -> Reading:
        for place, tag in enumerate(self._tags):
            following = self._tags[place + 1] if place + 1 < len(self._tags) else None
            self._take(place, tag, following)
        self._close()
        return self._reading

    def _take(self, place: int, tag: Tag, following: Tag | None) -> None:
        goes_on = following is not None and following.role in (Role.CONTENT, Role.LITERAL)
        if tag.role is Role.LITERAL:
            self._literal(tag)
        elif tag.role is Role.THERE and self._denies:
            self._reading.denying |= set(range(tag.start, tag.end))
        elif tag.role is Role.STOP:
            self._close()
            self._last = self._resumed = None
            self._heads.clear()
        elif tag.role is Role.COMMA:
            self._comma(place)
        elif tag.role is Role.LEAD and self._part is None:
            pass
        elif tag.role is Role.NEGATION and goes_on:
            self._negation(tag)
        elif tag.role is Role.RELATION and goes_on and self._relation(tag):
            pass
        elif tag.role is Role.EITHER and self._denies:
            self._next_denied(tag)
        elif tag.role is Role.JOINT and following is not None and self._joint(tag, following):
            pass
        else:
            self._content(tag)

    @property
    def _denies(self) -> bool:
        return self._part is not None and self._part.negative

    def _content(self, tag: Tag) -> None:
        if self._denies and self._meant(self._part):
            if self._resumed is not None and self._text(tag) in little_words("resuming"):
                self._end_negation()
            elif self._resumed is None and self._text(tag) in little_words("places"):
                self._end_in_place(tag)
                return
        if self._part is None:
            self._part = Part()
        self._part.words += range(tag.start, tag.end)

    def _literal(self, tag: Tag) -> None:
        word = self._words[tag.start]
        if word.mark == "weighted" and self._part is not None and not self._part.negative:
            self._part.words.append(tag.start)
            self._part.literal, self._part.weight = True, word.weight
            self._close()
            return
        negative = word.mark == "minus" or (self._denies and not self._meant(self._part))
        link = self._link if self._part is None or not self._meant(self._part) else None
        if link is None or word.mark == "minus":
            self._close()
        self._part = None
        part = Part([tag.start], negative, literal=True, weight=word.weight)
        self._reading.parts.append(part)
        if negative:
            return
        if link is not None:
            self._give(link, part)
            if link.kind is RelationKind.BETWEEN and len(link.objects) == 1:
                self._link = link
                self._last = part
                return
        self._link, self._last = None, part

    def _comma(self, place: int) -> None:
        if self._denies and self._list_goes_on(place):
            self._next_denied(self._tags[place])
        else:
            self._close()
            self._resumed = None
            self._heads.clear()

    def _list_goes_on(self, place: int) -> bool:
        """Whether "or" comes before the sentence goes on with something else: no ships, cranes or planes."""
        count = 0
        for tag in self._tags[place + 1 :]:
            if tag.role is Role.EITHER:
                return True
            if tag.role is Role.COMMA:
                count = 0
                continue
            count += tag.end - tag.start
            if tag.role is not Role.CONTENT or count > _LIST_WORDS or self._text(tag) in little_words("determiner"):
                return False
        return False

    def _negation(self, tag: Tag) -> None:
        before = self._part if self._part is not None and not self._part.negative else None
        if before is not None and not self._meant(before):
            before = None
        if self._denies:
            before = self._resumed
        self._close()
        self._resumed = before
        self._reading.denying |= set(range(tag.start, tag.end))
        self._part = Part(negative=True)

    def _end_negation(self) -> None:
        resumed = self._resumed
        self._close()
        self._resumed = None
        self._part = resumed

    def _end_in_place(self, tag: Tag) -> None:
        """No people on the beach: what follows is where nothing of it is, and is looked for."""
        self._close()
        self._reading.denying |= set(range(tag.start, tag.end))

    def _next_denied(self, tag: Tag) -> None:
        self._reading.denying |= set(range(tag.start, tag.end))
        resumed = self._resumed
        self._close()
        self._resumed = resumed
        self._part = Part(negative=True)

    def _relation(self, tag: Tag) -> bool:
        """Begin the second thing of a relation; False when there is no first one, and the words mean something else."""
        if self._denies:
            if self._resumed is None:
                self._end_in_place(tag)
                return True
            self._end_negation()
        subject = self._part if self._part is not None and self._meant(self._part) else self._last
        if subject is None or subject.negative or (self._part is not None and not self._meant(self._part)):
            return False
        said = self._part is not None and self._words[self._part.words[-1]].english in _COPULA
        self._close()
        assert tag.kind is not None
        if said and self._heads:
            subject = self._heads[0] if self._owned else subject
        self._link = Link(tag.kind, subject, [])
        self._swapped = tag.swapped
        return True

    def _joint(self, tag: Tag, following: Tag) -> bool:
        """Part two things at "and", "with", "but" ...; False when the word belongs to what stands around it."""
        if self._denies:
            if tag.phrase == "and" and not self._begins_thing(following):
                self._next_denied(tag)
                return True
            self._close()
            self._resumed = None
            return True
        if self._part is None or not self._meant(self._part):
            return self._part is None
        if tag.phrase == "and":
            return self._and(tag, following)
        self._close()
        self._owned = tag.phrase in little_words("owning")
        return True

    def _and(self, tag: Tag, following: Tag) -> bool:
        link, part = self._link, self._part
        assert part is not None
        if link is not None and link.kind is RelationKind.BETWEEN and not link.objects:
            self._close(keep_link=True)
            return True
        if link is not None and link.kind is RelationKind.SURROUNDED and following.role is Role.CONTENT:
            return False
        if following.role is Role.RELATION:  # next to a road and near trees: both are said of the first thing
            subject = link.subject if link is not None else None
            self._close()
            self._last = subject or self._last
            return True
        if not self._begins_thing(following):
            return False
        self._close()
        return True

    def _begins_thing(self, tag: Tag) -> bool:
        if tag.role is not Role.CONTENT:
            return tag.role is not Role.EITHER
        text = self._text(tag)
        if text in little_words("determiner") or text.isdigit():
            return True
        before = self._words[tag.start - 2] if tag.start > 1 else None
        return is_attribute(text) and not (before is not None and is_attribute(before.english))

    def _close(self, *, keep_link: bool = False) -> None:
        part, link = self._part, self._link
        self._part = None
        if not keep_link:
            self._link = None
        if part is None:
            return
        if part not in self._reading.parts:
            self._reading.parts.append(part)
        if part.negative or not self._meant(part):
            return
        self._last = part
        if link is not None and part is not link.subject:
            self._give(link, part)
        elif not self._owned and part not in self._heads:
            self._heads.append(part)

    def _give(self, link: Link, part: Part) -> None:
        if link.objects:
            link.objects.append(part)
            return
        if self._swapped:
            link.subject, part = part, link.subject
            self._swapped = False
        link.objects.append(part)
        self._reading.links.append(link)

    def _meant(self, part: Part | None) -> bool:
        """Whether the part has a word that could be looked for."""
        if part is None:
            return False
        return part.literal or any(self._words[at].english not in little_words("little") for at in part.words)

    def _text(self, tag: Tag) -> str:
        return self._words[tag.start].text.lower()


def english_trim(words: Sequence[Word], part: Part, *, is_linked: bool) -> list[int]:
    """Return the words of a part without those at its ends that only join it to its neighbours."""
    kept = list(part.words)
    back = little_words("back") | (little_words("copula") if is_linked else frozenset())
    while kept and words[kept[0]].english in little_words("front"):
        kept.pop(0)
    while kept and words[kept[-1]].english in back:
        kept.pop()
    return kept
