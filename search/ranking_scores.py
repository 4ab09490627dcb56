"""How well the portal's ranking stages find the classes of labelled embeddings: the very code that searches run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.evaluation.metrics import average_precision, ndcg
from imagery.models import Encoder
from search.embeddings_file import LabelledEmbeddings
from search.ranking import (
    Evidence,
    Geometry,
    RankQuery,
    StageSettings,
    candidates_rank,
    retrieval_vector,
    stage_defaults,
)
from search.ranking.query import Vector
from search.ranking.stages import Stage

CANDIDATES: Final = 1_000
"""As many as a search ranks; images beyond them keep the order in which they were retrieved."""
_CUT: Final = 10


@dataclass(frozen=True)
class Scores:
    """Means over the classes, in percent: mean average precision and nDCG of the first ten."""

    map: float
    ndcg10: float

    def as_json(self) -> dict[str, float]:
        """Rounded to two digits."""
        return {"map": round(self.map, 2), "ndcg10": round(self.ndcg10, 2)}


@dataclass(frozen=True)
class _Rows:
    """Images as the candidates of a search: each is a scene of one tile."""

    tile_ids: NDArray[np.int64]
    vectors: Vector

    @property
    def scene_ids(self) -> NDArray[np.object_]:
        return self.tile_ids.astype(object)

    @property
    def windows(self) -> NDArray[np.int32]:
        return np.zeros((len(self.tile_ids), 5), dtype=np.int32)


def configurations() -> dict[str, StageSettings]:
    """Return the settings that are measured: no stage, normalisation alone, and diffusion on top.

    Weights are the defaults of checkpoints (``transformers``).
    """
    default = stage_defaults(Encoder.Kind.TRANSFORMERS)
    normalise, diffuse = replace(default.normalise, on=True), replace(default.diffuse, on=True)
    raw = replace(default, normalise=Stage(on=False), diffuse=Stage(on=False))
    return {
        "raw": raw,
        "normalised": replace(raw, normalise=normalise),
        "diffused": replace(raw, normalise=normalise, diffuse=diffuse),
    }


def embeddings_score(found: LabelledEmbeddings, *, candidates: int = CANDIDATES) -> dict[str, Scores]:
    """Return the scores of each configuration, one query a class that has images.

    The text mean of a query is that of the other classes' queries, so that no query takes part in its own correction;
    the image mean is that of all images.
    """
    image_mean = found.images.mean(axis=0)
    total = found.queries.sum(axis=0)
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in configurations()}
    for number in np.unique(found.labels):
        query = RankQuery(vector=found.queries[number])
        others = (total - found.queries[number]) / (len(found.queries) - 1)
        geometry = Geometry(text_mean=others, image_mean=image_mean)
        relevant = found.labels == number
        for name, settings in configurations().items():
            order = images_order(
                images=found.images, query=query, geometry=geometry, settings=settings, candidates=candidates
            )
            flags = relevant[order]
            rows[name].append((average_precision(flags) or 0.0, ndcg(flags, cut=_CUT) or 0.0))
    return {name: Scores(*(100 * np.mean(values, axis=0)).tolist()) for name, values in rows.items()}


def images_order(
    *,
    images: Vector,
    query: RankQuery,
    geometry: Geometry,
    settings: StageSettings,
    candidates: int = CANDIDATES,
    evidence: Evidence | None = None,
) -> NDArray[np.int64]:
    """Retrieve and rank all ``images`` (n, d), unit rows, as a search does; return their numbers (n,), best first.

    In ``evidence`` a scene is the number of an image.
    """
    asked = retrieval_vector(query=query, geometry=geometry, settings=settings)
    nearest = np.argsort(-(images @ asked), kind="stable")
    head, tail = nearest[:candidates], nearest[candidates:]
    ranked = candidates_rank(
        candidates=_Rows(tile_ids=head.astype(np.int64), vectors=images[head]),
        query=query,
        settings=settings,
        geometry=geometry,
        limit=len(head),
        evidence=evidence,
    )
    return np.concatenate([ranked.tile_ids, tail])


def scores_json(found: Sequence[tuple[str, dict[str, Scores]]]) -> dict[str, Any]:
    """Return one file's scores as they are; of several files each one's under ``files``, and their ``mean``."""
    if len(found) == 1:
        return {name: scores.as_json() for name, scores in found[0][1].items()}
    files = {path: {name: scores.as_json() for name, scores in rows.items()} for path, rows in found}
    return {"files": files, "mean": {name: scores.as_json() for name, scores in scores_mean(found).items()}}


def scores_mean(found: Sequence[tuple[str, dict[str, Scores]]]) -> dict[str, Scores]:
    """Return the mean over files of each configuration's scores."""
    names = list(found[0][1])
    return {
        name: Scores(
            map=float(np.mean([rows[name].map for _path, rows in found])),
            ndcg10=float(np.mean([rows[name].ndcg10 for _path, rows in found])),
        )
        for name in names
    }
