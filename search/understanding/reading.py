"""What both grammars make of the words of a query, before it becomes a plan."""

from dataclasses import dataclass, field

from search.understanding.plan import RelationKind


@dataclass(eq=False)
class Part:
    """Words (places in the list of words) that belong together; ``literal`` ones as a person marked them."""

    words: list[int] = field(default_factory=list)
    negative: bool = False
    literal: bool = False
    weight: float = 1.0


@dataclass(eq=False)
class Link:
    """``subject`` is ``kind`` of ``objects``."""

    kind: RelationKind
    subject: Part
    objects: list[Part]


@dataclass
class Reading:
    """Parts in the order of the text, links between them, and the words that only deny (``denying``)."""

    parts: list[Part] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    denying: set[int] = field(default_factory=set)
