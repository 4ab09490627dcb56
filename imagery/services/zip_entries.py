"""What the list of contents of a zip archive may say: judged before a byte is unpacked.

A zip names its entries twice and describes them in a table at its end, all written by whoever made it. The table is
read only when it is of bounded size; an archive whose table describes more than the limits, or entries that share
bytes, is refused as a whole; a single entry that could do harm is refused by name.
"""

from __future__ import annotations

import stat
import struct
import unicodedata
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput

MOST_ENTRIES: Final = 10_000
MOST_RATIO: Final = 200
"""Unpacked bytes for each packed one, of the archive as a whole; real imagery rarely reaches 20."""
FREE_BYTES: Final = 64 * 1024 * 1024
"""So much may be unpacked whatever the ratio: a small black raster packs very well."""
_TABLE_BYTES_PER_ENTRY: Final = 600
_MOST_NAME_BYTES: Final = 255
_MOST_DEPTH: Final = 20
_MOST_PATH: Final = 1000
_LOCAL_HEADER_BYTES: Final = 30
_END: Final = struct.Struct("<4s4H2LH")
_END64_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_UTF8: Final = 0x800
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_IGNORED_PARTS: Final = (".", "__MACOSX")
ARCHIVE_SUFFIXES: Final = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"})


class ZipRefused(InvalidInput):
    """The archive as a whole is not taken: a bomb, damaged, or beyond a limit."""

    code = "zip_refused"


@dataclass(frozen=True)
class Entry:
    """An entry that may be unpacked: its description, and the relative path it gets."""

    info: zipfile.ZipInfo
    path: PurePosixPath


@dataclass(frozen=True)
class Refusal:
    """An entry that is not taken: its name as the archive writes it, printable, and the reason in one sentence."""

    name: str
    reason: str


def is_zip(path: Path, filename: str) -> bool:
    """Return whether a file is a zip archive by its name and its first bytes (an image named .zip is not)."""
    if PurePosixPath(filename).suffix.lower() != ".zip":
        return False
    with path.open("rb") as file:
        return file.read(4) in {b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"}


def table_check(file: BinaryIO, filename: str) -> None:
    """Refuse an archive whose table of contents is longer than we are ready to hold. Raises ZipRefused."""
    length, entries = _table_length(file, filename)
    if entries > MOST_ENTRIES:
        raise ZipRefused(
            _("%(file)s has %(found)d entries; %(limit)d are taken at most. Send it in parts.")
            % {"file": filename, "found": entries, "limit": MOST_ENTRIES}
        )
    if length > MOST_ENTRIES * _TABLE_BYTES_PER_ENTRY:
        raise ZipRefused(
            _("The table of contents of %(file)s has %(found)s, far more than a folder of imagery needs.")
            % {"file": filename, "found": filesizeformat(length)}
        )


def totals_check(infos: Sequence[zipfile.ZipInfo], filename: str, packed: int) -> None:
    """Refuse a bomb by what its table announces. ``packed`` is the size of the archive. Raises ZipRefused."""
    if len(infos) > MOST_ENTRIES:
        raise ZipRefused(
            _("%(file)s has %(found)d entries; %(limit)d are taken at most. Send it in parts.")
            % {"file": filename, "found": len(infos), "limit": MOST_ENTRIES}
        )
    unpacked_check(sum(info.file_size for info in infos), filename, packed)
    end = 0
    for info in sorted(infos, key=lambda each: each.header_offset):
        if info.header_offset < end:
            raise ZipRefused(
                _("%(file)s is not taken: entries of it share the same bytes, as in a zip bomb.") % {"file": filename}
            )
        end = info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size


def unpacked_check(unpacked: int, filename: str, packed: int) -> None:
    """Refuse an archive with ``unpacked`` bytes (announced, or counted so far). Raises ZipRefused."""
    if unpacked > settings.UPLOAD_ZIP_MAX_BYTES:
        raise ZipRefused(
            _("%(file)s is not taken: unpacked it has more than %(limit)s. Send it in parts.")
            % {"file": filename, "limit": filesizeformat(settings.UPLOAD_ZIP_MAX_BYTES)}
        )
    if unpacked > FREE_BYTES and unpacked > MOST_RATIO * packed:
        raise ZipRefused(
            _("%(file)s is not taken: it unpacks to more than %(ratio)d times its size, as a zip bomb does.")
            % {"file": filename, "ratio": MOST_RATIO}
        )


def entry_judge(info: zipfile.ZipInfo) -> Entry | Refusal | None:
    """Return the entry with the path it gets, why it is refused, or None for what is no file to take (folders)."""
    name = entry_name(info)
    shown = printable(name)
    if info.is_dir() or name.endswith("\\"):
        return None
    reason = _name_refused(name) or _kind_refused(info, name)
    if reason:
        return Refusal(shown, reason)
    path = PurePosixPath(unicodedata.normalize("NFC", name.replace("\\", "/")))
    return None if any(part.startswith(_IGNORED_PARTS) for part in path.parts) else Entry(info, path)


def entry_name(info: zipfile.ZipInfo) -> str:
    """Return the name of an entry. Without the mark for UTF-8 it may be that, GB 18030 or code page 437."""
    name = info.orig_filename
    if info.flag_bits & _UTF8:
        return name
    try:
        raw = name.encode("cp437")
    except UnicodeEncodeError:
        return name
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name


def printable(name: str) -> str:
    """Return a name that can be stored and shown: control characters and half surrogates become a mark."""
    return "".join("\N{REPLACEMENT CHARACTER}" if is_control(c) else c for c in name)[:200]


def is_control(character: str) -> bool:
    """Return whether a character is no text: a control character or half a surrogate pair."""
    return unicodedata.category(character) in {"Cc", "Cs"}


def _name_refused(name: str) -> str:
    parts = name.replace("\\", "/").split("/")
    if not name or any(is_control(character) for character in name):
        return _("Its name has characters that no file name has.")
    if name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        return _("Its name begins at the root of a disk; names inside an archive are relative.")
    if ".." in parts:
        return _("Its name leads out of the archive (..).")
    if (
        len(name) > _MOST_PATH
        or len(parts) > _MOST_DEPTH
        or any(len(part.encode()) > _MOST_NAME_BYTES for part in parts)
    ):
        return _("Its name is too long, or in too many folders.")
    return ""


def _kind_refused(info: zipfile.ZipInfo, name: str) -> str:
    if info.flag_bits & _ENCRYPTED:
        return _("It is encrypted. Send it without a password.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return _("It is a link to another file. Send the file itself.")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return _("It is a device or another special file.")
    if PurePosixPath(name).suffix.lower() in ARCHIVE_SUFFIXES:
        return _("It is an archive inside the archive. Send it by itself.")
    if info.compress_type not in _METHODS:
        return _("It is packed by a method that is not read (number %(number)d). Use “deflate”.") % {
            "number": info.compress_type
        }
    if info.file_size > settings.UPLOAD_MAX_BYTES:
        return _("It has %(found)s; a file may have %(limit)s.") % {
            "found": filesizeformat(info.file_size),
            "limit": filesizeformat(settings.UPLOAD_MAX_BYTES),
        }
    return ""


def _table_length(file: BinaryIO, filename: str) -> tuple[int, int]:
    """Return (bytes, entries) of the table as the end of the archive announces them. Raises ZipRefused."""
    damaged = ZipRefused(
        _("%(file)s is damaged: it has no table of contents at its end. Pack it again.") % {"file": filename}
    )
    size = file.seek(0, 2)
    start = max(0, size - _END.size - 65_535)
    file.seek(start)
    tail = file.read()
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or len(tail) - found < _END.size:
        raise damaged
    fields = _END.unpack_from(tail, found)
    length, entries = fields[5], fields[4]
    at = start + found - _END64_LOCATOR.size
    if at >= 0:
        file.seek(at)
        mark, _disk, position, _disks = _END64_LOCATOR.unpack(file.read(_END64_LOCATOR.size))
        if mark == b"PK\x06\x07":
            # The reader looks right before the locator, whatever the locator says; we believe the larger of both.
            for place in {min(position, size), max(0, at - _END64.size)}:
                file.seek(place)
                block = file.read(_END64.size)
                if len(block) == _END64.size and block[:4] == b"PK\x06\x06":
                    values = _END64.unpack(block)
                    length, entries = max(length, values[8]), max(entries, values[7])
    return length, entries
