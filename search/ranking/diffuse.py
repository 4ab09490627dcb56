"""Diffusion over the candidates: a picture is a better match if pictures that look like it match well, too.

Ranking on manifolds (Zhou et al., NIPS 2003; Donoser and Bischof, "Diffusion Processes for Retrieval Revisited",
CVPR 2013) with the query only as the scores it gives: u <- (1 - a) u0 + a W u, where W is the row-normalised graph of
each picture and its nearest neighbours among the candidates. Before it the query is moved towards its first hits
(alpha query expansion: Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019).
docs/ranking.md has what each constant was measured to be worth; none of them is near an edge.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

FEWEST: Final = 20
"""Below as many candidates there is nothing to learn from the others."""
NODES: Final = 500
"""Candidates in the graph, the best; a graph of 1,000 takes four times as long and finds the same."""
NEIGHBOURS: Final = 10
EXPANSION_HITS: Final = 5
EXPANSION_WEIGHT: Final = 0.5
"""Of the expanded query beside the query, both standardised."""
SEED_FROM: Final = 1.5
"""Standard deviations above the mean from which a candidate is a source, worth the square of what it has above."""
SPREAD: Final = 0.75
"""What a candidate gets from its neighbours; the rest it has from itself."""
STEPS: Final = 8
_POWER: Final = 3  # of cosines, as weights: the exponent of DESIGN and of alpha query expansion
_TIE: Final = 1e-6
_TINY: Final = 1e-9


@dataclass(frozen=True)
class Graph:
    """The best candidates and how near they are to each other: ``nodes`` (g,) are their rows, ``edges`` (g, g) float32
    have rows of sum 1 (0 for a row that is near nothing)."""

    nodes: NDArray[np.intp]
    edges: NDArray[np.float32]


def graph_of(vectors: NDArray[np.float32], scores: Scores) -> Graph:
    """Return the graph of the 500 best of n candidates; ``vectors`` (n, d) are unit rows, ``scores`` (n,)."""
    nodes = _highest(scores, NODES)
    return Graph(nodes, _edges(vectors[nodes]))


def scores_diffused(vectors: NDArray[np.float32], scores: Scores, *, weight: float = 1.0) -> Scores:
    """Return ``diffused`` without its graph."""
    return diffused(vectors, scores, weight=weight)[0]


def diffused(vectors: NDArray[np.float32], scores: Scores, *, weight: float = 1.0) -> tuple[Scores, Graph | None]:
    """Return scores (n,) of n candidates in the order that the diffusion gives them, and the graph it went over.

    ``vectors`` (n, d) are unit rows. The numbers are those of ``scores``, handed out anew: the first place keeps the
    highest, so that what comes after reads them as before. ``weight`` (0 to 1, more counts as 1) is the part of the
    diffusion beside the scores themselves, both standardised. Fewer than 20 candidates stay as they are,
    and there is no graph.
    """
    if len(scores) < FEWEST or not scores.std() > _TINY:
        return scores, None
    share = min(weight, 1.0)
    plain = _standardised(scores)
    fused = np.full(len(scores), -np.inf)
    expanded = query_expanded(vectors, scores)
    graph = graph_of(vectors, expanded)
    nodes = graph.nodes
    source = np.maximum(expanded[nodes] - SEED_FROM, 0.0) ** 2
    spread = graph_spread(graph.edges, source, keep=1.0 - SPREAD, steps=STEPS)
    # Where nothing arrives the order of the scores goes on.
    fused[nodes] = share * _standardised(spread) + (1.0 - share) * plain[nodes] + _TIE * expanded[nodes]
    handed = np.empty_like(scores)
    handed[np.lexsort((-plain, -fused))] = np.sort(scores)[::-1]
    return handed, graph


def query_expanded(vectors: NDArray[np.float32], scores: Scores) -> Scores:
    """Return standardised scores (n,) with those of the mean of the first hits beside them.

    Hits weigh by the third power of their score. Of fewer than 100 candidates one in twenty is taken, not five.
    """
    hits = _highest(scores, min(EXPANSION_HITS, len(scores) // FEWEST))
    weights = np.maximum(scores[hits], 0.0) ** _POWER
    plain = _standardised(scores)
    if not weights.sum() > 0:
        return plain
    mean = weights.astype(np.float32) @ vectors[hits]
    return _standardised(plain + EXPANSION_WEIGHT * _standardised(np.asarray(vectors @ mean, dtype=np.float64)))


def graph_spread(edges: NDArray[np.float32], source: Scores, *, keep: float, steps: int) -> Scores:
    """Return what each of g rows has (g,) after the worth of the sources (g,) has spread over the graph.

    u <- ``keep`` * source + (1 - ``keep``) * edges u, ``steps`` times.
    """
    begun = source.astype(np.float32)
    found = begun
    for _step in range(steps):
        found = np.float32(keep) * begun + np.float32(1.0 - keep) * (edges @ found)
    return found.astype(np.float64)


def _edges(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the edges (n, n) between unit rows (n, d).

    An edge weighs the cube of the cosine, and one that both ends have among their ten nearest counts twice: a picture
    that is everybody's neighbour but has others itself (a hub) passes on less.
    """
    count = len(vectors)
    nearest = min(NEIGHBOURS, count // 10 if count >= FEWEST else (count + 2) // 3)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 0.0)
    np.maximum(cosines, 0.0, out=cosines)
    cosines[cosines < np.partition(cosines, count - nearest, axis=1)[:, count - nearest, np.newaxis]] = 0.0
    weights = cosines * cosines * cosines
    weights += weights.T.copy()
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.float32(_TINY))
    return weights


def _highest(scores: Scores, count: int) -> NDArray[np.intp]:
    """Return the rows of the ``count`` highest scores, in no order."""
    if count >= len(scores):
        return np.arange(len(scores))
    return np.argpartition(-scores, max(0, count - 1))[:count]


def _standardised(values: Scores) -> Scores:
    spread = values.std()
    return (values - values.mean()) / spread if spread > _TINY else np.zeros_like(values)
