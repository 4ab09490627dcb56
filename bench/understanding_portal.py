"""The portal's own ranking on the test sets of query understanding: pictures and mosaics as scenes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


def portal_scores(archive: Any, text: str, *, denied: Sequence[str] = ()) -> Scores:
    """(n,) minus the place of each picture in a ranking with all stages that are on by default; every one a scene."""
    from search.ranking import Geometry, RankQuery, candidates_rank
    from search.ranking.query import RankClause
    from search.ranking.relations import SceneTiles
    from search.ranking.stages import stage_defaults

    count = len(archive.vectors)
    windows = np.tile([0, 0, 0, 224, 224], (count, 1)).astype(np.int32)
    tiles = SceneTiles(np.arange(count), np.arange(count).astype(object), windows, archive.vectors)
    query = RankQuery(archive.text(text), clauses=tuple(RankClause(each, archive.text(each), -1.0) for each in denied))
    image, words = (mean.astype(np.float32) for mean in archive.means)
    found = candidates_rank(
        candidates=tiles,
        query=query,
        settings=stage_defaults("builtin"),
        geometry=Geometry(text_mean=words, image_mean=image),
        limit=count,
    )
    scores = np.full(count, -float(count))
    scores[found.tile_ids] = -np.arange(len(found.tile_ids))
    return scores


class MosaicScenes:
    """Mosaics as an archive: every one a scene with a whole tile and a window for each cell."""

    def __init__(self, archive: Any, made: Sequence[Any], *, pipeline: bool) -> None:
        self.archive, self.pipeline = archive, pipeline
        cells = made[0].side ** 2
        whole = archive.of_pictures(_mosaic_vectors(archive, made))
        size = made[0].side * made[0].size
        self.vectors = np.concatenate([whole, *(archive.vectors[list(mosaic.rows)] for mosaic in made)])
        whole_windows = np.tile([0, 0, 0, size, size], (len(made), 1))
        self.windows = np.concatenate([whole_windows, *(mosaic.windows() for mosaic in made)]).astype(np.int32)
        self.scene_ids = np.concatenate([np.arange(len(made)), np.repeat(np.arange(len(made)), cells)]).astype(object)
        self.tile_ids = np.arange(len(self.vectors), dtype=np.int64)

    def ranked(self, text: str, plan: Any, weight: float) -> list[int]:
        """The scenes in the order of a search; ``weight`` 0 without relations."""
        from search.ranking import Geometry, RankQuery, StageSettings, candidates_rank, retrieval_vector
        from search.ranking.query import RankClause, RankRelation
        from search.ranking.relations import Compared, SceneTiles, relations_rank, scenes_to_read
        from search.ranking.stages import Stage, stage_defaults

        def clause(words: str) -> RankClause:
            return RankClause(words, self.archive.text(words))

        related = tuple(
            RankRelation(each.kind.value, clause(each.subject), tuple(map(clause, each.objects)))
            for each in plan.relations
        )
        query = RankQuery(self.archive.text(text), relations=related)
        settings, geometry = StageSettings(relations=Stage(on=True, weight=weight)), Geometry()
        if self.pipeline:
            image, words = (mean.astype(np.float32) for mean in self.archive.means)
            geometry = Geometry(text_mean=words, image_mean=image)
            settings = replace(stage_defaults("builtin"), relations=settings.relations)
        asked = retrieval_vector(query=query, geometry=geometry, settings=settings)
        nearest = np.argsort(-(self.vectors @ asked), kind="stable")[:1_000]
        candidates = SceneTiles(*(part[nearest] for part in self._parts()))
        found = candidates_rank(candidates=candidates, query=query, settings=settings, geometry=geometry, limit=1_000)
        if weight and related:
            compared = Compared.of(candidates=candidates, query=query, settings=settings, geometry=geometry)
            read = set(scenes_to_read(ranked=found, candidates=candidates, compared=compared))
            rows = [row for row, scene in enumerate(self.scene_ids) if scene in read and self.windows[row, 0] > 0]
            tiles = SceneTiles(*(part[rows] for part in self._parts()))
            found = relations_rank(ranked=found, candidates=candidates, tiles=tiles, compared=compared)
        return [int(scene) for scene in found.scene_ids]

    def _parts(self) -> tuple[Any, ...]:
        return self.tile_ids, self.scene_ids, self.windows, self.vectors


def _mosaic_vectors(archive: Any, made: Sequence[Any]) -> NDArray[np.float32]:
    """Encode the mosaics as whole pictures."""
    from PIL import Image

    vectors = []
    for mosaic in made:
        sheet = Image.new("RGB", (mosaic.side * mosaic.size, mosaic.side * mosaic.size))
        for (_, x, y, width, height), row in zip(mosaic.windows().tolist(), mosaic.rows, strict=True):
            with Image.open(archive.folder / archive.pictures[row].filename) as picture:
                sheet.paste(picture.convert("RGB").resize((width, height)), (x, y))
        vectors.append(archive.model.encode_images([sheet])[0])
    return np.stack(vectors)
