"""The exact route: permission and filters first, then every row that is left is measured."""

from typing import Final

from search.candidates.crowding import TILES_OF_A_SCENE
from search.candidates.matching import Asked
from search.candidates.wire import COLUMNS, Rows, packed, packed_read

# Adding 0 keeps the planner off the index, whatever it believes of the rows.
_DISTANCE: Final = "(embedding.vector <=> {vector}) + 0"
_MATCHING: Final = """
    imagery_embedding AS embedding
    JOIN imagery_tile AS tile ON tile.id = embedding.tile_id
    WHERE embedding.encoder_id = {encoder} AND tile.scene_id IN ({scenes})
"""
_NEAREST: Final = f"""
SELECT tile_id, scene_id, level, x, y, width, height, {_DISTANCE} AS distance, vector
FROM {_MATCHING}
ORDER BY distance, tile_id LIMIT {{k}}
"""
_SPREAD: Final = f"""
SELECT {COLUMNS} FROM (
    SELECT tile_id, distance FROM (
        SELECT tile_id, distance, row_number() OVER (PARTITION BY scene_id ORDER BY distance, tile_id) AS place
        FROM (SELECT tile_id, scene_id, {_DISTANCE} AS distance FROM {_MATCHING}) AS measured
    ) AS placed
    ORDER BY distance = 'NaN', place > {TILES_OF_A_SCENE}, distance, tile_id LIMIT {{k}}
) AS chosen
JOIN imagery_embedding AS embedding USING (tile_id)
JOIN imagery_tile AS tile ON tile.id = tile_id
WHERE embedding.encoder_id = {{encoder}}
"""
_SCENES: Final = f"SELECT count(DISTINCT tile.scene_id) FROM {_MATCHING}"


def nearest_exact(asked: Asked, *, k: int) -> Rows:
    """Return the ``k`` nearest tiles that match, or all of them; the sort keeps no more than ``k`` rows."""
    return _read(asked, packed(_NEAREST), k)


def nearest_exact_spread(asked: Asked, *, k: int) -> Rows:
    """Return the ``k`` nearest among the nearest four tiles of each scene, filled up with further tiles if short."""
    return _read(asked, packed(_SPREAD), k)


def scenes_count(asked: Asked) -> int:
    """Return the number of scenes that match and have vectors."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_SCENES.format(encoder=asked.encoder_id, scenes=asked.scenes), None)
        return int(cursor.fetchone()[0])


def _read(asked: Asked, statement: str, k: int) -> Rows:
    text = statement.format(encoder=asked.encoder_id, scenes=asked.scenes, vector=asked.vector, k=int(k))
    rows, _nothing = packed_read(text, dimension=asked.dimension)
    return rows
