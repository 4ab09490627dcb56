"""A sample of the archive's vectors, by which similarities of different kinds are brought to one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connection
from numpy.typing import NDArray

from imagery.models import Collection, Embedding, Encoder, Scene, Tile
from imagery.selectors_archive import archive_state
from search.kept import Kept

if TYPE_CHECKING:
    from imagery.querysets import Viewer

ROWS: Final = 256
"""The spread of similarities is known to 5 % then."""
FEWEST: Final = 50
_PAGES: Final = 120
"""Of the table of scenes: about a thousand of them."""
_SEED: Final = 5
"""The same pages each time: asked again, a search finds the same."""
_PATIENCE_SECONDS: Final = 600.0
_kept: Kept[NDArray[np.float32] | None] = Kept(32)

_PART = """
SELECT least(1.0, %s::float * current_setting('block_size')::int / greatest(pg_relation_size(%s::regclass), 1))
"""
_VECTORS = """
SELECT embedding.vector::text FROM ({scenes}) AS scene (id)
JOIN {tile} AS tile ON tile.scene_id = scene.id AND tile.level = 0
JOIN {embedding} AS embedding ON embedding.tile_id = tile.id AND embedding.encoder_id = %s
ORDER BY scene.id LIMIT %s
"""


def archive_sample(*, encoder: Encoder, user: Viewer) -> NDArray[np.float32] | None:
    """Return up to 256 unit rows (m, d) of whole scenes that this person may find; None if fewer than 50 were met.

    Looked up once for all who see the same collections, again when these have changed and ten minutes are over.
    """
    collections = Collection.objects.visible_to(user)
    state = archive_state(collections)
    key = (state.collections, encoder.pk)

    def compute() -> NDArray[np.float32] | None:
        return _sample(encoder, user)

    return _kept.get(key, state=(state.changes, state.encoder), compute=compute, patience=_PATIENCE_SECONDS)


def forget() -> None:
    """Empty this process's memory of samples."""
    _kept.clear()


def _sample(encoder: Encoder, user: Viewer) -> NDArray[np.float32] | None:
    # Ids are random, so the first of them are a random sample.
    try:
        rows = Scene.objects.visible_to(user).findable().order_by().values("pk")
        scenes, parameters = rows.query.sql_with_params()
    except EmptyResultSet:  # A disabled account sees nothing.
        return None
    table = Scene._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(_PART, [_PAGES, table])
        part = float(cursor.fetchone()[0])
        if part < 1.0:
            name = connection.ops.quote_name(table)
            sampled = f"FROM {name} TABLESAMPLE SYSTEM ({100 * part:.6f}) REPEATABLE ({_SEED})"
            scenes = scenes.replace(f"FROM {name}", sampled, 1)
        statement = _VECTORS.format(scenes=scenes, tile=Tile._meta.db_table, embedding=Embedding._meta.db_table)
        cursor.execute(statement, [*parameters, encoder.pk, ROWS])
        found = [row[0] for row in cursor.fetchall()]
    if len(found) < FEWEST:
        return None
    numbers = [np.array(text.strip("[]").split(","), dtype=np.float32) for text in found]
    return np.stack(numbers)
