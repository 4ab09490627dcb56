"""Whether an encoder's rows also get the vectors of a tile's quarters, and reading and writing those."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagery.encoders import registry
from imagery.encoders.base import ImageInput, ImageTextEncoder
from imagery.encoders.regions import cells_unpacked
from imagery.models import Embedding, Encoder
from imagery.services.encoder_files import encoder_spec
from rsportal.errors import RsportalError

STAGE = "regions"
"""The name of the ranking stage in ``Encoder.ranking`` that wants them."""


@dataclass(frozen=True)
class Encoded:
    """``vectors`` (n, d) float32 unit rows, and ``regions`` (n, 4, d) of the quarters where the encoder gives them."""

    vectors: NDArray[np.float32]
    regions: NDArray[np.float32] | None = None

    def take(self, rows: Sequence[int] | NDArray[np.bool_]) -> "Encoded":
        """Some of the rows."""
        chosen = np.asarray(rows, dtype=None if len(rows) else np.intp)
        return Encoded(self.vectors[chosen], None if self.regions is None else self.regions[chosen])


def inputs_encode(model: ImageTextEncoder, inputs: Sequence[ImageInput]) -> Encoded:
    """Encode pictures as the model's plan says: with their quarters in the same pass, or without."""
    if not model.plan.regions:
        return Encoded(model.encode_inputs(inputs))
    return Encoded(*model.encode_regions(inputs))


def encoder_wants_regions(encoder: Encoder) -> bool:
    """Return whether the row's stage "regions" is switched on and its model can give them."""
    stage = encoder.ranking.get(STAGE) if isinstance(encoder.ranking, dict) else None
    return isinstance(stage, dict) and stage.get("on") is True and encoder_gives_regions(encoder)


def encoder_gives_regions(encoder: Encoder) -> bool:
    """Return whether the row's model can give vectors of quarters; False when its files cannot be read."""
    try:
        return registry.gives_regions(encoder_spec(encoder))
    except RsportalError:
        return False


def regions_of(*, encoder: Encoder, tile_ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
    """Return the quarters (4, d) of those of the tiles that have them, by tile id; permission is the caller's."""
    rows = Embedding.objects.filter(encoder=encoder, tile__in=tile_ids, regions__isnull=False)
    found = [(tile, bytes(cells)) for tile, cells in rows.values_list("tile_id", "regions") if cells is not None]
    unpacked = cells_unpacked([cells for _tile, cells in found], encoder.dimension)
    return {tile: cells for (tile, _packed), cells in zip(found, unpacked, strict=True)}
