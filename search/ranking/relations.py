"""Order scenes by where things are in them: relations of the query, scored on all tiles of the best scenes.

A relation's things are compared with every window of a scene, the whole picture says nothing of places. Which scenes
are looked at so closely is decided by the score so far and by how well their candidate windows show the things at all.
Pure functions on arrays; the tiles are read in ``search.places``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from search.ranking.clauses import standardised
from search.ranking.normalise import rows_corrected, target_corrected
from search.ranking.placing import Found, Places, relation_find
from search.ranking.pool import CandidateTiles
from search.ranking.query import Geometry, RankQuery, RankRelation, Vector
from search.ranking.scenes import RankedScenes
from search.ranking.stages import StageSettings

MOST_SCENES: Final = 50
NOTE: Final = "relations"
_LEAST_SPREAD: Final = 1e-3  # of scores: among equals the relation decides
_FEWEST_SCENES: Final = 2  # with windows: one alone has nobody to be compared with


@dataclass(frozen=True)
class SceneTiles:
    """Windows of scenes (no whole scenes) as parallel arrays of length t, as in ``search.candidates.Candidates``."""

    tile_ids: NDArray[np.int64]
    scene_ids: NDArray[np.object_]
    windows: NDArray[np.int32]
    vectors: NDArray[np.float32]


@dataclass(frozen=True)
class Compared:
    """The geometry in which tiles and things are compared, and the spread of each thing over the candidates."""

    query: RankQuery
    settings: StageSettings
    geometry: Geometry
    levels: dict[str, tuple[float, float]]

    @classmethod
    def of(
        cls, *, candidates: CandidateTiles, query: RankQuery, settings: StageSettings, geometry: Geometry
    ) -> "Compared":
        """Standardise every thing over the candidate windows (over all candidates if there are few)."""
        bare = cls(query, settings, geometry, {})
        part = candidates.windows[:, 0] > 0
        rows = bare.rows(candidates.vectors[part] if part.sum() > 1 else candidates.vectors)
        levels = {}
        for thing, vector in bare.things().items():
            values = rows @ bare.target(vector)
            levels[thing] = float(values.mean()), max(float(values.std()), 1e-9)
        return replace(bare, levels=levels)

    def things(self) -> dict[str, Vector]:
        """Return the vectors of all things of the relations by their texts."""
        return {thing.text: thing.vector for each in self.query.relations for thing in (each.subject, *each.objects)}

    def scores(self, vectors: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """Return the standardised scores (n,) of tiles (n, d) for each thing."""
        rows = self.rows(vectors)
        found = {}
        for thing, vector in self.things().items():
            mean, spread = self.levels[thing]
            found[thing] = np.asarray((rows @ self.target(vector) - mean) / spread, dtype=np.float64)
        return found

    def rows(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        stage = self.settings.normalise
        return rows_corrected(vectors, self.geometry, share=stage.weight) if self._corrected else vectors

    def target(self, vector: Vector) -> Vector:
        stage = self.settings.normalise
        return target_corrected(vector, self.geometry, share=stage.weight) if self._corrected else vector

    @property
    def _corrected(self) -> bool:
        return self.settings.normalise.active and self.geometry.complete


def scenes_to_read(*, ranked: RankedScenes, candidates: CandidateTiles, compared: Compared) -> list[UUID]:
    """Return the scenes whose places are worth a closer look, best first: high so far, and showing the things."""
    shown = _shown(ranked, candidates, compared)
    promise = standardised(ranked.scores) + np.where(np.isnan(shown), 0.0, _level(shown))
    return [ranked.scene_ids[row] for row in np.argsort(-promise, kind="stable")[:MOST_SCENES]]


def relations_rank(
    *, ranked: RankedScenes, candidates: CandidateTiles, tiles: SceneTiles, compared: Compared
) -> RankedScenes:
    """Return the scenes ordered by z(score) + weight * z(relation), in the unit of the scores.

    A scene that was read is worth its best tiles that stand as asked, or the lowest of all if none do; one that was not
    is worth what its candidate windows show, wherever; one without windows keeps its place among the others (z = 0).
    The window that is shown becomes the subject's if it is a candidate. With fewer than two scenes with windows, or
    tiles that were not made scenes, the order stays.
    """
    if len(set(ranked.scene_ids.tolist())) < len(ranked.scene_ids):
        return ranked
    shown = _shown(ranked, candidates, compared)
    scores = compared.scores(tiles.vectors) if len(tiles.tile_ids) else {}
    places = {scene: number for number, scene in enumerate(ranked.scene_ids)}
    hits: dict[int, list[Found | None]] = {}
    groups = _groups(tiles.scene_ids)
    for scene, rows in groups.items():
        if scene in places and len(rows) > 1:
            hits[places[scene]] = _hits(compared.query.relations, rows, tiles, scores)
    if len(hits) < _FEWEST_SCENES:
        return ranked
    lowest = min((float(values.min()) for values in scores.values()), default=0.0)
    worth = shown.copy()
    for number, found in hits.items():
        worth[number] = _mean(compared.query.relations, [lowest if hit is None else hit.score for hit in found])
    spread = max(float(ranked.scores.std()), _LEAST_SPREAD)
    moved = compared.settings.relations.weight * np.where(np.isnan(worth), 0.0, _level(worth))
    changed = _showing(ranked, hits, groups, tiles, compared, set(candidates.tile_ids.tolist()))
    order = np.lexsort((changed.tile_ids, -(changed.scores + spread * moved)))
    return _ordered(changed, scores=changed.scores + spread * moved, order=order)


def _hits(
    relations: Sequence[RankRelation],
    rows: NDArray[np.intp],
    tiles: SceneTiles,
    scores: dict[str, NDArray[np.float64]],
) -> list[Found | None]:
    spots = Places.of(tiles.windows[rows])
    return [
        relation_find(
            kind=each.kind,
            places=spots,
            subject=scores[each.subject.text][rows],
            objects=tuple(scores[thing.text][rows] for thing in each.objects),
        )
        for each in relations
    ]


def _shown(ranked: RankedScenes, candidates: CandidateTiles, compared: Compared) -> NDArray[np.float64]:
    """(m,) how well a scene's candidate windows show all things, wherever: their lowest best; NaN: no windows."""
    scores = compared.scores(candidates.vectors)
    part = candidates.windows[:, 0] > 0
    rows = {scene: places[part[places]] for scene, places in _groups(candidates.scene_ids).items()}
    return np.array(
        [
            min(float(values[rows[scene]].max()) for values in scores.values()) if len(rows[scene]) else np.nan
            for scene in ranked.scene_ids
        ]
    )


def _level(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standardise the values that are known; NaN stays."""
    known = values[~np.isnan(values)]
    spread = float(known.std()) if len(known) else 0.0
    return (values - known.mean()) / spread if spread > 1e-9 else values * 0.0


def _mean(relations: Sequence[RankRelation], scores: Sequence[float]) -> float:
    weights = [each.weight for each in relations]
    return sum(weight * score for weight, score in zip(weights, scores, strict=True)) / sum(weights)


def _showing(
    ranked: RankedScenes,
    hits: dict[int, list[Found | None]],
    groups: dict[object, NDArray[np.intp]],
    tiles: SceneTiles,
    compared: Compared,
    candidates: set[int],
) -> RankedScenes:
    """Return the scenes with the subject's window where a relation was found, and its windows as a reason."""
    tile_ids, similarities = ranked.tile_ids.copy(), ranked.similarities.copy()
    reasons = [dict(reason) for reason in ranked.reasons]
    for number, found in hits.items():
        best = next((hit for hit in found if hit is not None), None)
        if best is None:
            continue
        rows = groups[ranked.scene_ids[number]][list(best.tiles)]
        reasons[number][NOTE] = {"tiles": tiles.windows[rows, 1:].tolist()}
        if int(tiles.tile_ids[rows[0]]) in candidates:
            tile_ids[number] = tiles.tile_ids[rows[0]]
            similarities[number] = float(tiles.vectors[rows[0]] @ compared.query.vector)
            reasons[number]["similarity"] = round(float(similarities[number]), 3)
    return replace(ranked, tile_ids=tile_ids, similarities=similarities, reasons=reasons)


def _ordered(ranked: RankedScenes, *, scores: NDArray[np.float64], order: NDArray[np.intp]) -> RankedScenes:
    reasons: list[dict[str, Any]] = []
    for place, row in enumerate(order.tolist()):
        moved = row - place
        reasons.append({**ranked.reasons[row], **({f"{NOTE}.places": moved} if moved else {})})
    return RankedScenes(
        scene_ids=ranked.scene_ids[order],
        tile_ids=ranked.tile_ids[order],
        scores=scores[order],
        similarities=ranked.similarities[order],
        reasons=reasons,
    )


def _groups(scene_ids: NDArray[np.object_]) -> dict[object, NDArray[np.intp]]:
    """Return the rows of each scene."""
    rows: dict[object, list[int]] = {}
    for row, scene in enumerate(scene_ids):
        rows.setdefault(scene, []).append(row)
    return {scene: np.array(places, dtype=np.intp) for scene, places in rows.items()}
