"""What a query was understood to be: clauses, what must not be there, relations and attributes. No model has a say."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_CLAUSES: Final = 8
"""Clauses with and without together; a text that pauses more often has its last ones joined."""
MIN_WEIGHT: Final = 0.1
MAX_WEIGHT: Final = 5.0
LIKE_ANY: Final = 1.0
"""The weight of a clause nobody weighted."""


class RelationKind(StrEnum):
    """Where the first thing is, seen from the second."""

    LEFT = "left"
    RIGHT = "right"
    ABOVE = "above"
    BELOW = "below"
    NEAR = "near"
    NEXT_TO = "next_to"
    BETWEEN = "between"
    SURROUNDED = "surrounded"


class AttributeKind(StrEnum):
    """What a describing word says of its thing."""

    COLOUR = "colour"
    TEXTURE = "texture"
    SIZE = "size"


class ChipKind(StrEnum):
    """What a chip stands for."""

    CLAUSE = "clause"
    WITHOUT = "without"
    RELATION = "relation"
    ATTRIBUTE = "attribute"


@dataclass(frozen=True)
class Clause:
    """A part of the query that can be looked for by itself; a negative ``weight`` means "without".

    ``words`` are the places of its words among ``QueryPlan.words``. ``explicit`` is true when the person marked it
    (quotes, a minus sign, a weight, a chip), false when the grammar found it.
    """

    text: str
    weight: float = LIKE_ANY
    words: tuple[int, ...] = ()
    explicit: bool = False


@dataclass(frozen=True)
class Relation:
    """``subject`` is ``kind`` of ``objects``: one text, two for BETWEEN when both sides are named."""

    kind: RelationKind
    subject: str
    objects: tuple[str, ...]
    weight: float = LIKE_ANY
    explicit: bool = False


@dataclass(frozen=True)
class Attribute:
    """``word`` is said of a thing in ``phrase``; a ``weight`` of 0 says that it counts only as a part of its clause.

    ``words`` are the places of the words with which a person stressed it, if one did.
    """

    kind: AttributeKind
    word: str
    phrase: str
    weight: float = 0.0
    words: tuple[int, ...] = ()


@dataclass(frozen=True)
class Chip:
    """One part of the plan as people see and change it. ``text`` in the query syntax gives the part again."""

    kind: ChipKind
    text: str
    weight: float


@dataclass(frozen=True)
class QueryPlan:
    """A text and how it was understood.

    ``whole`` is the wording to look for as one piece: the text without what must not be there; ``undenied`` lacks only
    what was marked with a minus sign, for rankings that do not use negations found by the grammar. Every one of
    ``words`` belongs to exactly one of ``clauses``, ``negatives`` and stressed ``attributes``, or stands in
    ``structure`` (places of connecting words).
    """

    text: str
    language: str
    whole: str
    undenied: str = ""
    words: tuple[str, ...] = ()
    clauses: tuple[Clause, ...] = ()
    negatives: tuple[Clause, ...] = ()
    relations: tuple[Relation, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    structure: tuple[int, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the text is one clause like any other: nothing to fuse, subtract or compare."""
        only = len(self.clauses) == 1 and self.clauses[0].weight == LIKE_ANY
        return only and not self.negatives and not self.relations and not any(a.weight for a in self.attributes)
