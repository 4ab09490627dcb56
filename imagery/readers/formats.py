"""Which image formats are read, told by their first bytes and never by their name."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from django.utils.translation import gettext, gettext_noop

HEAD_BYTES: Final = 512
"""How many leading bytes :func:`sniff` wants."""


class Format(StrEnum):
    """A file format the portal reads."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    TIFF = "tiff"
    JPEG2000 = "jpeg2000"
    VRT = "vrt"


@dataclass(frozen=True)
class FormatFacts:
    """What a format is called, its file name extensions (the first is the usual one) and its media type."""

    label: str
    extensions: tuple[str, ...]
    media_type: str
    whole_image: bool
    """Whether the image must be decoded in memory as a whole (it cannot be read by windows)."""


FACTS: Final[dict[Format, FormatFacts]] = {
    Format.PNG: FormatFacts("PNG", (".png",), "image/png", True),
    Format.JPEG: FormatFacts("JPEG", (".jpg", ".jpeg", ".jpe"), "image/jpeg", True),
    Format.WEBP: FormatFacts("WebP", (".webp",), "image/webp", True),
    Format.TIFF: FormatFacts("GeoTIFF", (".tif", ".tiff", ".gtiff"), "image/tiff; application=geotiff", False),
    Format.JPEG2000: FormatFacts("JPEG 2000", (".jp2", ".j2k", ".jpx", ".jpf", ".j2c"), "image/jp2", False),
    Format.VRT: FormatFacts("VRT", (".vrt",), "application/xml", False),
}
EXTENSIONS: Final = frozenset(
    extension for format, facts in FACTS.items() for extension in facts.extensions if format is not Format.VRT
)
"""Every accepted file name extension, lower case, with its dot; not VRT's, which is taken in certain folders only."""
_VRT: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<VRTDataset[\s>]", re.DOTALL)

# What people send by mistake, so that a refusal can name it. Offsets are in bytes.
_OTHERS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"GIF8", gettext_noop("a GIF picture")),
    (0, b"BM", gettext_noop("a BMP picture")),
    (0, b"%PDF", gettext_noop("a PDF document")),
    (0, b"PK\x03\x04", gettext_noop("a ZIP archive (also SAFE, KMZ or an office document)")),
    (0, b"\x1f\x8b", gettext_noop("a gzip archive")),
    (0, b"7z\xbc\xaf", gettext_noop("a 7-Zip archive")),
    (0, b"Rar!", gettext_noop("a RAR archive")),
    (257, b"ustar", gettext_noop("a tar archive")),
    (0, b"\x89HDF", gettext_noop("an HDF5 or netCDF-4 file")),
    (0, b"CDF", gettext_noop("a netCDF file")),
    (0, b"NITF", gettext_noop("a NITF file")),
    (0, b"SQLite format 3", gettext_noop("an SQLite or GeoPackage file")),
    (4, b"ftypheic", gettext_noop("a HEIC picture")),
    (4, b"ftypavif", gettext_noop("an AVIF picture")),
    (4, b"ftyp", gettext_noop("a video")),
    (0, b"<?xml", gettext_noop("an XML file")),
    (0, b"<", gettext_noop("a web page or XML file")),
    (0, b"{", gettext_noop("a JSON file")),
)


def sniff(head: bytes) -> Format | None:
    """Return the format whose signature ``head`` (the first :data:`HEAD_BYTES` bytes) carries, or None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if head.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP
    if head[:4] in {b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"}:  # classic TIFF and BigTIFF
        return Format.TIFF
    if head.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):  # JP2 box or bare codestream
        return Format.JPEG2000
    if _VRT.match(head):
        return Format.VRT
    return None


def describe_unknown(head: bytes) -> str:
    """Return in words what a file that is no image seems to be."""
    for offset, signature, name in _OTHERS:
        if head[offset : offset + len(signature)] == signature:
            return gettext(name)
    if head and all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head):
        return gettext("a text file")
    return gettext("of an unknown format")


def format_of_extension(filename: str) -> Format | None:
    """Return the format that a file name promises, or None."""
    suffix = Path(filename).suffix.lower()
    return next((fmt for fmt, facts in FACTS.items() if suffix in facts.extensions), None)


def accepted_extensions() -> str:
    """Return the accepted extensions for messages and file pickers: ``.png, .jpg, ...``."""
    return ", ".join(
        extension for format, facts in FACTS.items() for extension in facts.extensions[:2] if format is not Format.VRT
    )
