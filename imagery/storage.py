"""The one door to files: what the portal keeps under the media folder, and archive files that it only reads.

A managed file appears under its name when it is complete (written beside, synced, renamed). Each scene has a folder
of its own, so deleting a scene is deleting a folder. Files of the operator's archive are opened for reading only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.utils.translation import gettext as _

from imagery.models import Asset
from imagery.readers.location import Location, RemoteFile
from rsportal.errors import InvalidInput, RsportalError

_CHUNK_BYTES: Final = 1024 * 1024
_FOLDER: Final = "scenes"
_TILES_FOLDER: Final = "tiles"
SCENE_FOLDERS: Final = (_FOLDER, _TILES_FOLDER)
"""Folders of the media folder in which each scene has a folder of its own, named after its id."""
_PART_SUFFIX: Final = ".part"


class AssetMissing(RsportalError):
    """The catalogue knows the file, the disk does not."""

    code = "missing"


class AssetChanged(AssetMissing):
    """The file is there, but its bytes are not those of the scene: the original is as good as missing."""

    code = "changed"


@dataclass(frozen=True)
class StoredFile:
    """A managed file: ``path`` relative to the media folder, size in bytes, SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


def media_root() -> Path:
    """Return the media folder."""
    return Path(settings.MEDIA_ROOT)


def asset_path(asset: Asset) -> Path:
    """Return where an asset's file lies. Raises AssetMissing if it is not there or lies elsewhere, AssetChanged if a
    check found other bytes in it than the scene was made of."""
    if asset.fixity == Asset.Fixity.CHANGED:
        raise AssetChanged(
            _("The file %(file)s was changed since this scene was made of it; restore it, or add it again.")
            % {"file": asset.filename}
        )
    return asset_place(asset)


def asset_place(asset: Asset) -> Path:
    """Return where an asset's file lies, whatever a check said of its bytes. Raises AssetMissing."""
    path = media_root() / asset.path if asset.managed else Path(asset.path)
    if asset.managed and not path.resolve().is_relative_to(media_root().resolve()):
        raise _missing(asset)
    try:
        there = path.is_file()
    except OSError as error:  # A folder on the way that this process may not enter, a share that is gone.
        raise _missing(asset) from error
    if not there:
        raise _missing(asset)
    return path


def asset_location(asset: Asset) -> Location:
    """Return where an asset's bytes are read: its file, or its address when the portal keeps none.

    Raises what :func:`asset_path` raises. An address is not asked whether the file is there: reading it will tell.
    """
    return RemoteFile(asset.href) if asset.href and not asset.path else asset_path(asset)


def asset_open(asset: Asset) -> BinaryIO:
    """Return the asset's file, open for reading. Raises AssetMissing."""
    try:
        return asset_path(asset).open("rb")
    except OSError as error:
        raise _missing(asset) from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def scene_folder(scene_id: UUID) -> str:
    """Return a scene's folder relative to the media folder (spread over 256 parents)."""
    return f"{_FOLDER}/{scene_id.hex[:2]}/{scene_id}"


def tiles_folder(scene_id: UUID) -> str:
    """Return the folder of a scene's drawn map tiles relative to the media folder (``imagery.tile_cache``)."""
    return f"{_TILES_FOLDER}/{scene_id.hex[:2]}/{scene_id}"


def file_copy_in(source: Path, *, scene_id: UUID, name: str, expected_sha256: str = "") -> StoredFile:
    """Copy a file into the scene's folder as ``name`` and return it.

    Raises InvalidInput when its bytes are not those of ``expected_sha256`` (it changed meanwhile) and OSError.
    """

    def write(target: BinaryIO) -> str:
        digest = hashlib.sha256()
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
        found = digest.hexdigest()
        if expected_sha256 and found != expected_sha256:
            raise InvalidInput(
                _("%(file)s changed while it was copied; add it again.") % {"file": source.name}, code="changed"
            )
        return found

    return _write_atomically(write, scene_id=scene_id, name=name)


def file_write(content: bytes, *, scene_id: UUID, name: str) -> StoredFile:
    """Write a derived file (a thumbnail) into the scene's folder and return it. Raises OSError."""

    def write(target: BinaryIO) -> str:
        target.write(content)
        return hashlib.sha256(content).hexdigest()

    return _write_atomically(write, scene_id=scene_id, name=name)


def scene_files_remove(scene_id: UUID) -> None:
    """Delete what the portal keeps of a scene; archive files lie elsewhere and are not touched."""
    shutil.rmtree(media_root() / scene_folder(scene_id), ignore_errors=True)
    shutil.rmtree(media_root() / tiles_folder(scene_id), ignore_errors=True)


def _write_atomically(write: Callable[[BinaryIO], str], *, scene_id: UUID, name: str) -> StoredFile:
    """Write a file that survives a power cut once this returns: rows that name it are committed afterwards."""
    relative = PurePosixPath(scene_folder(scene_id)) / name
    if relative.name != name or name in {"", ".", ".."}:
        raise ValueError(f"{name!r} is not a plain file name")
    target = media_root() / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{name}.{uuid4().hex[:8]}{_PART_SUFFIX}")
    try:
        with part.open("xb") as file:
            sha256 = write(file)
            size = file.tell()
            file.flush()
            os.fsync(file.fileno())
        part.chmod(settings.FILE_UPLOAD_PERMISSIONS)
        part.replace(target)
        for folder in (target.parent, *target.parent.parents[:2]):  # The name, and the folders that may be new.
            _folder_sync(folder)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return StoredFile(path=str(relative), size=size, sha256=sha256)


def _folder_sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _missing(asset: Asset) -> AssetMissing:
    return AssetMissing(
        _("The file %(file)s of this scene is missing on the server; restore it at its place.")
        % {"file": asset.filename}
    )
