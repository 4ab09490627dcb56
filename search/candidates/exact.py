"""The exact route: permission and filters first, then every row that is left is measured."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.candidates.crowding import TILES_OF_A_SCENE
from search.candidates.matching import Asked
from search.candidates.session import OFF, Setting, settings_local
from search.candidates.wire import Rows, packed, packed_read

# Measured once, then chosen and counted. Adding 0 keeps the planner off an index, whatever it believes of the rows.
# Vectors are fetched for what was chosen only: a sort that carries them moves 2 kB for every row.
_MEASURED: Final = """
WITH measured AS MATERIALIZED (
    SELECT tile_id, scene_id, (embedding.vector <=> {vector}) + 0 AS distance FROM {matching}
)
"""
_NEAREST: Final = "SELECT tile_id, distance FROM measured ORDER BY distance, tile_id LIMIT {k}"
_SPREAD: Final = f"""
SELECT tile_id, distance FROM (
    SELECT *, row_number() OVER (PARTITION BY scene_id ORDER BY distance, tile_id) AS place FROM measured
) AS placed
ORDER BY distance = 'NaN', place > {TILES_OF_A_SCENE}, distance, tile_id LIMIT {{k}}
"""
_COMPLETE: Final = """
SELECT tile_id, scene_id, level, x, y, width, height, distance, vector
FROM ({chosen}) AS chosen
JOIN imagery_embedding AS embedding USING (tile_id)
JOIN imagery_tile AS tile ON tile.id = tile_id
WHERE embedding.encoder_id = {encoder}
"""
_SETTINGS: Final = {Setting.JIT: OFF}  # Compiling takes longer than measuring.
# Where the planner takes a rare value for a frequent one, it reads every tile into a hash table to find a hundred.
_SETTINGS_FEW: Final = {**_SETTINGS, Setting.HASH_JOIN: OFF, Setting.MERGE_JOIN: OFF}
_SCENES: Final = "(SELECT count(DISTINCT scene_id) FROM measured WHERE distance <> 'NaN')"


@dataclass(frozen=True)
class Measured:
    """The nearest rows, and the exact number of scenes that were compared."""

    rows: Rows
    scenes: int


def nearest_exact(asked: Asked, *, k: int, few: bool = False) -> Measured:
    """Return the ``k`` nearest tiles that match, or all of them. ``few``: a small part of all rows match."""
    return _read(asked, _NEAREST, k, few)


def nearest_exact_spread(asked: Asked, *, k: int, few: bool = False) -> Measured:
    """Return the ``k`` nearest among the four nearest tiles of each scene, filled up with further tiles if short."""
    return _read(asked, _SPREAD, k, few)


def rows_of_tiles(asked: Asked, tile_ids: NDArray[np.int64]) -> Rows:
    """Return the rows of these tiles, whose permission and filters have been checked, nearest first."""
    ids = ",".join(map(str, tile_ids.tolist()))
    chosen = f"SELECT tile_id, (vector <=> {asked.vector}) AS distance FROM imagery_embedding WHERE encoder_id = "
    chosen += f"{asked.encoder_id} AND tile_id = ANY ('{{{ids}}}'::bigint[])"
    rows = _COMPLETE.replace("{chosen}", chosen).replace("{encoder}", str(asked.encoder_id))
    with settings_local(_SETTINGS_FEW):
        return packed_read(packed(rows), dimension=asked.dimension)[0]


def _read(asked: Asked, chosen: str, k: int, few: bool) -> Measured:
    rows = _COMPLETE.format(chosen=chosen.format(k=int(k)), encoder=asked.encoder_id)
    measured = _MEASURED.format(vector=asked.vector, matching=asked.matching)
    with settings_local(_SETTINGS_FEW if few else _SETTINGS):
        found, scenes = packed_read(measured + packed(rows, extra=_SCENES), dimension=asked.dimension)
    return Measured(rows=found, scenes=int(str(scenes)))
