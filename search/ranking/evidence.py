"""What people did with scenes, as the feedback stage reads it: vectors of those scenes, and how much each counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lessons:
    """n scenes that somebody did something with under a query like this one; n may be 0.

    ``vectors`` (n, d) float32 are the scenes' unit rows as they are stored. ``weights`` (n,) float64 are
    type * min(1 / propensity of the rank, 3) * 2 ** (-age / 30 days), the most of the deeds on that scene; the type is
    1 for a like, .8 for a download, .4 for a click. ``scene_ids`` (n,) UUID, no scene twice. ``deeds`` (n) are "like",
    "download", "click" or "dwell"; ``sources`` (n) the text of the query it was done under, "" if that is not to be
    told.
    """

    vectors: NDArray[np.float32]
    weights: NDArray[np.float64]
    scene_ids: NDArray[np.object_]
    deeds: tuple[str, ...]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.weights)

    @classmethod
    def none(cls, dimension: int) -> Self:
        """Return no lessons, of vectors with ``dimension`` numbers."""
        return cls(
            vectors=np.zeros((0, dimension), dtype=np.float32),
            weights=np.zeros(0),
            scene_ids=np.zeros(0, dtype=object),
            deeds=(),
            sources=(),
        )


@dataclass(frozen=True)
class Votes(Lessons):
    """What everybody did: one row per person and scene. ``voters`` (n,) int64 numbers the persons, and is told to
    nobody."""

    voters: NDArray[np.int64]

    @classmethod
    def none(cls, dimension: int) -> Self:
        """Return no votes, of vectors with ``dimension`` numbers."""
        return cls(**vars(Lessons.none(dimension)), voters=np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Evidence:
    """All that is known for one ranking: of this ``session``, of the person's ``own`` earlier queries, what they
    explicitly ``disliked`` (weights as of likes), and of ``everybody``.

    Every scene in it is one that the person who searches may see: what others did with a scene that is hidden from
    them must not be here.
    """

    session: Lessons
    own: Lessons
    disliked: Lessons
    everybody: Votes

    @classmethod
    def none(cls, dimension: int) -> Evidence:
        """Return no evidence at all."""
        nothing = Lessons.none(dimension)
        return cls(session=nothing, own=nothing, disliked=nothing, everybody=Votes.none(dimension))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to learn from."""
        return not (len(self.session) or len(self.own) or len(self.disliked) or len(self.everybody))
