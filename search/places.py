"""All windows of the best scenes, to see where things are in them: read within limits of number and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import Count
from psycopg.errors import QueryCanceled

from imagery.models import Encoder, Tile
from search.candidates import Candidates
from search.candidates.wire import packed, packed_read
from search.ranking.query import Geometry, RankQuery
from search.ranking.relations import Compared, SceneTiles, relations_rank, scenes_to_read
from search.ranking.scenes import RankedScenes
from search.ranking.stages import StageSettings

MOST_TILES: Final = 10_000
BUDGET_MS: Final = 250
_log = structlog.get_logger(__name__)

# Permission was checked when the scenes were found: their ids are candidates of this very request.
_TILES: Final = """
SELECT tile.id AS tile_id, scene_id, level, x, y, width, height, 0::float8 AS distance, vector
FROM imagery_tile AS tile JOIN imagery_embedding AS embedding ON embedding.tile_id = tile.id
WHERE embedding.encoder_id = {encoder} AND tile.level > 0 AND tile.scene_id IN ({scenes})
"""


@dataclass(frozen=True)
class PlacesLook:
    """The ranking by places. ``final`` is False when the tiles could not be read in time: the order is as it was."""

    ranked: RankedScenes
    final: bool = True


def places_look(
    *,
    ranked: RankedScenes,
    candidates: Candidates,
    query: RankQuery,
    encoder: Encoder,
    settings: StageSettings,
    geometry: Geometry,
    budget_ms: int = BUDGET_MS,
) -> PlacesLook:
    """Return the scenes ordered by the query's relations (``search.ranking.relations``).

    Reads the windows of at most 50 scenes and 10,000 tiles, for at most ``budget_ms``.
    """
    if not query.relations or not len(ranked.scene_ids):
        return PlacesLook(ranked)
    compared = Compared.of(candidates=candidates, query=query, settings=settings, geometry=geometry)
    wanted = scenes_to_read(ranked=ranked, candidates=candidates, compared=compared)
    try:
        tiles = scene_tiles_read(encoder=encoder, scene_ids=wanted, budget_ms=budget_ms)
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        _log.warning("places_not_read_in_time", scenes=len(wanted), budget_ms=budget_ms)
        return PlacesLook(ranked, final=False)
    return PlacesLook(relations_rank(ranked=ranked, candidates=candidates, tiles=tiles, compared=compared))


def scene_tiles_read(*, encoder: Encoder, scene_ids: Sequence[UUID], budget_ms: int) -> SceneTiles:
    """Return the windows of these scenes, best scenes first until 10,000 tiles. Raises OperationalError when late."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        (before,) = cursor.fetchone()
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(budget_ms))])
        chosen = _within(scene_ids)
        if chosen:
            literals = ", ".join(f"'{UUID(str(scene))}'::uuid" for scene in chosen)
            statement = packed(_TILES.format(encoder=int(encoder.pk), scenes=literals))
            rows, _extra = packed_read(statement, dimension=encoder.dimension)
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    if not chosen:
        nothing = np.zeros((0, encoder.dimension), dtype=np.float32)
        return SceneTiles(np.zeros(0, np.int64), np.zeros(0, object), np.zeros((0, 5), np.int32), nothing)
    return SceneTiles(tile_ids=rows.tile_ids, scene_ids=rows.scene_ids, windows=rows.windows, vectors=rows.vectors)


def _within(scene_ids: Sequence[UUID]) -> list[UUID]:
    """The scenes with windows, in their order, as long as they have no more than 10,000 together."""
    counted = Tile.objects.filter(scene_id__in=scene_ids, level__gt=0).values_list("scene_id").annotate(Count("pk"))
    counts = dict(counted.order_by())
    chosen, total = [], 0
    for scene in scene_ids:
        total += counts.get(scene, 0)
        if total > MOST_TILES:
            break
        if scene in counts:
            chosen.append(scene)
    return chosen
