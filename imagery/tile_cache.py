"""Drawn map tiles on disk, below the media folder: bounded, safe when several processes write, never the only copy.

A tile lies at ``tiles/<first of the scene's id>/<scene>/<style>/<kind>/<z>/<x>_<y>.webp``. The style names everything
the picture depends on, so a scene that is drawn otherwise has another folder, and the old one goes when the new one
begins. When more than the limit has been kept, the tiles not asked for longest go.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from django.conf import settings

from imagery.storage import media_root, tiles_folder

_FOLDER: Final = "tiles"
_LOCKS: Final = 256
_TOUCH_SECONDS: Final = 3600.0
"""How much later a tile that is asked for again counts as asked for again (spares a write for each look)."""
_SWEEP_SHARE: Final = 16
"""A process counts what it writes and sweeps after this part of the limit."""
_KEEP_SHARE: Final = 0.8
"""What a sweep leaves of the limit, so that the next one is some time away."""


@dataclass(frozen=True)
class TileKey:
    """One tile: its scene, its style (see the module), ``kind`` (map or pixels), zoom or level, column and row."""

    scene_id: UUID
    style: str
    kind: str
    z: int
    x: int
    y: int

    @property
    def path(self) -> Path:
        """Where the tile lies when it was drawn."""
        return _style_folder(self.scene_id, self.style) / self.kind / str(self.z) / f"{self.x}_{self.y}.webp"


class _Written:
    """Bytes this process wrote since its last sweep; it begins as if there were much, so that it looks once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes: int | None = None

    def add(self, size: int) -> bool:
        """Count; return whether it is time to sweep."""
        with self._lock:
            due = self._bytes is None or self._bytes + size > limit_bytes() // _SWEEP_SHARE
            self._bytes = 0 if due else (self._bytes or 0) + size
            return due


_written = _Written()


def limit_bytes() -> int:
    """Return how much may be kept; 0 keeps nothing."""
    return int(settings.TILE_CACHE_MB) * 1024 * 1024


def tile_read(key: TileKey) -> bytes | None:
    """Return a drawn tile, None when it is not kept."""
    path = key.path
    try:
        content = path.read_bytes()
    except OSError:
        return None
    with suppress(OSError):  # It may go this moment, which is no fault.
        if time.time() - path.stat().st_mtime > _TOUCH_SECONDS:
            os.utime(path)
    return content


def tile_write(key: TileKey, content: bytes) -> None:
    """Keep a drawn tile. A disk that is full or read-only only means that it is drawn again. Never raises OSError."""
    if limit_bytes() == 0:
        return
    path = key.path
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    with suppress(OSError):
        if not _style_folder(key.scene_id, key.style).is_dir():
            _other_styles_remove(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(content)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        if _written.add(len(content)):
            sweep()


@contextmanager
def drawing(scene_id: UUID, *what: object) -> Iterator[None]:
    """Hold the right to draw something of a scene: whoever comes meanwhile, in any process, waits.

    Locks are files shared by many scenes; the system lets go of them when their process dies.
    """
    folder = media_root() / _FOLDER / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    slot = zlib.crc32("/".join(map(str, (scene_id, *what))).encode()) % _LOCKS
    with (folder / f"{slot}.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep() -> int:
    """Delete the tiles not asked for longest while there is more than the limit; return the bytes that are left.

    One process sweeps at a time; another returns at once (0).
    """
    root = media_root() / _FOLDER
    root.mkdir(parents=True, exist_ok=True)
    with (root / "sweep.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return 0
        found = sorted(_tiles(root))
        total = sum(size for _when, size, _path in found)
        if total <= limit_bytes():
            return total
        for _when, size, path in found:
            with suppress(OSError):
                os.unlink(path)
                total -= size
            if total <= limit_bytes() * _KEEP_SHARE:
                break
        return total


def _tiles(root: Path) -> Iterator[tuple[float, int, str]]:
    """Yield (when last asked for, bytes, path) of every kept tile."""
    for folder, _folders, names in os.walk(root):
        for name in names:
            if name.endswith((".webp", ".part")):
                path = os.path.join(folder, name)
                with suppress(OSError):
                    facts = os.stat(path)
                    yield facts.st_mtime, facts.st_size, path


def _other_styles_remove(key: TileKey) -> None:
    folder = _scene_folder(key.scene_id)
    if folder.is_dir():
        for style in folder.iterdir():
            if style.name != key.style:
                shutil.rmtree(style, ignore_errors=True)


def _scene_folder(scene_id: UUID) -> Path:
    return media_root() / tiles_folder(scene_id)


def _style_folder(scene_id: UUID, style: str) -> Path:
    return _scene_folder(scene_id) / style
