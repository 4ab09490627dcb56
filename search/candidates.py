"""Candidates: the tiles nearest to a query vector among those a person may see."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, F, Q
from django.db.models.expressions import ExpressionWrapper
from numpy.typing import NDArray
from pgvector.django import CosineDistance

from imagery.models import Embedding, Encoder
from search.query import SearchRequest
from search.ranking.scenes import WINDOW_WEIGHT

if TYPE_CHECKING:
    from imagery.querysets import Viewer

MAX_CANDIDATE_SCENES: Final = 1_000


@dataclass(frozen=True)
class Candidates:
    """Tiles as parallel arrays of length n, at most two a scene: the whole scene and its best window.

    ``tile_ids`` int64, ``scene_ids`` object (UUID), ``whole`` bool (the tile is the whole scene), ``distances``
    float64 (cosine distance, 0 same direction to 2 opposite); ``searched`` is the exact number of scenes that
    were compared with the query.
    """

    tile_ids: NDArray[np.int64]
    scene_ids: NDArray[np.object_]
    whole: NDArray[np.bool_]
    distances: NDArray[np.float64]
    searched: int


def candidates_find(
    *, vector: NDArray[np.float32], encoder: Encoder, request: SearchRequest, user: "Viewer", k: int
) -> Candidates:
    """Return the tiles of the ``k`` best scenes (k <= 1,000) for a query ``vector`` of shape (dimension,).

    Never fewer than min(k, searched) scenes. Permission and filters are part of the one SQL statement that
    measures the distances, so that nothing hidden is read, counted or crowds out a visible scene.
    """
    if not 1 <= k <= MAX_CANDIDATE_SCENES:
        raise ValueError(f"k is {k}; it must be 1 to {MAX_CANDIDATE_SCENES}")
    # One route so far. An approximate route (HNSW) for large row counts belongs here, chosen by an estimate of
    # the rows that pass the filters; it must return the same arrays and bring its own count of scenes.
    return _exact(vector=vector, encoder=encoder, request=request, user=user, k=k)


def _exact(
    *, vector: NDArray[np.float32], encoder: Encoder, request: SearchRequest, user: "Viewer", k: int
) -> Candidates:
    """Filter first, then measure every row that is left: complete and exact, linear in the rows."""
    nearest = (
        Embedding.objects.filter(encoder=encoder, tile__scene__in=request.scenes(user).order_by().values("pk"))
        .annotate(
            whole=ExpressionWrapper(Q(tile__level=0), output_field=BooleanField()),
            distance=CosineDistance("vector", vector.tolist()),
        )
        .order_by("tile__scene_id", "whole", "distance", "tile_id")
        .distinct("tile__scene_id", "whole")
        .values_list(F("tile_id"), F("tile__scene_id"), "whole", "distance")
    )
    try:
        inner, parameters = nearest.query.sql_with_params()
    except EmptyResultSet:  # Django knows without asking that nobody's rows match (a disabled account).
        return _candidates([])
    with connection.cursor() as cursor:
        # Ordered by the score a scene can get from the row, so that the first 2k rows hold the k best scenes.
        # A vector of zeros (a broken encoder) has no direction: NaN, which PostgreSQL would put first.
        cursor.execute(
            f"""
            WITH best (tile_id, scene_id, whole, distance) AS MATERIALIZED ({inner})
            SELECT tile_id, scene_id, whole, distance, (SELECT count(DISTINCT scene_id) FROM best)
            FROM best
            WHERE distance <> 'NaN'
            ORDER BY (1 - distance) * CASE WHEN whole THEN 1.0 ELSE %s END DESC, tile_id
            LIMIT %s
            """,
            [*parameters, WINDOW_WEIGHT, 2 * k],
        )
        return _candidates(cursor.fetchall())


def _candidates(rows: list[tuple[int, UUID, bool, float, int]]) -> Candidates:
    tile_ids, scene_ids, whole, distances, counts = zip(*rows, strict=True) if rows else ((), (), (), (), (0,))
    return Candidates(
        tile_ids=np.array(tile_ids, dtype=np.int64),
        scene_ids=np.array(scene_ids, dtype=np.object_),
        whole=np.array(whole, dtype=np.bool_),
        distances=np.array(distances, dtype=np.float64),
        searched=counts[0],
    )
