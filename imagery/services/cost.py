"""What encoding scenes costs before it is done: time by the encoder's measured rate, space of vectors and pictures."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Final

from django.db.models import Avg, F, FloatField
from django.db.models.functions import Cast

from imagery.encoders import errors
from imagery.models import Asset, Encoder
from imagery.readers import Size, fit_within
from imagery.services.encoder_files import encoder_spec
from imagery.services.regions import encoder_wants_regions
from imagery.services.runtime import encoder_runtime_plan
from imagery.thumbnails import OVERVIEW_SIDE_PIXELS, THUMBNAIL_SIDE_PIXELS
from rsportal.errors import RsportalError

_BYTES_PER_NUMBER: Final = 2
"""Of a vector (halfvec)."""
_REGIONS: Final = 4
"""Quarters of a tile, a byte a number."""
_ROW_BYTES: Final = 320
"""What a tile takes in tables and their own indexes besides its vector (measured with 10,000 tiles: 316)."""
_PICTURE_BYTES_PER_PIXEL: Final = 0.25
"""Of overviews and thumbnails (WebP) as long as the portal has none to learn from."""
_LEARN_FROM: Final = 200
_TRIED: Final = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncoderCost:
    """What a tile costs with an encoder: pictures a second on this machine (None: unknown), bytes it is stored in."""

    name: str
    per_second: float | None
    bytes_per_tile: int

    def seconds(self, tiles: int) -> int | None:
        """Return how long encoding ``tiles`` takes, or None."""
        return round(tiles / self.per_second) if self.per_second else None


def encoder_cost(encoder: Encoder) -> EncoderCost:
    """Return the cost of a tile: the rate measured when what runs the encoder was chosen, else measured now.

    Writes nothing.
    """
    numbers = _BYTES_PER_NUMBER + (_REGIONS if encoder_wants_regions(encoder) else 0)
    measured = (encoder.runtime.get("image") or {}).get("per_second")
    rate = float(measured) if measured else _rate_now(encoder)
    return EncoderCost(encoder.name, rate, encoder.dimension * numbers + _ROW_BYTES)


def pictures_bytes(sizes: list[Size]) -> int:
    """Return what the overviews and thumbnails of scenes of these sizes (pixels) will take, from those there are."""
    latest = Asset.objects.filter(role__in=[Asset.Role.OVERVIEW, Asset.Role.THUMBNAIL], width__gt=0, height__gt=0)
    per_pixel = Cast(F("size"), FloatField()) / (F("width") * F("height"))
    known = latest.order_by("-pk")[:_LEARN_FROM].aggregate(mean=Avg(per_pixel))["mean"]
    pixels = sum(
        width * height
        for size in sizes
        for width, height in (fit_within(size, OVERVIEW_SIDE_PIXELS), fit_within(size, THUMBNAIL_SIDE_PIXELS))
    )
    return round(pixels * (known or _PICTURE_BYTES_PER_PIXEL))


def _rate_now(encoder: Encoder) -> float | None:
    """Return pictures a second of a few made-up ones; None when the encoder cannot be used here."""
    from imagery.encoders import registry
    from imagery.encoders.runtime import known

    try:
        model = registry.get_encoder(encoder_spec(encoder), plan=encoder_runtime_plan(encoder))
        model.load(image=True, text=False)
        model.encode_inputs([model.image_input(picture) for picture in known.pictures(1)])
        pictures = known.pictures(_TRIED)
        began = time.perf_counter()
        model.encode_inputs([model.image_input(picture) for picture in pictures])
        return _TRIED / (time.perf_counter() - began)
    except (RsportalError, errors.EncoderUnavailable, errors.EncoderMismatch) as error:
        _log.warning("how fast %s is cannot be told: %s", encoder.name, error)
        return None
