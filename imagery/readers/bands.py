"""Which bands a raster has and which of them are red, green and blue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from imagery.readers.base import BandInfo

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

_ROLES: Final = ("red", "green", "blue")
# Names under which writers put true colour: Sentinel-2 and Landsat 8/9 numbers and plain colours.
_RED_GREEN_BLUE: Final = (("red", "green", "blue"), ("r", "g", "b"), ("b04", "b03", "b02"), ("b4", "b3", "b2"))


def band_infos(dataset: DatasetReader) -> tuple[BandInfo, ...]:
    """Return the bands of an open raster, named by their description or colour, else by number."""
    infos = []
    for position, (description, interpretation) in enumerate(
        zip(dataset.descriptions, dataset.colorinterp, strict=True), start=1
    ):
        role = {"gray": "grey", "undefined": ""}.get(interpretation.name, interpretation.name)
        text = " ".join((description or "").split())
        name = (
            text
            if re.fullmatch(r"[\w .:-]{1,40}", text)
            else (role if role in (*_ROLES, "alpha") else f"band {position}")
        )
        infos.append(BandInfo(name=name, role=role, description=text if text != name else ""))
    return tuple(infos)


def rgb_positions(bands: tuple[BandInfo, ...]) -> tuple[int, int, int]:
    """Return the positions to show as red, green and blue.

    In this order: what the file says of its colours, well-known band names, the first three bands that are not
    alpha, else the first band as grey.
    """
    by_role: dict[str, int] = {}
    for position, band in enumerate(bands):
        by_role.setdefault(band.role, position)
    if all(role in by_role for role in _ROLES):
        return (by_role["red"], by_role["green"], by_role["blue"])
    by_name: dict[str, Any] = {}
    for position, band in enumerate(bands):
        by_name.setdefault(band.name.lower().split(" ")[0], position)
    for names in _RED_GREEN_BLUE:
        if all(name in by_name for name in names):
            return (by_name[names[0]], by_name[names[1]], by_name[names[2]])
    colours = [position for position, band in enumerate(bands) if band.role != "alpha"] or [0]
    if len(colours) >= 3:
        return (colours[0], colours[1], colours[2])
    return (colours[0], colours[0], colours[0])
