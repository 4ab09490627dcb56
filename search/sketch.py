"""Sketches in queries: from a drawing to a vector that compares with those of pictures (docs/sketch.md)."""

import hashlib
import io
import json
from typing import Final

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.drawings import drawing_clean
from imagery.models import Encoder
from imagery.services.sketches import bridge_facts, bridge_state, drawings_encode
from rsportal.errors import InvalidInput

_RULES: Final = "sketch 1"
"""Raised when a drawing is made ready in another way, so that vectors kept before are made anew."""
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
MAX_PIXELS: Final = 40_000_000
"""Of one drawing: it is decoded whole in a web process."""


def sketch_vector(*, encoder: Encoder, picture: bytes | Image.Image) -> NDArray[np.float32]:
    """Return the unit vector (dimension,) float32 of a drawing among the vectors of pictures; loads the image tower.

    ``picture`` is an image file's bytes or a picture: dark lines on light ground, or the other way round. An encoder
    without a sketch bridge encodes it as it is (``sketch_remark`` says so). Raises InvalidInput (field ``picture``)
    for what is no drawing, Unavailable when the encoder cannot compute.
    """
    drawing = drawing_clean(drawing_open(picture) if isinstance(picture, bytes) else picture)
    vector = drawings_encode(encoder=encoder, drawings=[drawing])[0]
    if not (np.isfinite(vector).all() and vector.any()):
        raise InvalidInput(
            _("The encoder %(name)s finds nothing in this sketch. Draw more of it.") % {"name": encoder.name},
            field="picture",
        )
    return vector


def sketch_recipe(encoder: Encoder) -> str:
    """Return what tells vectors of one drawing apart (SHA-256): the encoder's files, bridge and mean, and the rules."""
    parts = [_RULES, encoder.checksum, bridge_state(encoder)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def sketch_bridged(encoder: Encoder) -> bool:
    """Return whether the encoder has learned to read sketches."""
    return bool(bridge_facts(encoder))


def sketch_remark(encoder: Encoder) -> str:
    """Return what a person should know who searches with a sketch; one sentence, never empty."""
    if sketch_bridged(encoder):
        return _("Experimental: how well sketches find scenes was measured on edge maps, not on drawings by people.")
    return _(
        "The encoder in use has not learned to read sketches, so the drawing is compared as if it were a picture; "
        "expect little. An administrator can change that."
    )


def drawing_open(content: bytes) -> Image.Image:
    """Return the picture of a PNG, JPEG or WebP file, decoded. Raises InvalidInput (field ``picture``)."""
    try:
        picture = Image.open(io.BytesIO(content), formats=_FORMATS)
        if picture.width * picture.height > MAX_PIXELS:
            raise InvalidInput(
                _("The drawing has too many pixels: %(found).1f megapixels, the limit is %(limit)d.")
                % {"found": picture.width * picture.height / 1e6, "limit": MAX_PIXELS // 1_000_000},
                code="too_many_pixels",
                field="picture",
            )
        picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidInput(
            _("The drawing cannot be read as a picture: give an undamaged PNG, JPEG or WebP file."), field="picture"
        ) from error
    return picture
