"""Regions that a walk through a large graph missed: a sample of all vectors tells of them, and the walk goes there.

Where what is near a query lies in several clusters, a graph of a million vectors may not lead from one to another,
however many nodes are kept in view. Comparing some thousand vectors, always the same ones, costs milliseconds; one that
is near, matches and was not found is where to look again.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from imagery.services.partitions import partition_name
from imagery.services.vector_index import VectorIndex
from search.candidates.estimate import Estimate
from search.candidates.indexed import nearest_indexed
from search.candidates.matching import Asked
from search.candidates.session import OFF, Setting, settings_local
from search.candidates.wire import Rows

FROM_ROWS: Final = 300_000
"""So many vectors an archive has before its graph is checked; smaller ones hold together (docs/decisions)."""
_SAMPLED_ROWS: Final = 4_000
_SEED: Final = 4
"""The same pages each time: they stay in memory, and a question asked again finds the same."""
_LOOKED_UP: Final = 24
_SAMPLE: Final = """
WITH sampled AS MATERIALIZED (
    SELECT tile_id, vector, vector <=> {vector} AS distance
    FROM {partition} TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE ({seed})
    ORDER BY distance LIMIT {most}
)
SELECT sampled.tile_id, distance, sampled.vector::text
FROM sampled JOIN imagery_tile AS tile ON tile.id = sampled.tile_id
WHERE {tiles} AND tile.scene_id IN ({scenes}) ORDER BY distance
"""


@dataclass(frozen=True)
class _Sampled:
    tile_id: int
    distance: float
    literal: str


def missed_added(
    asked: Asked, index: VectorIndex, found: Rows, *, vector: NDArray[np.float32], k: int, estimate: Estimate
) -> Rows:
    """Return the ``k`` nearest of ``found`` and of what lies around a sampled vector that should be among them.

    ``vector`` (d,) is what was asked. ``found`` is returned as it is when the sample tells of nothing missed.
    """
    near = [row for row in _sampled(asked, estimate) if row.distance < found.distances[-1]] if len(found) else []
    known = set(found.tile_ids.tolist())
    missed = next((row for row in near if row.tile_id not in known), None)
    if missed is None:
        return found
    there = replace(asked, vector=f"'{missed.literal}'::halfvec")
    others = nearest_indexed(there, index, k=k, share=estimate.share, rows=estimate.rows)
    new = ~np.isin(others.tile_ids, found.tile_ids)
    return _joined(found, others, new, vector=vector, k=k)


def _sampled(asked: Asked, estimate: Estimate) -> list[_Sampled]:
    statement = _SAMPLE.format(
        vector=asked.vector,
        partition=connection.ops.quote_name(partition_name(asked.encoder_id)),
        percent=min(100.0, 100.0 * _SAMPLED_ROWS / max(estimate.rows, 1.0)),
        seed=_SEED,
        most=_LOOKED_UP,
        tiles=asked.tiles,
        scenes=asked.scenes,
    )
    with settings_local({Setting.JIT: OFF}), connection.cursor() as cursor:
        cursor.execute(statement, None)
        return [_Sampled(*row) for row in cursor.fetchall()]


def _joined(found: Rows, others: Rows, new: NDArray[np.bool_], *, vector: NDArray[np.float32], k: int) -> Rows:
    """Both without repetition, nearest to ``vector`` first; the others were measured from elsewhere."""
    rows = others.vectors[new].astype(np.float64)
    asked = vector.astype(np.float16).astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(asked)
    distances = np.concatenate([found.distances, 1.0 - rows @ asked / np.where(lengths > 0, lengths, np.inf)])
    tile_ids = np.concatenate([found.tile_ids, others.tile_ids[new]])
    order = np.lexsort((tile_ids, distances))[:k]
    return Rows(
        tile_ids=tile_ids[order],
        scene_ids=np.concatenate([found.scene_ids, others.scene_ids[new]])[order],
        windows=np.concatenate([found.windows, others.windows[new]])[order],
        distances=distances[order],
        vectors=np.concatenate([found.vectors, others.vectors[new]])[order],
    )
