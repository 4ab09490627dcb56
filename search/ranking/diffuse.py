"""Diffusion over the candidates: a picture is a better match if pictures that look like it match well, too.

Ranking on manifolds (Zhou et al., NIPS 2003; Donoser and Bischof, "Diffusion Processes for Retrieval Revisited",
CVPR 2013) with the query only as the scores it gives: u <- (1 - a) u0 + a W u, where W is the row-normalised graph of
each picture and its nearest neighbours among the candidates. Before it the query is moved towards its first hits
(alpha query expansion: Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019).
docs/ranking.md has what each constant was measured to be worth; none of them is near an edge.
"""

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
"""Standard deviations above the mean from which a candidate is a source."""
SPREAD: Final = 0.75
"""What a candidate gets from its neighbours; the rest it has from itself."""
STEPS: Final = 8
_POWER: Final = 3  # of cosines, as weights: the exponent of DESIGN and of alpha query expansion
_TIE: Final = 1e-6
_TINY: Final = 1e-9


def scores_diffused(vectors: NDArray[np.float32], scores: Scores, *, weight: float = 1.0) -> Scores:
    """Return scores (n,) of n candidates in the order that the diffusion gives them.

    ``vectors`` (n, d) are unit rows. The numbers are those of ``scores``, handed out anew: the first place keeps the
    highest, so that what comes after reads them as before. ``weight`` (0 to 1, more counts as 1) is the part of the
    diffusion beside the scores themselves, both standardised. Fewer than 20 candidates stay as they are.
    """
    if len(scores) < FEWEST or not scores.std() > _TINY:
        return scores
    share = min(weight, 1.0)
    plain = _standardised(scores)
    fused = np.full(len(scores), -np.inf)
    expanded = query_expanded(vectors, scores)
    nodes = _highest(expanded, NODES)
    spread = graph_spread(vectors[nodes], expanded[nodes])
    # Where nothing arrives the order of the scores goes on.
    fused[nodes] = share * _standardised(spread) + (1.0 - share) * plain[nodes] + _TIE * expanded[nodes]
    handed = np.empty_like(scores)
    handed[np.lexsort((-plain, -fused))] = np.sort(scores)[::-1]
    return handed


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


def graph_spread(vectors: NDArray[np.float32], standardised: Scores) -> Scores:
    """Return what each of n rows has (n,) after the sources' worth has spread over the graph.

    Sources are rows from 1.5 standard deviations up, worth the square of what they have above that. An edge weighs the
    cube of the cosine, and one that both ends have among their ten nearest counts twice: a picture that is everybody's
    neighbour but has others itself (a hub) passes on less.
    """
    edges = _edges(vectors)
    source = (np.maximum(standardised - SEED_FROM, 0.0) ** 2).astype(np.float32)
    found = source
    for _step in range(STEPS):
        found = (1.0 - SPREAD) * source + SPREAD * (edges @ found)
    return found.astype(np.float64)


def _edges(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the graph (n, n), rows of sum 1 (0 for a row that is near nothing)."""
    count = len(vectors)
    nearest = max(1, min(NEIGHBOURS, count // 10))
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
