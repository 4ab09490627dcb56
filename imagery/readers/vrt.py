"""GDAL's virtual rasters, taken only where the operator allows: the file and all it names lie inside allowed folders.

A VRT is a program of sorts: it may name any file, address or database that GDAL can open, run functions, and nest.
So its text is read here first; only elements that are known to be harmless pass, and every file it names is resolved,
looked at, and written into the text that GDAL gets as the path that was checked.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from django.conf import settings
from django.utils.translation import gettext as _

from imagery.readers.errors import UnreadableImage, unavailable
from imagery.readers.formats import HEAD_BYTES, Format, sniff
from imagery.readers.sidecars import MASK, OVERVIEWS, sidecars_of

_MAX_BYTES: Final = 32 * 1024 * 1024
_MAX_DEPTH: Final = 4
"""VRTs of VRTs of VRTs of rasters."""
_MAX_SOURCES: Final = 20_000
_FORBIDDEN_XML: Final = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ELEMENTS: Final = frozenset(
    """
    VRTDataset SRS GeoTransform GCPList GCP Metadata MDI VRTRasterBand ColorInterp ColorTable Entry NoDataValue
    HideNoDataValue NODATA Description UnitType Offset Scale CategoryNames Category Histograms HistItem HistMin
    HistMax BucketCount IncludeOutOfRange Approximate HistCounts SimpleSource ComplexSource AveragedSource
    KernelFilteredSource SourceFilename SourceBand SourceProperties SrcRect DstRect ScaleOffset ScaleRatio LUT
    Exponent SrcMin SrcMax DstMin DstMax Clamp UseMaskBand ColorTableComponent Kernel Size Coefs MaskBand Overview
    OverviewList BlockXSize BlockYSize
    """.split()  # noqa: SIM905 - a list of names, not of strings
)
_SOURCES: Final = {Format.TIFF, Format.JPEG2000, Format.PNG, Format.JPEG, Format.VRT}


def vrt_allowed(path: Path) -> bool:
    """Return whether a VRT at this path may be read at all (``RSPORTAL_VRT_ROOTS``)."""
    return _root_of(path) is not None


def vrt_text(path: Path, *, name: str) -> str:
    """Return the text of a VRT for GDAL, with every file it names checked and named by its resolved path.

    Raises UnreadableImage in one sentence that names the VRT and what it may not do.
    """
    return _Checked(name).text(path, depth=1)


class _Checked:
    """One walk through a VRT and those it names; counts their sources."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._sources = 0

    def text(self, path: Path, *, depth: int) -> str:
        if not settings.VRT_ROOTS:
            raise self._refusal(
                _("this portal reads none; its operator allows folders in %(setting)s")
                % {"setting": "RSPORTAL_VRT_ROOTS"}
            )
        if _root_of(path) is None:
            raise self._refusal(_("it does not lie in a folder that the operator allows"))
        if depth > _MAX_DEPTH:
            raise self._refusal(_("it nests more than %(limit)d levels of VRTs") % {"limit": _MAX_DEPTH})
        root = self._parsed(path)
        for element in root.iter():
            self._check(element, is_root=element is root)
        for parent in root.iter():
            for element in parent:
                if element.tag == "SourceFilename":
                    self._bind(element, path.absolute().parent, depth)
        return ElementTree.tostring(root, encoding="unicode")

    def _parsed(self, path: Path) -> ElementTree.Element:
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise (unavailable(self._name, error) or error) from error
        if len(content) > _MAX_BYTES:
            raise self._refusal(_("its text is longer than %(limit)d MB") % {"limit": _MAX_BYTES // 1024**2})
        if _FORBIDDEN_XML.search(content):
            raise self._refusal(_("it declares XML entities"))
        try:
            return ElementTree.fromstring(content)
        except ElementTree.ParseError as error:
            raise self._refusal(_("its XML is damaged (%(reason)s)") % {"reason": error}) from error

    def _check(self, element: ElementTree.Element, *, is_root: bool) -> None:
        if element.tag == "Metadata" and element.get("domain", "").upper() == "GEOLOCATION":  # It names files, too.
            raise self._refusal(_("it uses %(element)s, which is not allowed") % {"element": "GEOLOCATION"})
        kind = element.get("subClass", "")
        if element.tag not in _ELEMENTS or (element.tag == "VRTDataset") is not is_root:
            raise self._refusal(_("it uses %(element)s, which is not allowed") % {"element": f"<{element.tag}>"})
        if kind and not (element.tag == "VRTRasterBand" and kind == "VRTSourcedRasterBand"):
            raise self._refusal(_("it uses %(element)s, which is not allowed") % {"element": kind})

    def _bind(self, element: ElementTree.Element, folder: Path, depth: int) -> None:
        """Replace what a SourceFilename says by the resolved path of a raster inside the allowed folders."""
        self._sources += 1
        if self._sources > _MAX_SOURCES:
            raise self._refusal(_("it names more than %(limit)d files") % {"limit": _MAX_SOURCES})
        said = (element.text or "").strip()
        if not said or said.startswith(("/vsi", "<")) or "://" in said or re.match(r"[A-Za-z0-9_]{2,}:", said):
            raise self._refusal(_("it names %(source)s, which is no file of this machine") % {"source": said[:100]})
        relative = element.get("relativeToVRT", "0").strip().lower() in {"1", "yes", "true", "on"}
        source = folder / said if relative else Path(said)
        try:
            resolved = source.resolve()
            inside = source.is_absolute() and _root_of(resolved) is not None and resolved.is_file()
            head = b""
            if inside:
                with resolved.open("rb") as file:
                    head = file.read(HEAD_BYTES)
        except (OSError, ValueError):
            inside, head = False, b""
        if not inside:
            raise self._refusal(
                _("it names %(source)s, which is not a file in a folder that the operator allows")
                % {"source": source.name[:100]}
            )
        found = sniff(head)
        if found not in _SOURCES:
            raise self._refusal(
                _("it names %(source)s, which is no raster the portal reads") % {"source": source.name[:100]}
            )
        self._refuse_what_a_source_names(resolved, found)
        if found is Format.VRT:
            element.text = self.text(resolved, depth=depth + 1)
        else:
            element.text = str(resolved)
        element.attrib.clear()
        element.set("relativeToVRT", "0")

    def _refuse_what_a_source_names(self, source: Path, format: Format) -> None:
        """Refuse a source that names further files for its overviews, or has a mask beside it that does."""
        from imagery.readers.gdal import dataset_open, translated

        beside = sidecars_of(source)
        files = [beside[key] for key in (MASK, OVERVIEWS) if key in beside]
        files += [source] if format in {Format.TIFF, Format.JPEG2000} else []
        for path in files:
            driver = "JP2OpenJPEG" if path == source and format is Format.JPEG2000 else "GTiff"
            with translated(path.name), dataset_open(path, driver, alone=path != source) as dataset:
                if dataset.tags(ns="OVERVIEWS").get("OVERVIEW_FILE"):
                    raise self._refusal(_("%(file)s names another file for its overviews") % {"file": path.name})

    def _refusal(self, reason: str) -> UnreadableImage:
        return UnreadableImage(
            _("%(file)s is a VRT that is not read: %(reason)s.") % {"file": self._name, "reason": reason},
            code="vrt_refused",
        )


def _root_of(path: Path) -> Path | None:
    """Return the allowed folder that a path lies in once all links are followed, or None."""
    try:
        resolved = path.resolve()
        return next((root for root in map(Path, settings.VRT_ROOTS) if resolved.is_relative_to(root.resolve())), None)
    except OSError:
        return None
