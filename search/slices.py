"""Parts of a stored ranking: which ranks may be shown, and what stands at some of them, without reading the rest."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection

from imagery.models import Scene
from search.models import Ranking

if TYPE_CHECKING:
    from imagery.querysets import Viewer

# Nearly always nothing comes back: what is counted is what may *not* be shown any more. OFFSET 0 keeps this a look at
# each of the thousand scenes (3 ms): as a join, the planner would read all that is visible (35 ms of 100,000 scenes).
_HIDDEN = """
SELECT ranked.rank FROM search_ranking, unnest(scene_ids) WITH ORDINALITY AS ranked (scene_id, rank)
WHERE search_ranking.id = %s AND NOT EXISTS (
    SELECT 1 FROM ({visible}) AS visible (id) WHERE visible.id = ranked.scene_id OFFSET 0)
"""
_PART = """
SELECT scene_ids[%(first)s:%(last)s], tile_ids[%(first)s:%(last)s],
    jsonb_path_query_array(reasons, '$[$first to $last]', %(places)s)
FROM search_ranking WHERE id = %(id)s
"""


_PLACES = """
SELECT ranked.scene, ranked.rank FROM search_ranking, unnest(scene_ids) WITH ORDINALITY AS ranked (scene, rank)
WHERE search_ranking.id = %s AND ranked.scene = ANY(%s)
"""


@dataclass(frozen=True)
class Ranked:
    """What stands at a rank: the scene, its tile that won, and what the stages said of it."""

    scene_id: UUID
    tile_id: int
    reason: dict[str, Any]


def ranks_hidden(user: "Viewer", ranking: Ranking) -> set[int]:
    """Return the ranks (1 is the best) whose scenes this person may not be shown now: hidden, deleted, embargoed."""
    rows = Scene.objects.visible_to(user).findable().order_by().values("pk")
    try:
        visible, parameters = rows.query.sql_with_params()
    except EmptyResultSet:  # A disabled account sees nothing.
        return set(range(1, len(ranking.scores) + 1))
    with connection.cursor() as cursor:
        cursor.execute(_HIDDEN.format(visible=visible), [ranking.pk, *parameters])
        return {rank for (rank,) in cursor.fetchall()}


def ranked_at(ranking: Ranking, ranks: Sequence[int]) -> dict[int, Ranked]:
    """Return what stands at these ranks."""
    if not ranks:
        return {}
    first, last = min(ranks), max(ranks)
    if not {"scene_ids", "tile_ids", "reasons"} & ranking.get_deferred_fields():
        part = (
            ranking.scene_ids[first - 1 : last],
            ranking.tile_ids[first - 1 : last],
            ranking.reasons[first - 1 : last],
        )
    else:
        with connection.cursor() as cursor:
            places = f'{{"first": {first - 1}, "last": {last - 1}}}'
            cursor.execute(_PART, {"first": first, "last": last, "places": places, "id": ranking.pk})
            row = cursor.fetchone()
        part = (*row[:2], json.loads(row[2])) if row is not None else ((), (), ())  # Erased meanwhile.
    scene_ids, tile_ids, reasons = part
    return {
        rank: Ranked(scene_ids[rank - first], tile_ids[rank - first], reasons[rank - first] if reasons else {})
        for rank in ranks
        if rank - first < len(scene_ids)
    }


def ranks_of(ranking: Ranking, scene_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return the rank (1 is the best) of those of these scenes that a stored ranking has."""
    with connection.cursor() as cursor:
        cursor.execute(_PLACES, [ranking.pk, list(scene_ids)])
        return dict(cursor.fetchall())
