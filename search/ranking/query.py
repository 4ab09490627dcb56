"""What is ranked against: the query's vectors, and the means of the encoder's two clouds of vectors."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

_TINY: Final = 1e-12


@dataclass(frozen=True)
class RankClause:
    """A part of a query: its words, its unit ``vector`` (d,), and what it counts; a negative weight means "without"."""

    text: str
    vector: Vector
    weight: float = 1.0


@dataclass(frozen=True)
class RankRelation:
    """Where one thing of the query stands to another.

    ``kind`` is a ``search.understanding.RelationKind``; ``objects`` has one clause, for ``between`` perhaps two.
    """

    kind: str
    subject: RankClause
    objects: tuple[RankClause, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class ExamplePart:
    """One vector (d,) of an example, unit; ``words`` says that it is a text's and not a picture's.

    A negative ``weight`` means "not like this".
    """

    vector: Vector
    weight: float = 1.0
    words: bool = False


@dataclass(frozen=True)
class RankExample:
    """Something that hits should be like (``weight`` above 0) or not like.

    A scene, a box or a picture has one part; a concept has its words and each of its examples.
    """

    parts: tuple[ExamplePart, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class RankQuery:
    """A query as the stages read it. ``vector`` (d,) is the unit vector of the whole text.

    ``stressed`` says that a person weighted the clauses: then they count, however few they are. A query without text
    (``worded`` is False) has ``examples``, and the unit vector of those in place of the text's. ``sample`` (m, d) are
    unit rows of the archive, over which the scores of text and examples are brought to one scale; None: over the
    candidates.
    """

    vector: Vector
    clauses: tuple[RankClause, ...] = ()
    relations: tuple[RankRelation, ...] = ()
    stressed: bool = False
    examples: tuple[RankExample, ...] = ()
    worded: bool = True
    sample: Vector | None = None


@dataclass(frozen=True)
class Geometry:
    """The means (d,) of an encoder's text and image vectors, in the unit of its unit vectors; None: not known."""

    text_mean: Vector | None = None
    image_mean: Vector | None = None

    @property
    def complete(self) -> bool:
        """Whether both means are known: one alone makes things worse than none (see ``normalise``)."""
        return self.text_mean is not None and self.image_mean is not None


def unit(rows: NDArray[np.floating], *, out: bool = False) -> Vector:
    """Return rows (..., d) at length 1 as float32; a row of zeros stays zeros. ``out``: in the memory of ``rows``."""
    single = np.asarray(rows, dtype=np.float32)
    lengths = np.sqrt(np.einsum("...i,...i->...", single, single))[..., np.newaxis]
    return np.divide(single, np.maximum(lengths, np.float32(_TINY)), out=single if out else None)
