"""How well lessons support each candidate: what they are worth spreads over the graph of neighbours.

Label propagation with restarts (Zhou et al., "Learning with local and global consistency", NIPS 2003) from the scenes
that were liked; twice, so that the first hits count once the likes have said which of them are right. The constants
were measured with simulated people: docs/learning.md.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.ranking.diffuse import NEIGHBOURS, Graph, graph_spread

Scores = NDArray[np.float64]

KEEP: Final = 0.1
"""What a candidate has from itself; the rest it gets from its neighbours."""
STEPS: Final = 20
TRUSTED: Final = 40
"""First hits that are sources, once the lessons have spread; of fewer than 1,000 candidates one in 25."""
TRUSTED_FROM: Final = 0.5
"""Standard deviations above the mean from which they are."""
MOST_SHARE: Final = 0.6
"""Of the lessons beside the scores, in the choice of those hits, when very much was learnt."""
DOUBT: Final = 2.0
"""Likes that it takes for half of that share."""
ENOUGH: Final = 0.6
"""Of the best support: what is supported as well as that is supported fully."""
_TINY: Final = 1e-12


def lessons_placed(
    *,
    graph: Graph,
    vectors: NDArray[np.float32],
    count: int,
    rows: NDArray[np.intp],
    lessons: NDArray[np.float32],
    weights: NDArray[np.float64],
) -> Scores:
    """Return what lessons are worth on the nodes (g,) of the graph.

    ``vectors`` (g, d) are those of the nodes. ``rows`` (l,) are the lessons' rows among all ``count`` candidates, -1
    for a scene that is none of them: it speaks through the ten nodes that it is most like. ``lessons`` (l, d) are unit
    rows of the same geometry.
    """
    place = np.full(count + 1, -1)
    place[graph.nodes] = np.arange(len(graph.nodes))
    at = place[rows]  # Row -1 is the last of them, which is no node.
    worth = np.zeros(len(graph.nodes))
    np.add.at(worth, at[at >= 0], weights[at >= 0])
    if not (away := np.flatnonzero(at < 0)).size:
        return worth
    cosines = np.maximum(lessons[away] @ vectors.T, 0.0)
    likeness = cosines * cosines * cosines
    if likeness.shape[1] > NEIGHBOURS:
        least = np.partition(likeness, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS, np.newaxis]
        likeness[likeness < least] = 0.0
    shares = weights[away] / np.maximum(likeness.sum(axis=1), _TINY)
    return np.asarray(worth + shares.astype(np.float32) @ likeness, dtype=np.float64)


def support_of(*, graph: Graph, scores: Scores, worth: Scores, amount: float, first: int) -> Scores:
    """Return the support (g,), 0 to 1, of each node: of standardised ``scores`` (g,), and lessons ``worth`` (g,),
    which stand for ``amount`` likes.

    The ``first`` best hits (``trusted``) are sources, too; without lessons they alone.
    """
    believed = scores
    if worth.any():
        share = MOST_SHARE * amount / (amount + DOUBT)
        believed = (1.0 - share) * scores + share * standardised(_spread(graph, worth))
    source = np.zeros(len(scores))
    best = np.argsort(-believed, kind="stable")[:first]
    source[best] = np.maximum(standardised(believed)[best] - TRUSTED_FROM, 0.0)
    source += worth * source[best].mean() if source.any() else worth
    return levelled(_spread(graph, source))


def spread_plainly(*, graph: Graph, worth: Scores) -> Scores:
    """Return the support (g,), 0 to 1, that lessons alone give."""
    return levelled(_spread(graph, worth))


def levelled(found: Scores) -> Scores:
    """Return support (g,) with all that is at least ``ENOUGH`` of the best at 1."""
    return np.asarray(np.minimum(found / max(ENOUGH * float(found.max(initial=0.0)), _TINY), 1.0), dtype=np.float64)


def trusted(count: int) -> int:
    """Return how many of as many candidates are sources at most."""
    return max(1, min(TRUSTED, count // 25))


def standardised(values: Scores) -> Scores:
    """Return values (n,) with mean 0 and standard deviation 1; equal ones are all 0."""
    spread = values.std() if len(values) else 0.0
    return (values - values.mean()) / spread if spread > 1e-9 else np.zeros_like(values)


def _spread(graph: Graph, source: Scores) -> Scores:
    return np.asarray(np.sqrt(graph_spread(graph.edges, source, keep=KEEP, steps=STEPS)), dtype=np.float64)
