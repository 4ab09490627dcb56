"""Zip archives of every kind, harmless and not, written byte by byte where the library would not."""

import io
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path


def zip_of(path: Path, entries: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive of ordinary files."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def add(path: Path, name: str, content: bytes = b"", *, mode: int = 0, flags: int = 0, method: int = 8) -> None:
    """Append an entry with a Unix mode (a link: ``stat.S_IFLNK``), flags (1: encrypted) or a method in its table."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (mode or stat.S_IFREG | 0o644) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, content)
        if flags or method != 8:
            info.flag_bits |= flags
            info.compress_type = method


def raw_name(path: Path, old: bytes, new: bytes) -> None:
    """Write another name of the same length into an archive, in both places, and drop the mark for UTF-8."""
    assert len(old) == len(new)
    content = path.read_bytes()
    assert content.count(old) == 2
    path.write_bytes(content.replace(old, new))


def lying_size(path: Path, real: int, told: int) -> None:
    """Write another unpacked size of an entry into both headers."""
    content = path.read_bytes()
    assert content.count(struct.pack("<L", real)) >= 2
    path.write_bytes(content.replace(struct.pack("<L", real), struct.pack("<L", told)))


def overlapping(path: Path, copies: int, content: bytes) -> Path:
    """Write an archive whose table names one packed file ``copies`` times."""
    single = io.BytesIO()
    with zipfile.ZipFile(single, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a000.tif", content)
    whole = single.getvalue()
    start = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    record = whole[start:end]
    table = b"".join(record.replace(b"a000.tif", b"a%03d.tif" % number) for number in range(copies))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, copies, copies, len(table), start, 0)
    path.write_bytes(whole[:start] + table + tail)
    return path
