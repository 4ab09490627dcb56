"""Is this file an image the portal can take? Cheap checks at arrival; decoding it whole is the worker's part.

Every refusal is one sentence that names the file, the limit and what was found.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from imagery.readers import Format, Reader, open_scene, sniff_file
from imagery.readers.errors import TruncatedImage, UnreadableImage
from imagery.readers.formats import FACTS, HEAD_BYTES, accepted_extensions, describe_unknown, format_of_extension, sniff
from imagery.readers.location import Location, RemoteFile
from imagery.readers.sidecars import TEXT_MAX_BYTES, TEXTS
from rsportal.errors import InvalidInput

MIN_SIDE_PIXELS: Final = 8
MAX_SIDE_PIXELS: Final = 200_000
_TAIL_BYTES: Final = 64 * 1024
_BLOCKS_CHECKED: Final = 256
_IEND: Final = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_END_OF_JPEG: Final = b"\xff\xd9"


@dataclass(frozen=True)
class FileFacts:
    """What the cheap checks found: format, size in bytes, width and height in pixels."""

    format: Format
    size: int
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """How many pixels the image has."""
        return self.width * self.height


def file_check(path: Location, *, filename: str = "", in_place: bool = False) -> FileFacts:
    """Return the facts of a file, or raise InvalidInput (field ``file``) with the reason in one sentence.

    ``filename`` is the name it came under (its extension must be that of its contents). ``in_place`` files stay in
    the operator's archive: the limit on bytes, which protects the media folder, does not hold for them, nor, where
    they are read by windows, those on pixels. The limit on bytes does not hold for a file at an address either, whose
    name nobody here chose: its extension may be any.
    """
    name = Path(filename or path.name).name
    try:
        return _checked_there(path, name) if isinstance(path, RemoteFile) else _checked(path, name, in_place)
    except InvalidInput as error:
        error.field = error.field or "file"
        raise


def sidecar_check(path: Location, *, key: str, filename: str, format: Format) -> FileFacts:
    """Return the facts of a file beside an image of a ``format`` (its own size, no pixels), or raise InvalidInput."""
    name = Path(filename or path.name).name
    if isinstance(path, RemoteFile):
        raise TypeError("files beside an image are read as a whole: fetch them first")
    size = _size_of(path, name, in_place=False)
    if key in TEXTS and size > TEXT_MAX_BYTES:
        raise InvalidInput(
            _("%(file)s is too large: it has %(found)s, the limit is %(limit)s.")
            % {"file": name, "found": filesizeformat(size), "limit": filesizeformat(TEXT_MAX_BYTES)},
            code="too_large",
            field="file",
        )
    return FileFacts(format=format, size=size, width=0, height=0)


def _checked(path: Path, name: str, in_place: bool) -> FileFacts:
    size = _size_of(path, name, in_place)
    format = _format_of(path, name)
    if format is Format.VRT and not in_place:
        raise UnreadableImage(
            _("%(file)s is a VRT, which only names other files: it is read in place, never copied or uploaded.")
            % {"file": name},
            code="vrt_refused",
        )
    _refuse_truncated(path, name, format, size)
    with open_scene({"data": path}, names={"data": name}) as reader:
        _refuse_dimensions(reader, name, format, in_place=in_place)
        if not FACTS[format].whole_image:
            _refuse_missing_blocks(reader, name, size)
        return FileFacts(format=format, size=size, width=reader.width, height=reader.height)


def _checked_there(file: RemoteFile, name: str) -> FileFacts:
    """Check a file at an address by its first bytes and its header. Raises what ``imagery.stac.ranges`` raises, too."""
    from imagery.stac.ranges import RangeFile

    with RangeFile(file.href) as content:
        size = content.size
    format = sniff_file(file, name=name)
    with open_scene({"data": file}, names={"data": name}) as reader:
        _refuse_dimensions(reader, name, format)
        _refuse_missing_blocks(reader, name, size)
        return FileFacts(format=format, size=size, width=reader.width, height=reader.height)


def _size_of(path: Path, name: str, in_place: bool) -> int:
    try:
        if not path.is_file():
            raise UnreadableImage(_("%(file)s is not a file.") % {"file": name}, code="not_a_file")
        size = path.stat().st_size
    except OSError as error:
        raise UnreadableImage(
            _("%(file)s cannot be opened: %(reason)s.") % {"file": name, "reason": error.strerror}
        ) from error
    if size == 0:
        raise InvalidInput(_("%(file)s is empty (0 bytes).") % {"file": name}, code="empty")
    limit = settings.UPLOAD_MAX_BYTES
    if size > limit and not in_place:
        raise InvalidInput(
            _("%(file)s is too large: it has %(found)s, the limit is %(limit)s.")
            % {"file": name, "found": filesizeformat(size), "limit": filesizeformat(limit)},
            code="too_large",
        )
    return size


def _format_of(path: Path, name: str) -> Format:
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise UnreadableImage(
            _("%(file)s cannot be opened: %(reason)s.") % {"file": name, "reason": error.strerror}
        ) from error
    found = sniff(head[:HEAD_BYTES])
    promised = format_of_extension(name)
    if found is None:
        raise InvalidInput(
            _("%(file)s is not an image the portal reads: it is %(found)s. Accepted are %(accepted)s.")
            % {"file": name, "found": describe_unknown(head), "accepted": accepted_extensions()},
            code="not_an_image",
        )
    if promised is not found:
        raise InvalidInput(
            _("%(file)s has the extension %(extension)s but contains %(found)s; rename it to end in %(right)s.")
            % {
                "file": name,
                "extension": Path(name).suffix or _("(none)"),
                "found": FACTS[found].label,
                "right": FACTS[found].extensions[0],
            },
            code="extension_mismatch",
        )
    return found


def _refuse_dimensions(reader: Reader, name: str, format: Format, *, in_place: bool = False) -> None:
    width, height = reader.width, reader.height
    facts = {"file": name, "width": width, "height": height}
    if min(width, height) < MIN_SIDE_PIXELS:
        raise InvalidInput(
            _("%(file)s is too small: %(width)d x %(height)d pixels, each side must have %(limit)d or more.")
            % {**facts, "limit": MIN_SIDE_PIXELS},
            code="too_small",
        )
    whole = FACTS[format].whole_image
    if in_place and not whole:
        return  # Scenes of any size: memory and time of reading are bounded, and nobody sent it.
    if max(width, height) > MAX_SIDE_PIXELS:
        raise InvalidInput(
            _("%(file)s is too long: %(width)d x %(height)d pixels, a side may have at most %(limit)d.")
            % {**facts, "limit": MAX_SIDE_PIXELS},
            code="too_many_pixels",
        )
    limit = min(settings.PILLOW_MAX_PIXELS, settings.UPLOAD_MAX_PIXELS) if whole else settings.UPLOAD_MAX_PIXELS
    if width * height > limit:
        raise InvalidInput(
            _(
                "%(file)s has too many pixels: %(width)d x %(height)d = %(found).1f megapixels, "
                "the limit for %(format)s is %(limit).1f."
            )
            % {**facts, "found": width * height / 1e6, "format": FACTS[format].label, "limit": limit / 1e6},
            code="too_many_pixels",
        )


def _truncated(name: str, *, found: int, needed: int | None = None) -> TruncatedImage:
    if needed is None:
        return TruncatedImage(
            _("%(file)s is damaged: it ends after %(found)d bytes without the mark that ends its format.")
            % {"file": name, "found": found}
        )
    return TruncatedImage(
        _("%(file)s is damaged: it ends after %(found)d bytes, %(needed)d are announced inside.")
        % {"file": name, "found": found, "needed": needed}
    )


def _refuse_truncated(path: Path, name: str, format: Format, size: int) -> None:
    """Compare the lengths that a file's own structure announces with its size; reads headers only."""
    try:
        with path.open("rb") as file:
            if format is Format.WEBP:
                file.seek(4)
                needed = struct.unpack("<I", file.read(4))[0] + 8
                if needed > size:
                    raise _truncated(name, found=size, needed=needed)
            elif format is Format.PNG:
                _walk_png(file, name, size)
            elif format is Format.JPEG:
                file.seek(max(0, size - _TAIL_BYTES))
                if _END_OF_JPEG not in file.read():
                    raise _truncated(name, found=size)
            elif format is Format.JPEG2000:
                _walk_jp2(file, name, size)
    except struct.error as error:
        raise _truncated(name, found=size) from error


def _walk_png(file: BinaryIO, name: str, size: int) -> None:
    """Step from chunk to chunk (length, type, data, CRC); the last must be IEND."""
    position = 8
    while position < size:
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        position += 12 + length
        if position > size:
            raise _truncated(name, found=size, needed=position)
        if kind == b"IEND":
            return
    raise _truncated(name, found=size)


def _walk_jp2(file: BinaryIO, name: str, size: int) -> None:
    """Step from box to box (length, type, long length); a bare codestream must end with its EOC marker."""
    file.seek(0)
    if file.read(4) == b"\xff\x4f\xff\x51":
        file.seek(-2, os.SEEK_END)
        if file.read(2) != b"\xff\xd9":
            raise _truncated(name, found=size)
        return
    position, stream_seen = 0, False
    while position < size:
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        stream_seen |= kind == b"jp2c"
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
        if length == 0:  # The last box goes on to the end of the file.
            break
        if length < 8:
            raise _truncated(name, found=size)
        position += length
        if position > size:
            raise _truncated(name, found=size, needed=position)
    if not stream_seen:
        raise _truncated(name, found=size)


def _refuse_missing_blocks(reader: Reader, name: str, size: int) -> None:
    """Ask a TIFF where some of its blocks lie (evenly spread, always the last) and compare with the file's size."""
    from imagery.readers.geotiff import GeoRasterReader, translated

    if not isinstance(reader, GeoRasterReader) or reader.format is not Format.TIFF:
        return
    dataset = reader.dataset
    rows, columns = dataset.block_shapes[0]
    across, down = -(-dataset.width // columns), -(-dataset.height // rows)
    total = across * down
    step = max(1, total // _BLOCKS_CHECKED)
    with translated(name):
        for number in {*range(0, total, step), total - 1}:
            x, y = number % across, number // across
            for band in {1, dataset.count}:
                offset = dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band)
                length = dataset.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=band)
                if offset and length and int(offset) + int(length) > size:
                    raise _truncated(name, found=size, needed=int(offset) + int(length))
