"""Reading the quarters of the best candidates for the stage "regions"."""

import numpy as np

from imagery.models import Encoder
from imagery.services.regions import regions_of
from search.candidates import Candidates
from search.ranking.regions import TileRegions


def candidate_regions(*, candidates: Candidates, encoder: Encoder, most: int) -> TileRegions | None:
    """Return the quarters of those of the ``most`` nearest candidates that have them; None if none has.

    One statement. Permission was checked when the candidates were found.
    """
    tiles = candidates.tile_ids[:most].tolist()
    found = regions_of(encoder=encoder, tile_ids=tiles) if tiles else {}
    rows = [row for row, tile in enumerate(tiles) if tile in found]
    if not rows:
        return None
    return TileRegions(np.array(rows, dtype=np.intp), np.stack([found[tiles[row]] for row in rows]))
