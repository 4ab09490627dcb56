"""Reading imagery. ``open_scene`` is the one door: it picks the reader by what the files are, not by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from django.utils.translation import gettext as _

from imagery.readers.base import BandInfo, ImageData, Reader, Size, Window, fit_within
from imagery.readers.errors import FileUnavailable, MismatchedBands, TruncatedImage, UnreadableImage, unavailable
from imagery.readers.formats import FACTS, HEAD_BYTES, Format, describe_unknown, sniff
from imagery.readers.location import Location, RemoteFile
from imagery.readers.remote import remote_head
from imagery.readers.sidecars import SIDECAR_KEYS, sidecars_of

__all__ = [
    "BandInfo",
    "FileUnavailable",
    "Format",
    "ImageData",
    "Location",
    "MismatchedBands",
    "Reader",
    "RemoteFile",
    "Size",
    "TruncatedImage",
    "UnreadableImage",
    "Window",
    "fit_within",
    "open_scene",
    "sniff_file",
]


def sniff_file(path: Location, *, name: str = "") -> Format:
    """Return the format of a file by its first bytes. Raises UnreadableImage (it names what it seems to be instead) or
    FileUnavailable; for an address what ``imagery.stac.ranges`` raises.
    """
    head = _head(path, name or path.name)
    found = sniff(head[:HEAD_BYTES])
    if found is None:
        raise UnreadableImage(
            _("%(file)s is not an image the portal reads: it is %(found)s.")
            % {"file": name or path.name, "found": describe_unknown(head)},
            code="not_an_image",
        )
    return found


def _head(path: Location, name: str) -> bytes:
    if isinstance(path, RemoteFile):
        return remote_head(path)
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError as error:
        raise (unavailable(name, error) or error) from error


def open_scene(
    files: Mapping[str, Location], *, names: Mapping[str, str] | None = None, bands: Sequence[str] = ()
) -> Reader:
    """Open the files of a scene: one under any key, or one per band under the bands' names.

    Of several, those called ``bands`` are shown (one or three; a recipe's, see :class:`BandSetReader`); without, red,
    green and blue. Files are paths, or addresses of GeoTIFFs and JPEG 2000 that are read by ranges. Sidecars may be
    among them (:mod:`imagery.readers.sidecars`), else those beside a path are found. ``names`` are the names to use in
    messages. Raises UnreadableImage, MismatchedBands or
    FileUnavailable; never a library's error.
    """
    from imagery.readers.bandset import BandSetReader
    from imagery.readers.geotiff import GeoRasterReader
    from imagery.readers.raster import RasterReader

    names = names or {}
    images = {key: path for key, path in files.items() if key not in SIDECAR_KEYS}
    if len(images) > 1:
        return BandSetReader(images, names=names, bands=bands)
    if not images:
        raise MismatchedBands(_("A scene needs at least one file."))
    key, path = next(iter(images.items()))
    name = names.get(key, path.name)
    format = sniff_file(path, name=name)
    beside = {key: path for key, path in files.items() if key in SIDECAR_KEYS and isinstance(path, Path)} or None
    if not FACTS[format].whole_image and not (format is Format.VRT and isinstance(path, RemoteFile)):
        return GeoRasterReader(path, format, name=name, sidecars=beside)
    if isinstance(path, RemoteFile):
        raise UnreadableImage(
            _("%(file)s is %(format)s, which is only read as a whole: have it copied instead of read at its address.")
            % {"file": name, "format": FACTS[format].label},
            code="copy_needed",
        )
    return RasterReader(path, format, name=name, sidecars=sidecars_of(path) if beside is None else beside)
