"""What a Chinese phrase means, on its way to English: nouns with their attributes, and how they are written."""

from dataclasses import dataclass, replace
from typing import Final

from search.translation.english import joined, listed, number, plural, with_article
from search.translation.glossary import Count, Kind, Term
from search.translation.lexer import Token

_WATERS: Final = ("water", "river", "stream", "sea", "ocean", "lake", "strait", "canal", "bay", "railway track", "road")
_SPANS: Final = ("bridge", "overpass", "viaduct", "highway interchange")
_EVENTS: Final = ("flood", "earthquake", "landslide", "fire", "tsunami", "cyclone", "tornado", "debris flow", "spill",
                  "sandstorm", "avalanche", "collapse")  # fmt: skip
_OF_ONE: Final = ("a single", "another")
_OF_MASS: Final = {"many": "much", "a few": "little", "several": "some"}
_ALONE: Final = {
    "beside": "nearby", "near": "nearby", "around": "around", "in": "inside", "on": "on top", "above": "above",
    "under": "below", "below": "below", "in front of": "in front", "behind": "behind", "between": "in between",
    "in the middle of": "in the middle", "to the left of": "on the left", "to the right of": "on the right",
    "on both sides of": "on both sides", "outside": "outside", "along": "alongside", "opposite": "opposite",
    "at": "",
}  # fmt: skip


@dataclass(frozen=True)
class Adjective:
    """An attribute in front of its noun."""

    text: str
    rank: int = 0


@dataclass(frozen=True)
class Post:
    """An attribute behind its noun: ``parked`` + ``on`` + a runway. ``object`` may be missing."""

    preposition: str
    object: "Phrase | None" = None
    verb: str = ""
    vessel: str = ""
    after: str = ""

    def written(self, head: "Noun | None" = None) -> str:
        """Return the words, fitted to the noun they stand behind."""
        target = self.object.written(embedded=True) if self.object is not None else ""
        preposition = self.preposition
        if self.object is not None and not target:
            return self.verb  # Beside something that is not understood.
        if self.object is not None and self.object.names_any(_EVENTS):
            preposition = {"behind": "after", "in front of": "before"}.get(preposition, preposition)
        if preposition == "on" and head is not None and head.singular.endswith(_SPANS):
            preposition = "over" if self.object is not None and self.object.names_any(_WATERS) else preposition
        if self.object is None and preposition:
            preposition = _ALONE.get(preposition, preposition.removesuffix(" of"))
        verb = self.vessel if self.vessel and head is not None and head.is_vessel else self.verb
        return joined(verb, preposition, target, self.after)


Attribute = Adjective | Post


@dataclass(frozen=True)
class Noun:
    """A noun phrase. ``determiner`` is what stands in front of everything; ``several`` asks for the plural."""

    singular: str
    plural: str
    count: Count = Count.ONE
    is_part: bool = False
    is_vessel: bool = False
    determiner: str | None = None
    several: bool | None = None
    attributes: tuple[Attribute, ...] = ()
    prefix: str = ""
    is_name: bool = False
    spot: str = ""
    attributive: str = ""

    @classmethod
    def of(cls, term: Term) -> "Noun":
        many = term.other or (plural(term.english) if term.english else "")
        is_name = term.english[:1].isupper() or term.english.startswith("the ")
        return cls(
            term.english,
            many,
            term.count,
            term.is_part,
            term.is_vessel,
            is_name=is_name,
            spot=term.spot,
            attributive=term.attributive or term.english,
        )

    def plus(self, *attributes: Attribute) -> "Noun":
        """Return the phrase with further attributes; of those behind the noun the first given stands closest."""
        return replace(self, attributes=(*self.attributes, *attributes))

    def compound(self, first: "Noun") -> "Noun":
        """Return ``school playground`` for a school in front of a playground."""
        before = [a for a in first.attributes if isinstance(a, Adjective)]
        behind = [a for a in first.attributes if isinstance(a, Post)]
        return replace(self, prefix=joined(first.prefix, first.attributive, self.prefix)).plus(*before, *behind)

    def names_any(self, words: tuple[str, ...]) -> bool:
        return self.singular.endswith(words)

    @property
    def is_plural(self) -> bool:
        if self.count is Count.MASS:
            return False
        return self.count is Count.SEVERAL if self.several is None else self.several

    def written(self, *, embedded: bool = False) -> str:
        """Return the English; embedded in another phrase a single thing gets an article."""
        adjectives = sorted((a for a in self.attributes if isinstance(a, Adjective)), key=lambda a: a.rank)
        head = self.plural if self.is_plural else self.singular
        core = joined(*dict.fromkeys(a.text for a in adjectives), self.prefix, head)
        posts = [post.written(self) for post in self.attributes if isinstance(post, Post)]
        if self.determiner is not None:
            core = self._determined(core)
        elif embedded and head and not self.is_plural and self.count is Count.ONE and not self.is_name:
            core = with_article(core)
        return joined(core, *posts)

    def _determined(self, core: str) -> str:
        assert self.determiner is not None
        if self.determiner == "a" and core:
            return with_article(core) if self.count is not Count.MASS else core
        if self.count is Count.MASS:
            return joined(_OF_MASS.get(self.determiner, self.determiner), core)
        return joined(self.determiner, core)


@dataclass(frozen=True)
class Listed:
    """Several phrases side by side."""

    items: tuple["Phrase", ...]
    conjunction: str = "and"

    def written(self, *, embedded: bool = False) -> str:
        return listed([item.written(embedded=embedded) for item in self.items], self.conjunction)

    def plus(self, *attributes: Attribute) -> "Listed":
        """What stands in front goes to the first, what stands behind to the last."""
        before = [a for a in attributes if isinstance(a, Adjective)]
        behind = [a for a in attributes if isinstance(a, Post)]
        items = (self.items[0].plus(*before), *self.items[1:])
        return replace(self, items=(*items[:-1], items[-1].plus(*behind)))

    def names_any(self, words: tuple[str, ...]) -> bool:
        return any(item.names_any(words) for item in self.items)


Phrase = Noun | Listed


def counted(noun: Phrase, token: Token, measure: Token | None) -> Phrase:
    """Return the noun with a number or quantity in front: three airplanes, a row of houses, many boats."""
    if isinstance(noun, Listed):
        return replace(noun, items=(counted(noun.items[0], token, measure), *noun.items[1:]))
    unit = measure.term.english if measure is not None else ""
    one = token.value == 1
    amount = token.term.english if token.kind is Kind.QUANTITY else number(token.value or 0)
    if unit == "stretch" and noun.count is Count.ONE:
        unit = ""
    if not unit or (unit == "stretch" and not one and noun.count is Count.SEVERAL):
        if one:
            return replace(noun, determiner="a", several=False)
        return replace(noun, determiner=amount, several=not noun.is_name and amount not in _OF_ONE)
    head = unit if one else plural(unit)
    front = with_article(unit) if one else joined(amount, head)
    return replace(noun, determiner=f"{front} of", several=True)
