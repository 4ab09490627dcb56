"""From a query vector to candidate tiles: which route, and that none of them comes back short."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imagery.models import Encoder
from search.candidates.crowding import crowded
from search.candidates.exact import nearest_exact, nearest_exact_spread, scenes_count
from search.candidates.matching import asked
from search.candidates.session import OFF, Setting, settings_local
from search.candidates.shape import MAX_CANDIDATES, Candidates, Route
from search.candidates.wire import Rows
from search.query import SearchRequest

if TYPE_CHECKING:
    from imagery.querysets import Viewer


def candidates_find(
    *, vector: NDArray[np.float32], encoder: Encoder, request: SearchRequest, user: "Viewer", k: int = MAX_CANDIDATES
) -> Candidates:
    """Return the ``k`` (1 to 1,000) tiles nearest to ``vector`` (d,) among those this person may see and asked for.

    There are min(k, tiles that match) of them. When they would belong to fewer than k/4 scenes although more scenes
    match, no scene gives more than its four nearest tiles, and further ones only fill up what is left. Permission and
    filters are part of the SQL that measures the distances: nothing hidden is read, counted or crowds out others.
    """
    if not 1 <= k <= MAX_CANDIDATES:
        raise ValueError(f"k is {k}; it must be 1 to {MAX_CANDIDATES}")
    wanted = asked(vector=vector, encoder=encoder, request=request, user=user)
    if wanted is None:
        return _candidates(_none(encoder.dimension), searched=0, estimated=False, route=Route.EXACT)
    with settings_local({Setting.JIT: OFF}):
        rows = nearest_exact(wanted, k=k)
        if crowded(rows.scene_ids, k=k):
            rows = nearest_exact_spread(wanted, k=k)
        searched = scenes_count(wanted) if len(rows) == k else len(set(rows.scene_ids.tolist()))
    return _candidates(rows, searched=searched, estimated=False, route=Route.EXACT)


def _candidates(rows: Rows, *, searched: int, estimated: bool, route: Route) -> Candidates:
    return Candidates(
        tile_ids=rows.tile_ids,
        scene_ids=rows.scene_ids,
        windows=rows.windows,
        distances=rows.distances,
        vectors=rows.vectors,
        searched=searched,
        estimated=estimated,
        route=route.value,
    )


def _none(dimension: int) -> Rows:
    return Rows(
        tile_ids=np.empty(0, dtype=np.int64),
        scene_ids=np.empty(0, dtype=np.object_),
        windows=np.empty((0, 5), dtype=np.int32),
        distances=np.empty(0, dtype=np.float64),
        vectors=np.empty((0, dimension), dtype=np.float32),
    )
