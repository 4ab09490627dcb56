"""What the stages hand on to each other: scored rows, and what each stage has to say about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from search.ranking.diffuse import Graph
from search.ranking.evidence import Evidence
from search.ranking.query import Geometry, RankQuery, Vector
from search.ranking.regions import TileRegions
from search.ranking.stages import StageSettings


class CandidateTiles(Protocol):
    """The arrays of ``search.candidates.Candidates`` that ranking reads; all of length n."""

    @property
    def tile_ids(self) -> NDArray[np.int64]: ...

    @property
    def scene_ids(self) -> NDArray[np.object_]: ...

    @property
    def windows(self) -> NDArray[np.int32]:
        """(n, 5): level, x, y, width, height."""

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(n, d) unit rows."""


@dataclass(frozen=True)
class Asked:
    """What does not change while the stages run."""

    query: RankQuery
    settings: StageSettings
    geometry: Geometry
    candidates: CandidateTiles
    regions: TileRegions | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Pool:
    """Rows (m of them) on their way through the stages. A stage returns another pool and never changes one.

    ``rows`` int (m,) points into the candidates: tiles first, one row a scene after the stage ``windows``. ``vectors``
    (m, d) are their unit rows and ``target`` (d,) the query's, both in the geometry that is compared. ``scores``
    float64 (m,), higher is better. ``notes`` are what stages say about rows: name -> array (m,) of JSON values or None.
    ``tiles`` is the pool as it was before its tiles became scenes; ``graph`` is that of the rows' neighbours, once a
    stage has made it.
    """

    asked: Asked
    rows: NDArray[np.intp]
    vectors: NDArray[np.float32]
    target: Vector
    scores: NDArray[np.float64]
    notes: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    tiles: Pool | None = None
    graph: Graph | None = None

    def take(self, index: NDArray[Any]) -> Pool:
        """Return the pool of some of its rows, in the order of ``index``."""
        if index.dtype != np.bool_ and np.array_equal(index, np.arange(len(self.rows))):
            return self  # Nothing moves: 4 MB of vectors need not be copied.
        return replace(
            self,
            graph=None,
            rows=self.rows[index],
            vectors=self.vectors[index],
            scores=self.scores[index],
            notes={name: note[index] for name, note in self.notes.items()},
        )

    def noted(self, name: str, note: NDArray[Any]) -> Pool:
        """Return the pool with another note (m,)."""
        return replace(self, notes={**self.notes, name: note})


Step: TypeAlias = Callable[[Pool], Pool]
"""A stage as the pipeline runs it."""
