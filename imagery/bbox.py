"""Bounding boxes as people and programs write them."""

import math
import re
from typing import Final

from django.utils.translation import gettext as _

from imagery.querysets import BBox
from rsportal.errors import InvalidInput

_NUMBERS: Final = 4
_BETWEEN: Final = re.compile(r"\s*[,;\s]\s*")
_AROUND: Final = " \t\r\n[](){}"
_LONGEST: Final = 200  # characters


def bbox_parse(raw: str) -> BBox:
    """Return (west, south, east, north) in degrees WGS 84; west > east crosses the antimeridian.

    The numbers stand between commas, semicolons or spaces, also in brackets, as they are pasted from other tools.
    Raises InvalidInput (field ``bbox``) for anything but four numbers in range with south <= north.
    """
    text = raw.strip(_AROUND)
    try:
        west, south, east, north = (float(part) for part in _BETWEEN.split(text[:_LONGEST]))
    except ValueError:
        raise _wrong(_("bbox is four numbers: west,south,east,north in degrees, such as -76.4,36,-75,37.")) from None
    if not all(math.isfinite(value) for value in (west, south, east, north)):
        raise _wrong(_("bbox holds a value that is not a finite number."))
    if max(abs(west), abs(east)) > 180:
        raise _wrong(_("bbox: west and east lie between -180 and 180 degrees."))
    if max(abs(south), abs(north)) > 90:
        raise _wrong(_("bbox: south and north lie between -90 and 90 degrees."))
    if south > north:
        raise _wrong(_("bbox: south (%(south)s) is above north (%(north)s).") % {"south": south, "north": north})
    return (west, south, east, north)


def bbox_text(bbox: BBox) -> str:
    """Return a box as ``bbox_parse`` reads it: four numbers between commas, without needless digits."""
    return ",".join(f"{value:.7f}".rstrip("0").rstrip(".") for value in bbox)


def _wrong(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, field="bbox")
