"""The index route: the graph is walked outwards from the query, and rows that do not match are passed over.

pgvector's iterative scan goes on until enough rows match. It hands them out in nearly the right order
(``relaxed_order``); :mod:`search.candidates.wire` puts them into the exact one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagery.models import Encoder
from imagery.services.vector_index import VectorIndex, order_by
from search.candidates.crowding import scenes_of, scenes_wanted, spread
from search.candidates.estimate import Estimate, rows_compared_at_most
from search.candidates.exact import nearest_exact, rows_of_tiles
from search.candidates.matching import WHOLE_TILES, Asked
from search.candidates.session import OFF, IterativeScan, Setting, settings_local
from search.candidates.wire import Rows, packed, packed_read

EF_SEARCH: Final = 700
"""How many nodes a step of the scan keeps in view (docs/decisions has the recall it gives)."""
EF_SEARCH_LARGE: Final = 1_000
"""The same from ``_LARGE`` vectors up; pgvector takes no more."""
_LARGE: Final = 300_000
_BINARY_OVERSAMPLING: Final = 16
"""Rows taken by the distance of their signs for each one that is kept by its true distance."""
_WIDE: Final = 8
"""When one scene crowds, look at so many times the rows before whole scenes are asked for."""
_LEAST_SCANNED: Final = 20_000
_MOST_SCANNED: Final = 10_000_000
_PATIENCE: Final = 4.0
"""The scan looks at so many times the rows that should be enough, before all are compared instead."""

_COLUMNS: Final = "tile_id, scene_id, level, x, y, width, height"
# Ordered by the very column, so that the literal of 10 kB is read, and the distance computed, once.
_NEAREST: Final = f"SELECT {_COLUMNS}, {{order}} AS distance, vector FROM {{matching}} ORDER BY distance LIMIT {{k}}"
_BINARY: Final = f"""
SELECT {_COLUMNS}, vector <=> {{vector}} AS distance, vector FROM (
    SELECT {_COLUMNS}, vector FROM {{matching}} ORDER BY {{order}} LIMIT {{many}}
) AS near ORDER BY distance LIMIT {{k}}
"""


def nearest_indexed(
    asked: Asked, index: VectorIndex, *, k: int, share: float, rows: float, vectors: bool = True
) -> Rows:
    """Return about the ``k`` nearest tiles that match, or fewer if the scan ended before.

    ``share`` is the estimated part of the ``rows`` of all vectors that match, above 0 to 1: it bounds how long the scan
    looks.
    """
    binary = index.kind == Encoder.Index.BINARY
    many = k * _BINARY_OVERSAMPLING if binary else k
    statement = (_BINARY if binary else _NEAREST).format(
        vector=asked.vector,
        matching=asked.matching,
        order=order_by(index.kind, asked.dimension, vector="embedding.vector", asked=asked.vector),
        k=int(k),
        many=many,
    )
    with settings_local(_scan_settings(many=many, share=share, rows=rows)):
        return packed_read(packed(statement, vectors=vectors), dimension=asked.dimension)[0]


def nearest_indexed_spread(asked: Asked, index: VectorIndex, *, k: int, estimate: Estimate) -> Rows:
    """Return about ``k`` near tiles that do not crowd: four of each scene among the nearest 8k, then whole scenes.

    Whole scenes are asked for when even 8k tiles belong to too few scenes.
    """
    wide = nearest_indexed(asked, index, k=_WIDE * k, share=estimate.share, rows=estimate.rows, vectors=False)
    missing = max(0, scenes_wanted(k) - scenes_of(wide.scene_ids))
    wholes = _other_wholes(asked, index, wide, k=missing, estimate=estimate) if missing else np.empty(0, dtype=np.int64)
    tiles = wide.tile_ids[spread(wide.scene_ids, k=k - len(wholes))]
    return rows_of_tiles(asked, np.concatenate([tiles, wholes]))


def _other_wholes(asked: Asked, index: VectorIndex, wide: Rows, *, k: int, estimate: Estimate) -> NDArray[np.int64]:
    """Return the ``k`` nearest whole scenes that are not in ``wide``."""
    found = "', '".join({str(scene) for scene in wide.scene_ids.tolist()})
    others = replace(asked, tiles=f"{WHOLE_TILES} AND tile.scene_id <> ALL (ARRAY['{found}']::uuid[])")
    if estimate.scenes > rows_compared_at_most(rows=estimate.rows, k=k):
        whole = nearest_indexed(others, index, k=k, share=estimate.whole_share, rows=estimate.rows, vectors=False)
        if len(whole) == k:
            return whole.tile_ids
    return nearest_exact(others, k=k).rows.tile_ids


def _scan_settings(*, many: int, share: float, rows: float) -> Mapping[Setting, str | int]:
    """Nothing but the index may give the order, and joins must keep it: so the planner is left no other way."""
    return {
        Setting.EF_SEARCH: EF_SEARCH if rows < _LARGE else EF_SEARCH_LARGE,
        Setting.ITERATIVE_SCAN: IterativeScan.RELAXED_ORDER,
        Setting.MAX_SCAN_TUPLES: int(min(max(_LEAST_SCANNED, _PATIENCE * many / share), _MOST_SCANNED)),
        Setting.JIT: OFF,
        Setting.SORT: OFF,
        Setting.HASH_JOIN: OFF,
        Setting.MERGE_JOIN: OFF,
        Setting.SEQUENTIAL_SCAN: OFF,
        Setting.BITMAP_SCAN: OFF,
    }
