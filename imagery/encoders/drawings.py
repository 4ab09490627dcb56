"""Hand drawings made like the edge maps that a sketch bridge knows: dark lines on white paper. No model is needed."""

from typing import Final

import numpy as np
from django.utils.translation import gettext as _
from PIL import Image, ImageFilter, ImageOps

from rsportal.errors import InvalidInput

from .transforms import to_rgb

SIDE_PIXELS: Final = 448
"""Longest side of a kept drawing: twice what edge maps have."""
_LEAST_INK: Final = 0.0005  # of all pixels: a short stroke
_MOST_INK: Final = 0.6  # beyond it, it is no drawing
_MOST_SHADES: Final = 0.3  # of pixels neither paper nor ink: photographs have half of them so, drawings their edges
_SHADE: Final = 0.1
_FAINTEST: Final = 0.15  # of the paper's light that the darkest ink takes away
_GRAIN: Final = 0.2  # of the darkest ink: less is the paper's own texture, and all but this much is ink
_DARK: Final = 128  # grey level of a ground that is dark


def drawing_clean(picture: Image.Image) -> Image.Image:
    """A drawing or a photograph of one -> mode "L", paper 255, darkest ink 0, longest side at most 448.

    Transparent parts are paper, light lines on a dark ground are turned round, shadows over the paper are taken away.
    Raises InvalidInput (field ``picture``) when there are no lines, or so much ink that it is no line drawing.
    """
    grey = ImageOps.exif_transpose(picture)
    grey = to_rgb(grey).convert("L")
    grey.thumbnail((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.BOX)
    if np.median(np.asarray(grey)) < _DARK:
        grey = ImageOps.invert(grey)
    # The paper under a line is as light as the paper around it: a wide maximum, smoothed, finds shadows and not lines.
    paper = np.asarray(grey.filter(ImageFilter.MaxFilter(31)).filter(ImageFilter.GaussianBlur(15)), dtype=np.float32)
    ink = np.clip(1.0 - np.asarray(grey, dtype=np.float32) / np.maximum(paper, 1.0), 0.0, 1.0)
    darkest = float(np.quantile(ink, 1 - _LEAST_INK / 2))
    share = float((ink > darkest / 2).mean()) if darkest >= _FAINTEST else 0.0
    if share < _LEAST_INK:
        raise InvalidInput(_("There is nothing drawn yet. Draw some dark lines on the white paper."), field="picture")
    clean = np.clip((ink / darkest - _GRAIN) / (1 - 2 * _GRAIN), 0.0, 1.0)
    if share > _MOST_INK or ((clean > _SHADE) & (clean < 1 - _SHADE)).mean() > _MOST_SHADES:
        raise InvalidInput(
            _("This is no line drawing: much of it is shaded or dark. Draw dark lines on light paper, or give it as a "
              "picture instead."),
            field="picture",
        )  # fmt: skip
    return Image.fromarray(np.asarray(np.rint(255.0 * (1.0 - clean)), dtype=np.uint8))
