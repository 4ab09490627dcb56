"""The ranking: a plain list of stages over the candidates of one query. Pure, no database.

Stages give scores; which scenes come out is decided here, by row of the candidates, and a row that a rule forbids is
taken out before the first stage (so that it cannot speak for its neighbours) and masked again after the last.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.regions import cell_window
from search.ranking.clauses import clauses_step, taken_away, without_step
from search.ranking.diffuse import diffused
from search.ranking.evidence import Evidence
from search.ranking.examples import examples_step, examples_taken, query_composed
from search.ranking.explain import reasons_of
from search.ranking.feedback import feedback_step
from search.ranking.normalise import rows_corrected, target_corrected
from search.ranking.pool import Asked, CandidateTiles, Pool, Step
from search.ranking.query import Geometry, RankQuery, Vector
from search.ranking.regions import TileRegions, regions_score
from search.ranking.scenes import RankedScenes, scenes_fuse
from search.ranking.stages import StageSettings


def retrieval_vector(*, query: RankQuery, geometry: Geometry, settings: StageSettings) -> Vector:
    """Return the unit vector (d,) that candidates are asked for.

    With the distribution normalised it is norm(q - text_mean): rows as they are stored, asked with it, stand in the
    order of the corrected cosine but for the factor 1 / |x - image_mean| of each row. With examples it is what text
    and examples want together (``search.ranking.examples``).
    """
    return query_composed(query, geometry=geometry, settings=settings)


def candidates_rank(
    *,
    candidates: CandidateTiles,
    query: RankQuery,
    settings: StageSettings,
    geometry: Geometry,
    limit: int,
    regions: TileRegions | None = None,
    evidence: Evidence | None = None,
    permitted: NDArray[np.bool_] | None = None,
    steps: "Sequence[tuple[str, Step]] | None" = None,
) -> RankedScenes:
    """Rank candidate tiles into at most ``limit`` scenes, best first.

    ``regions`` are the quarters of some of them, for the stage of that name; ``evidence`` is what people did with
    scenes that this person may see (``search.ranking.evidence``; None: nothing is known).
    ``permitted`` (n,) says which candidates the rules of the house allow (default: all of them). Equal scores are
    ordered by tile id, so that the same input always gives the same order. Raises ValueError if normalisation is on and
    a mean is missing (``stages_usable`` turns it off and says so).
    """
    asked = Asked(
        query=query,
        settings=settings,
        geometry=geometry,
        candidates=candidates,
        regions=regions,
        evidence=evidence,
    )
    allowed = np.ones(len(candidates.tile_ids), dtype=bool) if permitted is None else permitted
    rows = np.flatnonzero(allowed)
    vectors = np.asarray(candidates.vectors, dtype=np.float32)
    vectors = vectors if allowed.all() else vectors[rows]
    similarities = np.asarray(vectors @ query.vector, dtype=np.float64)
    pool = Pool(asked=asked, rows=rows, vectors=vectors, target=query.vector, scores=similarities)
    if not query.worded and not settings.normalise.active:
        target = query_composed(query, geometry=geometry, settings=settings)
        pool = replace(pool, target=target, scores=np.asarray(vectors @ target, dtype=np.float64))
    for name, step in STEPS if steps is None else steps:
        if getattr(settings, name).active and len(pool.rows):
            pool = _run(name, step, pool)
    pool = replace(pool, vectors=pool.vectors[:, :0])  # They have spoken; copying them again takes milliseconds.
    pool = pool.take(np.flatnonzero(allowed[pool.rows] & np.isfinite(pool.scores)))
    order = np.lexsort((candidates.tile_ids[pool.rows], -pool.scores))[:limit]
    best = pool.take(order)
    known = np.zeros(len(allowed))
    known[rows] = similarities
    return RankedScenes(
        scene_ids=candidates.scene_ids[best.rows],
        tile_ids=candidates.tile_ids[best.rows],
        scores=best.scores,
        similarities=known[best.rows],
        reasons=reasons_of(best, similarities=known[best.rows]),
    )


def normalise_step(pool: Pool) -> Pool:
    """Compare in the corrected geometry (``normalise``)."""
    geometry, share = pool.asked.geometry, pool.asked.settings.normalise.weight
    if not geometry.complete:
        raise ValueError("Normalisation needs both means of the encoder; one is missing.")
    query = pool.asked.query
    target = (
        target_corrected(pool.target, geometry, share=share)
        if query.worded
        else query_composed(query, geometry=geometry, settings=pool.asked.settings)
    )
    vectors = rows_corrected(pool.vectors, geometry, share=share)
    scores = np.asarray(vectors @ target, dtype=np.float64)
    return replace(pool, vectors=vectors, target=target, scores=scores).noted("normalise", scores)


def regions_step(pool: Pool) -> Pool:
    """Let a quarter speak for its tile where it matches much better (``regions``); the note is its window."""
    asked = pool.asked
    if asked.regions is None:
        return pool
    places = np.full(len(asked.candidates.tile_ids), -1)
    places[pool.rows] = np.arange(len(pool.rows))
    here = np.flatnonzero(places[asked.regions.rows] >= 0)
    rows, cells = places[asked.regions.rows[here]], asked.regions.cells[here]
    if asked.settings.normalise.active:
        flat = cells.reshape(-1, cells.shape[2])
        cells = rows_corrected(flat, asked.geometry, share=asked.settings.normalise.weight).reshape(cells.shape)
    scores, notes = pool.scores.copy(), np.empty(len(pool.rows), dtype=object)
    weight = asked.settings.regions.weight
    scores[rows], won = regions_score(scores=scores[rows], cells=cells, target=pool.target, weight=weight)
    for row, cell in zip(rows[won >= 0], won[won >= 0], strict=True):
        x, y, width, height = asked.candidates.windows[pool.rows[row], 1:].tolist()
        notes[row] = list(cell_window((x, y, width, height), int(cell)))
    return replace(pool, scores=scores).noted("regions", notes)


def windows_step(pool: Pool) -> Pool:
    """Make tiles scenes (``scenes``): from here on a row is a scene."""
    tiles, weight = pool.asked.candidates, pool.asked.settings.windows.weight
    codes = _codes(tiles.scene_ids[pool.rows])
    fused = scenes_fuse(scenes=codes, windows=tiles.windows[pool.rows], scores=pool.scores, weight=weight)
    notes = np.empty(len(fused.rows), dtype=object)
    for number in np.flatnonzero(fused.counts):
        more = tiles.windows[pool.rows[fused.places[number]], 1:].tolist()
        notes[number] = {"seen": int(fused.counts[number]), **({"more": more} if more else {})}
    scenes = replace(pool.take(fused.rows), scores=fused.scores, tiles=pool)
    return scenes.noted("windows", notes)


def diffuse_step(pool: Pool) -> Pool:
    """Let scenes that look alike speak for each other (``diffuse``).

    What "without" and "not like this" took away is taken once more: its neighbours must not give it back.
    """
    scores, graph = diffused(pool.vectors, pool.scores, weight=pool.asked.settings.diffuse.weight)
    return replace(pool, scores=scores + taken_away(pool) + examples_taken(pool), graph=graph)


def _codes(scene_ids: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return a number for each scene, the same for the same scene."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(scene, len(numbers)) for scene in scene_ids], dtype=np.int64)


def _run(name: str, step: Step, pool: Pool) -> Pool:
    """Run one step and note how many places each row gained by it (lost: negative)."""
    after = step(pool)
    if after is pool:
        return pool
    if len(after.rows) != len(pool.rows) or not np.array_equal(after.rows, pool.rows):
        return after
    return after.noted(f"{name}.places", _places(pool.scores) - _places(after.scores))


def _places(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    places = np.empty(len(scores), dtype=np.int64)
    places[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return places


STEPS: Final[list[tuple[str, Step]]] = [
    ("normalise", normalise_step),
    ("regions", regions_step),
    ("clauses", clauses_step),
    ("examples", examples_step),
    ("without", without_step),
    ("windows", windows_step),
    ("diffuse", diffuse_step),
    ("feedback", feedback_step),
]
"""The stages in their order; each has its on/off and weight in ``StageSettings`` under its name."""
