"""Looking through a folder of the operator's archive: names, sizes and times only, one directory at a time.

Nothing is opened. No symbolic link is followed: what it names inside the folder is met at its own place, and what it
names outside was not registered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from imagery.readers.formats import EXTENSIONS
from imagery.readers.vrt import vrt_allowed

_IGNORED: Final = (".", "__MACOSX")
_LONGEST_PATH: Final = 1000  # characters, as the catalogue keeps them


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file with an image's extension: its path below the folder, size in bytes, time of its last change in ns.

    ``changed_at`` is the later of the times its content and its entry changed (seconds since 1970): a file that was
    copied a moment ago may carry an old time of its content.
    """

    relative: str
    size: int
    modified_ns: int
    changed_at: float


@dataclass
class FoundDirectory:
    """One directory, ``relative`` to the folder ("" is the folder itself).

    ``problem`` says why it (or a file of it, in ``unreadable``) could not be looked at; ``links_out`` are symbolic
    links that lead out of the folder.
    """

    relative: str
    files: list[FoundFile] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)
    links_out: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    problem: str = ""


def directories_walk(root: Path, *, recursive: bool) -> Iterator[FoundDirectory]:
    """Yield the folder and, if ``recursive``, all directories below it; memory holds the names that still wait."""
    waiting = [""]
    while waiting:
        found = directory_list(root, waiting.pop())
        if recursive:
            waiting += reversed(found.directories)
        yield found


def directory_list(root: Path, relative: str) -> FoundDirectory:
    """Return what lies in one directory, files by name. Never raises OSError: see ``problem``."""
    found = FoundDirectory(relative)
    try:
        with os.scandir(root / relative) as entries:
            for entry in entries:
                _take(entry, root, found)
    except (FileNotFoundError, NotADirectoryError):
        return FoundDirectory(relative)  # Gone since its name was read: as if it had gone before.
    except OSError as error:
        return FoundDirectory(relative, problem=error.strerror or str(error))
    found.files.sort(key=lambda file: file.relative)
    found.directories.sort()
    return found


def is_settled(file: FoundFile, *, seconds: float) -> bool:
    """Return whether the file has not been touched for ``seconds``: one that is still being copied has.

    A time in the future (clocks differ) says nothing, and must not keep the file waiting for ever.
    """
    return not 0 <= time.time() - file.changed_at < seconds


def _take(entry: os.DirEntry[str], root: Path, found: FoundDirectory) -> None:
    if entry.name.startswith(_IGNORED):
        return
    relative = f"{found.relative}/{entry.name}" if found.relative else entry.name
    try:
        if entry.is_symlink():
            if not Path(entry.path).resolve().is_relative_to(root):
                found.links_out.append(relative)
        elif entry.is_dir(follow_symlinks=False):
            found.directories.append(relative)
        elif entry.is_file(follow_symlinks=False) and _is_imagery(entry):
            if (problem := _cannot_be_kept(root, relative)) is not None:
                found.unreadable.append((relative.encode(errors="replace").decode(), problem))
                return
            status = entry.stat(follow_symlinks=False)
            changed_at = max(status.st_mtime, status.st_ctime)
            found.files.append(FoundFile(relative, status.st_size, status.st_mtime_ns, changed_at))
    except FileNotFoundError:
        return  # Gone between the listing and the question: as if it had gone before.
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other.
        found.unreadable.append((relative, getattr(error, "strerror", None) or str(error)))


def _is_imagery(entry: os.DirEntry[str]) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()
    return suffix in EXTENSIONS or (suffix == ".vrt" and vrt_allowed(Path(entry.path)))


def _cannot_be_kept(root: Path, relative: str) -> str | None:
    """Return why the catalogue cannot hold the path, or None."""
    try:
        relative.encode()
    except UnicodeEncodeError:
        return "name is not UTF-8"
    return "path too long" if len(str(root)) + 1 + len(relative) > _LONGEST_PATH else None
