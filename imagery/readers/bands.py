"""Which bands a raster has, what they see, and which of them are shown as red, green and blue.

Common names are those of STAC's electro-optical extension (``eo:common_name``), for the band numbers of Sentinel-2
(ESA, B01 to B12 and B8A) and Landsat (USGS: 8 and 9, and 4 to 7, which number their bands differently).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _

from imagery.readers.base import BandInfo
from imagery.readers.errors import MismatchedBands

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

COLOURS: Final = ("red", "green", "blue")
SENTINEL2: Final = {
    "1": "coastal", "2": "blue", "3": "green", "4": "red", "5": "rededge071", "6": "rededge075", "7": "rededge078",
    "8": "nir", "8A": "nir08", "9": "nir09", "10": "cirrus", "11": "swir16", "12": "swir22",
}  # fmt: skip
LANDSAT_8: Final = {
    "1": "coastal", "2": "blue", "3": "green", "4": "red", "5": "nir08", "6": "swir16", "7": "swir22", "8": "pan",
    "9": "cirrus", "10": "lwir11", "11": "lwir12",
}  # fmt: skip
LANDSAT_4_TO_7: Final = {
    "1": "blue", "2": "green", "3": "red", "4": "nir08", "5": "swir16", "6": "lwir", "7": "swir22", "8": "pan",
}  # fmt: skip
COMMON_NAMES: Final = frozenset(
    {*SENTINEL2.values(), *LANDSAT_8.values(), *LANDSAT_4_TO_7.values(), "yellow", "green05", "rededge"}
)
"""Common names that bands may bear as their own name."""

# What is meant where a scene has no band of exactly the name asked for.
_NEAR: Final = {
    "nir": ("nir08",), "nir08": ("nir",), "rededge": ("rededge071", "rededge075", "rededge078"),
    "lwir": ("lwir11",), "grey": ("gray", "pan"),
}  # fmt: skip
_LETTERS: Final = {"r": "red", "g": "green", "b": "blue"}
_CODE: Final = re.compile(r"^B(?P<number>\d{1,2}A?)$", re.IGNORECASE)
_OLD_LANDSAT: Final = re.compile(r"^(LT0?[45]|LE0?7)", re.IGNORECASE)


def band_code(name: str) -> str:
    """Return the number in a band's name without leading zeros (``B04``: 4, ``b8a``: 8A), empty when it has none."""
    match = _CODE.match(name.strip().split(" ")[0])
    return match["number"].upper().lstrip("0") if match else ""


def sensor_bands(codes: Iterable[str], *, file: str = "") -> dict[str, str]:
    """Return common names by band number for a scene whose bands are called ``codes`` (B04, B8A ...).

    Sentinel-2 writes two digits (or has an 8A), Landsat as few as it needs; ``file`` is the name of one of the
    scene's files, by which Landsat 4 to 7 are known. Empty when the names do not tell.
    """
    found = [code.strip().split(" ")[0].upper() for code in codes]
    found = [code for code in found if _CODE.match(code)]
    if _OLD_LANDSAT.match(file):
        return LANDSAT_4_TO_7
    if any(code.startswith("B0") or code == "B8A" for code in found):
        return SENTINEL2
    if any(len(code) == 2 for code in found):
        return LANDSAT_8
    return {}


def band_described(name: str, *, sensor: dict[str, str], code: str = "", role: str = "", text: str = "") -> BandInfo:
    """Return a band with its common name: its own name if that is one, else what its number means on ``sensor``."""
    own = name.casefold().split(" ")[0]
    own = _LETTERS.get(own, own)
    code = code or band_code(name)
    common = own if own in COMMON_NAMES else sensor.get(code, "")
    common = common or (role if role in COLOURS else "")
    return BandInfo(name=name, role=role, description=text, common_name=common, code=code)


def band_infos(dataset: DatasetReader) -> tuple[BandInfo, ...]:
    """Return the bands of an open raster, named by their description or colour, else by number."""
    named = []
    for position, (description, interpretation) in enumerate(
        zip(dataset.descriptions, dataset.colorinterp, strict=True), start=1
    ):
        role = {"gray": "grey", "undefined": ""}.get(interpretation.name, interpretation.name)
        text = " ".join((description or "").split())
        name = (
            text
            if re.fullmatch(r"[\w .:-]{1,40}", text)
            else (role if role in (*COLOURS, "alpha") else f"band {position}")
        )
        named.append((name, role, text if text != name else ""))
    sensor = sensor_bands(name for name, _role, _text in named)
    return tuple(band_described(name, sensor=sensor, role=role, text=text) for name, role, text in named)


def rgb_positions(bands: tuple[BandInfo, ...]) -> tuple[int, int, int]:
    """Return the positions to show as red, green and blue.

    In this order: what the file says of its colours, well-known band names, the first three bands that are not
    alpha, else the first band as grey.
    """
    by_role: dict[str, int] = {}
    for position, band in enumerate(bands):
        by_role.setdefault(band.role, position)
    if all(role in by_role for role in COLOURS):
        return (by_role["red"], by_role["green"], by_role["blue"])
    by_name: dict[str, int] = {}
    for position, band in enumerate(bands):
        by_name.setdefault(band.common_name, position)
    if all(name in by_name for name in COLOURS):
        return (by_name["red"], by_name["green"], by_name["blue"])
    colours = [position for position, band in enumerate(bands) if band.role != "alpha"] or [0]
    if len(colours) >= 3:
        return (colours[0], colours[1], colours[2])
    return (colours[0], colours[0], colours[0])


def band_position(bands: Sequence[BandInfo], wanted: str) -> int | None:
    """Return the position of the band that is meant by a name, common name or number (from 1); None if there is none.

    Names go before common names, those before band numbers of the sensor (``B4`` is ``B04``), these before positions.
    Upper and lower case are alike.
    """
    name = wanted.strip().casefold()
    code = band_code(wanted)
    near = _NEAR.get(name, ())
    for fits in (
        lambda band: band.name.casefold() == name,
        lambda band: name in {band.common_name, band.role},
        lambda band: bool(code) and band.code == code,
        lambda band: band.common_name in near,
        lambda band: band.name.casefold().split(" ")[0] == name,
    ):
        for position, band in enumerate(bands):
            if fits(band):
                return position
    number = int(name) if name.isascii() and name.isdigit() else 0
    return number - 1 if 1 <= number <= len(bands) else None


def band_positions(bands: Sequence[BandInfo], wanted: Sequence[str], *, file: str) -> tuple[int, int, int]:
    """Return the positions of three bands, or of one three times. Raises MismatchedBands naming the one that lacks."""
    found = []
    for name in wanted:
        position = band_position(bands, name)
        if position is None:
            raise MismatchedBands(
                _("%(file)s has no band “%(name)s”, which its collection's band recipe asks for; it has %(bands)s.")
                % {"file": file, "name": name, "bands": ", ".join(band.name for band in bands)}
            )
        found.append(position)
    red, green, blue = found * 3 if len(found) == 1 else found
    return (red, green, blue)
