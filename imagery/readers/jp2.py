"""What the head of a JPEG 2000 says of its size: looked at before a library is, which reserves room for every tile."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, Final

from django.utils.translation import gettext as _

from imagery.readers.errors import UnreadableImage, unavailable

_STREAM: Final = b"\xff\x4f\xff\x51"
"""Start of codestream, and the marker SIZ that must follow it (ISO/IEC 15444-1, A.5.1)."""
_MOST_TILES: Final = 65_535
"""Tiles are counted in 16 bits (ISO/IEC 15444-1, A.4.2)."""
_MOST_COMPONENTS: Final = 16_384
_MOST_BOXES: Final = 1000


def jp2_refuse(path: Path, *, name: str) -> None:
    """Raise UnreadableImage for a JPEG 2000 whose head announces what no file of its format can have."""
    try:
        with path.open("rb") as file:
            size = _size_marker(file)
    except OSError as error:
        raise (unavailable(name, error) or error) from error
    if size is None:
        raise UnreadableImage(
            _("%(file)s is damaged: it holds no JPEG 2000 codestream.") % {"file": name}, code="truncated"
        )
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, components = size
    sound = (
        left < right
        and top < bottom
        and tile_width > 0
        and tile_height > 0
        and tile_left <= left < tile_left + tile_width
        and tile_top <= top < tile_top + tile_height
        and 0 < components <= _MOST_COMPONENTS
    )
    if sound:
        tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
        sound = tiles <= _MOST_TILES
    if not sound:
        raise UnreadableImage(
            _("%(file)s is damaged: its head announces sizes or tiles that no JPEG 2000 can have.") % {"file": name},
            code="damaged",
        )


def _size_marker(file: BinaryIO) -> tuple[int, ...] | None:
    """Return Xsiz, Ysiz, XOsiz, YOsiz, XTsiz, YTsiz, XTOsiz, YTOsiz and Csiz; None without a codestream."""
    position = 0
    file.seek(0)
    if file.read(4) != _STREAM:
        for _box in range(_MOST_BOXES):
            file.seek(position)
            head = file.read(16)
            if len(head) < 8:
                return None
            length, kind = struct.unpack(">I4s", head[:8])
            start = 16 if length == 1 else 8
            if kind == b"jp2c":
                position += start
                break
            length = struct.unpack(">Q", head[8:])[0] if length == 1 and len(head) == 16 else length
            if length < start:
                return None
            position += length
        else:
            return None
    file.seek(position)
    stream = file.read(8 + 34)
    if stream[:4] != _STREAM or len(stream) < 42:
        return None
    return struct.unpack(">8IH", stream[8:42])
