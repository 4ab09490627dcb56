"""From a query vector to candidate tiles: which route, and that none of them comes back short."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imagery.models import Encoder
from imagery.services.vector_index import vector_index_ready
from search.candidates import missed
from search.candidates.crowding import crowded
from search.candidates.estimate import rows_compared_at_most, rows_estimate
from search.candidates.exact import nearest_exact, nearest_exact_spread
from search.candidates.indexed import nearest_indexed, nearest_indexed_spread
from search.candidates.matching import asked
from search.candidates.shape import MAX_CANDIDATES, Candidates, Route
from search.candidates.wire import Rows, rows_none
from search.query import SearchRequest

if TYPE_CHECKING:
    from imagery.querysets import Viewer


def candidates_find(
    *,
    vector: NDArray[np.float32],
    encoder: Encoder,
    request: SearchRequest,
    user: "Viewer",
    k: int = MAX_CANDIDATES,
    route: Route | None = None,
) -> Candidates:
    """Return the ``k`` (1 to 1,000) tiles nearest to ``vector`` (d,) among those this person may see and asked for.

    There are min(k, tiles that match) of them. When they would belong to fewer than k/4 scenes although more scenes
    match, no scene gives more than its four nearest tiles, and further ones only fill up what is left. Permission and
    filters are part of the SQL that measures the distances: nothing hidden is read, counted or crowds out others.

    Few matching rows are all compared, which is exact; many are found through the encoder's index. ``route`` forces
    one of the two; an index that is not there, or comes back short, is replaced by the exact route all the same.
    """
    if not 1 <= k <= MAX_CANDIDATES:
        raise ValueError(f"k is {k}; it must be 1 to {MAX_CANDIDATES}")
    wanted = asked(vector=vector, encoder=encoder, request=request, user=user)
    if wanted is None:
        return _candidates(rows_none(encoder.dimension), searched=0, estimated=False, route=Route.EXACT)
    index = vector_index_ready(encoder.pk) if route != Route.EXACT else None
    few = False
    if index is not None:
        estimate = rows_estimate(wanted)
        few = estimate.few
        if route == Route.INDEX or estimate.tiles > rows_compared_at_most(rows=estimate.rows, k=k):
            rows = nearest_indexed(wanted, index, k=k, share=estimate.share, rows=estimate.rows)
            if estimate.rows >= missed.FROM_ROWS:
                rows = missed.missed_added(wanted, index, rows, vector=vector, k=k, estimate=estimate)
            if crowded(rows.scene_ids, k=k):
                rows = nearest_indexed_spread(wanted, index, k=k, estimate=estimate)
            if len(rows) == k:
                searched = round(estimate.scenes)
                return _candidates(rows, searched=searched, estimated=estimate.sampled, route=Route.INDEX)
    found = nearest_exact(wanted, k=k, few=few)
    if crowded(found.rows.scene_ids, k=k):
        found = nearest_exact_spread(wanted, k=k, few=few)
    return _candidates(found.rows, searched=found.scenes, estimated=False, route=Route.EXACT)


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
