"""Feedback: what people did with scenes under queries like this one moves the hits that it says something new about.

Positives only: a hit that nobody opened is no bad hit. Lessons spread over the graph of neighbours
(``search.ranking.support``); where a hit has clearly more or less support than its place in the ranking lets expect,
it moves, and all others keep their order. So clicks that only say what the ranking knew change nothing; likes of this
session also bring those of equally good hits forward that look like them.
docs/learning.md has the figures, docs/decisions/0010-learning-by-surprise.md what was tried instead.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.ranking.bands import falling
from search.ranking.clauses import taken_away
from search.ranking.diffuse import Graph, graph_of
from search.ranking.evidence import Evidence, Lessons, Votes
from search.ranking.gates import agreeing, matching, votes_pooled
from search.ranking.normalise import rows_corrected
from search.ranking.pool import Pool
from search.ranking.query import Vector, unit
from search.ranking.support import lessons_placed, spread_plainly, standardised, support_of, trusted

__all__ = ["Evidence", "Lessons", "Votes", "feedback_step"]

Scores = NDArray[np.float64]

NOTE: Final = "feedback"
PARENT: Final = 5.0
"""Likes that a level counts for at most in the level before it."""
SURPRISE: Final = 0.1
"""Of the support from which a hit moves, if very much was learnt."""
DOUBT: Final = 0.5
"""What the support must surprise by in addition, times 1 / (likes + 2)."""
DOUBT_LIKES: Final = 2.0
RELUCTANCE: Final = 0.75
"""To move up: what is missing to full support counts so much against it."""
DISLIKED: Final = 0.5
"""Support that a hit loses which is like what was disliked, and twice that if it was disliked itself."""
SCORE: Final = 0.05
"""What a standard deviation of the scores counts for beside the support."""
LIKED: Final = 0.03
"""What one of likeness to the session's likes counts for, if there are very many: less than the scores."""
ALIKE: Final = 1.0
"""Standard deviations of likeness from which it is told."""
_MOST_TOLD: Final = 3
_DIGITS: Final = 3
_TINY: Final = 1e-9


@dataclass(frozen=True)
class _Level:
    """What one level has to say: l lessons in the geometry that is compared, their ``rows`` in the pool or -1."""

    name: str
    lessons: Lessons
    vectors: Vector
    weights: NDArray[np.float64]
    rows: NDArray[np.intp]

    @property
    def amount(self) -> float:
        """The likes that it stands for."""
        return float(self.weights.sum())


def feedback_step(pool: Pool) -> Pool:
    """Move rows by what was liked and disliked (``feedback``); the note says why. Scores are handed out anew.

    The weight of the stage divides what a hit's support must surprise by: 1 is what was measured.
    """
    evidence = pool.asked.evidence
    if evidence is None or evidence.empty or len(pool.rows) < 2 or not pool.scores.std() > _TINY:
        return pool
    places = {scene: row for row, scene in enumerate(pool.asked.candidates.scene_ids[pool.rows].tolist())}
    levels = _levels(pool, evidence, places)
    against = _level(pool, "disliked", evidence.disliked, places)
    if not levels and not against.amount:
        return pool
    graph = pool.graph or graph_of(pool.vectors, pool.scores)
    nodes = pool.vectors[graph.nodes]
    z = standardised(pool.scores)
    amount, worth = _worth(graph, nodes, levels, count=len(z))
    support = np.zeros(len(z))
    support[graph.nodes] = support_of(
        graph=graph, scores=z[graph.nodes], worth=worth, amount=amount, first=trusted(len(z))
    )
    order = np.argsort(-pool.scores, kind="stable")
    expected = np.empty(len(z))
    expected[order] = falling(support[order])
    moved = np.zeros(len(z))
    if amount:
        least = (SURPRISE + DOUBT / (amount + DOUBT_LIKES)) / pool.asked.settings.feedback.weight
        up = np.maximum(support - expected - least - RELUCTANCE * (1.0 - support), 0.0)
        moved = up - np.maximum(expected - support - least, 0.0)
        moved = np.where(taken_away(pool) < 0, np.minimum(moved, 0.0), moved)
    if against.amount:
        moved -= _disliked(graph, nodes, against, count=len(z))
    likeness, share = _likeness(pool, levels)
    if not moved.any() and not share:
        return pool
    alike = np.where(taken_away(pool) < 0, np.minimum(likeness, 0.0), likeness) * share
    after = _handed_out(pool, order=np.argsort(-(expected + moved + alike + SCORE * z), kind="stable"))
    told = moved + np.where(likeness >= ALIKE, np.maximum(alike, 0.0), 0.0)
    return after.noted(NOTE, _notes(pool, levels, moved=told, expected=expected, own=len(evidence.own)))


def _levels(pool: Pool, evidence: Evidence, places: dict[object, int]) -> list[_Level]:
    """The levels that have something to say, the nearest first."""
    session = _level(pool, "session", evidence.session, places)
    own = _believed(pool, _level(pool, "own", evidence.own, places))
    everybody = _level(pool, "everybody", evidence.everybody, places)
    if everybody.amount:
        votes = evidence.everybody
        rows, weights = votes_pooled(weights=votes.weights, scenes=votes.scene_ids, voters=votes.voters)
        everybody = replace(everybody, vectors=everybody.vectors[rows], weights=weights, rows=everybody.rows[rows])
        everybody = _believed(pool, everybody, outliers=True)
    return [level for level in (session, own, everybody) if level.amount]


def _level(pool: Pool, name: str, lessons: Lessons, places: dict[object, int]) -> _Level:
    vectors, normalise = lessons.vectors, pool.asked.settings.normalise
    if normalise.active and len(lessons):
        vectors = rows_corrected(vectors, pool.asked.geometry, share=normalise.weight)
    rows = np.array([places.get(scene, -1) for scene in lessons.scene_ids.tolist()], dtype=np.intp)
    return _Level(name, lessons, vectors, lessons.weights, rows)


def _believed(pool: Pool, level: _Level, *, outliers: bool = False) -> _Level:
    """The level with the weight of lessons that cannot be about this query at 0."""
    keep = matching(level.vectors, candidates=pool.vectors, target=pool.target)
    if outliers:
        rows = np.flatnonzero(keep)
        keep[rows] = agreeing(level.vectors[rows], level.weights[rows])
    return replace(level, weights=np.where(keep, level.weights, 0.0))


def _worth(graph: Graph, nodes: Vector, levels: list[_Level], *, count: int) -> tuple[float, Scores]:
    """How many likes were learnt from, and what they are worth on the nodes (g,)."""
    amount, worth = 0.0, np.zeros(len(graph.nodes))
    for number, level in enumerate(levels):
        share = min(1.0, PARENT / level.amount) if number else 1.0
        amount += share * level.amount
        worth += share * _placed(graph, nodes, level, count=count)
    return amount, worth


def _placed(graph: Graph, nodes: Vector, level: _Level, *, count: int) -> Scores:
    told = level.weights > 0
    return lessons_placed(
        graph=graph,
        vectors=nodes,
        count=count,
        rows=level.rows[told],
        lessons=level.vectors[told],
        weights=level.weights[told],
    )


def _disliked(graph: Graph, nodes: Vector, against: _Level, *, count: int) -> Scores:
    """What each row loses (m,): most if it was disliked itself."""
    lost = np.zeros(count)
    lost[graph.nodes] = DISLIKED * spread_plainly(graph=graph, worth=_placed(graph, nodes, against, count=count))
    lost[against.rows[against.rows >= 0]] = 2 * DISLIKED
    return lost


def _likeness(pool: Pool, levels: list[_Level]) -> tuple[Scores, float]:
    """How like what was liked in this session each row is (m,), standardised, and what that counts for.

    Who says "this one" of a hit that stood well already means more than the query said; a click means nothing of the
    kind. So among hits that are supported alike, those come first that look like the likes.
    """
    session = next((level for level in levels if level.name == "session"), None)
    liked = np.array([deed == "like" for deed in session.lessons.deeds], dtype=bool) if session else np.zeros(0, bool)
    if session is None or not liked.any():
        return np.zeros(len(pool.rows)), 0.0
    centre = unit(session.weights[liked].astype(np.float32) @ session.vectors[liked])
    share = LIKED * float(liked.sum()) / (float(liked.sum()) + DOUBT_LIKES) * pool.asked.settings.feedback.weight
    return standardised(np.asarray(pool.vectors @ centre, dtype=np.float64)), share


def _handed_out(pool: Pool, *, order: NDArray[np.intp]) -> Pool:
    """The pool with its scores given to its rows in this order: what comes after reads them as before."""
    scores = np.empty_like(pool.scores)
    scores[order] = np.sort(pool.scores)[::-1]
    return replace(pool, scores=scores)


def _notes(pool: Pool, levels: list[_Level], *, moved: Scores, expected: Scores, own: int) -> NDArray[np.object_]:
    """``share`` is what was learnt of all that orders a row, negative where it speaks against the row."""
    shares = np.round(moved / (np.abs(moved) + expected + _TINY), _DIGITS)
    level = levels[0].name if levels else "session"
    notes = np.empty(len(shares), dtype=object)
    likes = _likes(pool, levels, np.flatnonzero(shares > 0))
    for row in np.flatnonzero(shares).tolist():
        notes[row] = {"share": float(shares[row]), "like": likes.get(row, []), "level": level, "own": own}
    return notes


def _likes(pool: Pool, levels: list[_Level], rows: NDArray[np.intp]) -> dict[int, list[list[str]]]:
    """The lessons that each of these rows resembles most, of the nearest level; what others did is not told."""
    level = next((level for level in levels if level.name != "everybody"), None)
    if level is None or not len(rows):
        return {}
    lessons = level.lessons
    words = [
        [str(scene), source, deed]
        for scene, source, deed in zip(lessons.scene_ids.tolist(), lessons.sources, lessons.deeds, strict=True)
    ]
    away = -(pool.vectors[rows] @ level.vectors.T)
    if away.shape[1] > _MOST_TOLD:
        nearest = np.argpartition(away, _MOST_TOLD - 1, axis=1)[:, :_MOST_TOLD]
    else:
        nearest = np.tile(np.arange(away.shape[1]), (len(rows), 1))
    nearest = np.take_along_axis(nearest, np.argsort(np.take_along_axis(away, nearest, 1), axis=1, kind="stable"), 1)
    return {row: [words[number] for number in each] for row, each in zip(rows.tolist(), nearest.tolist(), strict=True)}
