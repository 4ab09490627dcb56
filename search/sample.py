"""A sample of the archive's vectors, by which similarities of different kinds are brought to one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connection
from numpy.typing import NDArray

from imagery.models import Collection, Embedding, Encoder, Scene, Tile
from imagery.selectors_archive import archive_state
from search.candidates.wire import packed, packed_read
from search.kept import Kept

if TYPE_CHECKING:
    from imagery.querysets import Viewer

ROWS: Final = 256
"""The spread of similarities is known to 5 % then."""
FEWEST: Final = 50
_PAGES: Final = 120
"""Of the table of scenes: about a thousand of them."""
_AHEAD: Final = 2
_SEED: Final = 5
"""The same pages each time: asked again, a search finds the same."""
_kept: Kept[NDArray[np.float32] | None] = Kept(32)

_PART = """
SELECT least(1.0, %s::float * current_setting('block_size')::int / greatest(pg_relation_size(%s::regclass), 1))
"""
# One scene after the other: as a join, the planner would read the tiles of the whole archive.
_VECTORS = """
WITH scene AS MATERIALIZED (SELECT id FROM ({scenes}) AS found (id) ORDER BY id LIMIT {most})
SELECT tile.id AS tile_id, scene.id AS scene_id, tile.level, tile.x, tile.y, tile.width, tile.height,
    0::float8 AS distance, embedding.vector
FROM scene
CROSS JOIN LATERAL (SELECT * FROM {tile} WHERE scene_id = scene.id AND level = 0 OFFSET 0) AS tile
CROSS JOIN LATERAL (
    SELECT vector FROM {embedding} WHERE encoder_id = {encoder} AND tile_id = tile.id OFFSET 0
) AS embedding
LIMIT {rows}
"""


def archive_sample(*, encoder: Encoder, user: Viewer) -> NDArray[np.float32] | None:
    """Return up to 256 unit rows (m, d) of whole scenes that this person may find; None if fewer than 50 were met.

    Looked up once for all who see the same collections, and again when these have changed.
    """
    collections = Collection.objects.visible_to(user)
    state = archive_state(collections)
    key = (state.collections, encoder.pk)

    def compute() -> NDArray[np.float32] | None:
        return _sample(encoder, user)

    return _kept.get(key, state=(state.changes, state.encoder), compute=compute)


def forget() -> None:
    """Empty this process's memory of samples."""
    _kept.clear()


def _sample(encoder: Encoder, user: Viewer) -> NDArray[np.float32] | None:
    try:
        rows = Scene.objects.visible_to(user).findable().order_by().values("pk")
        sql, parameters = rows.query.sql_with_params()
    except EmptyResultSet:  # A disabled account sees nothing.
        return None
    scenes = connection.ops.compose_sql(sql, parameters)  # type: ignore[attr-defined]  # PostgreSQL's only.
    table = Scene._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(_PART, [_PAGES, table])
        part = float(cursor.fetchone()[0])
    if part < 1.0:
        name = connection.ops.quote_name(table)
        sampled = f"FROM {name} TABLESAMPLE SYSTEM ({100 * part:.6f}) REPEATABLE ({_SEED})"
        scenes = scenes.replace(f"FROM {name}", sampled, 1)
    statement = _VECTORS.format(
        scenes=scenes,
        tile=Tile._meta.db_table,
        embedding=Embedding._meta.db_table,
        encoder=int(encoder.pk),
        most=_AHEAD * ROWS,  # Some may not be encoded yet.
        rows=ROWS,
    )
    found, _extra = packed_read(packed(statement), dimension=encoder.dimension)
    return found.vectors if len(found) >= FEWEST else None
