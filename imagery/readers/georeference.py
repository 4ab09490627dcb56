"""What files beside an image say of its place: world file, .prj and GDAL's .aux.xml. Small texts, read with care."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from django.utils.translation import gettext_noop

from imagery.readers.sidecars import PAM, PROJECTION, TEXT_MAX_BYTES, WORLD_FILE

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

_FORBIDDEN_XML: Final = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True)
class Placement:
    """``transform`` maps pixel corners to ``crs``; either may be unknown. ``note`` (English, stored): what is amiss."""

    crs: CRS | None = None
    transform: Affine | None = None
    note: str = ""


def placement_beside(sidecars: Mapping[str, Path]) -> Placement:
    """Return what the sidecars of an image say of its place. Never raises: a file that cannot be used is a note.

    A world file goes before the grid of an .aux.xml, a .prj before its reference system.
    """
    crs: CRS | None = None
    transform: Affine | None = None
    notes: list[str] = []
    if PAM in sidecars:
        crs, transform = _pam(_text(sidecars[PAM]))
    if WORLD_FILE in sidecars:
        found = world_file_parse(_text(sidecars[WORLD_FILE]))
        if found is None:
            notes.append(gettext_noop("Its world file does not hold six numbers that make a grid."))
        transform = found or transform
    if PROJECTION in sidecars:
        named = _crs(_text(sidecars[PROJECTION]))
        if named is None:
            notes.append(gettext_noop("The reference system in its .prj file is not understood."))
        crs = named or crs
    return Placement(crs=crs, transform=transform, note=notes[0] if notes else "")


def world_file_parse(text: str) -> Affine | None:
    """Return the transform of a world file (pixel corners; the file speaks of centres), or None when it is none.

    Six lines: A (x per column), D (y per column), B (x per row), E (y per row), C and F (centre of the first pixel).
    """
    from affine import Affine

    try:
        a, d, b, e, c, f = (float(word.replace(",", ".")) for word in text.split())
    except ValueError:
        return None
    if not all(map(math.isfinite, (a, b, c, d, e, f))) or a * e - b * d == 0:
        return None
    return Affine(a, b, c - (a + b) / 2, d, e, f - (d + e) / 2)


def _text(path: Path) -> str:
    """Return a sidecar's text; empty when it cannot be read or is far too long to be one."""
    try:
        with path.open("rb") as file:
            content = file.read(TEXT_MAX_BYTES + 1)
    except OSError:
        return ""
    return "" if len(content) > TEXT_MAX_BYTES else content.decode("utf-8-sig", errors="replace").strip("\0 \r\n\t")


def _crs(text: str) -> CRS | None:
    """Return the reference system of WKT (also ESRI's) or of a code such as EPSG:32633; None if not understood.

    Nothing else is taken: PROJ's own words may name files.
    """
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        if code := re.fullmatch(r"(?:EPSG:)?(\d{4,6})", text, re.IGNORECASE):
            return CRS.from_epsg(int(code[1]))
        if re.match(r"[A-Z_]+\s*[\[(]", text, re.IGNORECASE):
            found = CRS.from_wkt(text)
            return _with_code(found)
    except (CRSError, ValueError):
        return None
    return None


def _with_code(crs: CRS) -> CRS:
    """Return the system under its EPSG code where WKT without one (ESRI's) certainly means it."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        code = crs.to_epsg(confidence_threshold=90)
        return CRS.from_epsg(code) if code else crs
    except CRSError:
        return crs


def _pam(text: str) -> tuple[CRS | None, Affine | None]:
    """Return reference system and grid of an .aux.xml (its other contents, statistics mostly, are not read)."""
    from affine import Affine

    if not text or _FORBIDDEN_XML.search(text):
        return None, None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None, None
    crs = _crs((root.findtext("SRS") or "").strip())
    try:
        c, a, b, f, d, e = (float(word) for word in (root.findtext("GeoTransform") or "").split(","))
    except ValueError:
        return crs, None
    usable = all(map(math.isfinite, (a, b, c, d, e, f))) and a * e - b * d != 0
    return crs, Affine(a, b, c, d, e, f) if usable else None
