"""Media folders without a scene: what a process left that was killed between copying a file and storing its row."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from django.utils.translation import gettext as _

from imagery.models import Scene
from imagery.storage import SCENE_FOLDERS, media_root
from rsportal.errors import Conflict

YOUNGEST_HOURS: Final = 1.0
"""Work that is going on has written to its folder in the last hour."""
_SUSPICIOUS_FOLDERS: Final = 20
_SUSPICIOUS_SHARE: Final = 0.5
_TOGETHER: Final = 500


@dataclass
class Sweep:
    """``orphans``: folders relative to the media folder; bytes that they hold; how many folders there are in all."""

    orphans: list[str] = field(default_factory=list)
    bytes: int = 0
    folders: int = 0
    young: int = 0
    deleted: int = 0


def orphans_find(*, older_than_hours: float = 24.0) -> Sweep:
    """Return the folders of no known scene in which nothing has changed for so long. Nothing is deleted."""
    sweep = Sweep()
    before = _now() - max(older_than_hours, YOUNGEST_HOURS) * 3600
    for together in _folders():
        known = set(Scene.objects.filter(pk__in=together.values()).values_list("pk", flat=True))
        sweep.folders += len(together)
        for relative, scene_id in together.items():
            if scene_id in known:
                continue
            newest, size = _newest_and_size(media_root() / relative)
            if newest > before:
                sweep.young += 1
                continue
            sweep.orphans.append(relative)
            sweep.bytes += size
    return sweep


def orphans_delete(*, older_than_hours: float = 24.0, force: bool = False) -> Sweep:
    """Delete what :func:`orphans_find` finds, each after asking for its scene once more.

    Raises Conflict, unless ``force``, when more than half of all folders would go: then this is more likely the wrong
    (or an older) database than so many orphans.
    """
    sweep = orphans_find(older_than_hours=older_than_hours)
    many = len(sweep.orphans)
    if many >= _SUSPICIOUS_FOLDERS and many > _SUSPICIOUS_SHARE * sweep.folders and not force:
        raise Conflict(
            _(
                "%(count)d of the %(all)d folders belong to no scene of this database. Is it the right one, and not an "
                "older copy? Nothing was deleted."
            )
            % {"count": many, "all": sweep.folders}
        )
    for relative in sweep.orphans:
        if Scene.objects.filter(pk=UUID(Path(relative).name)).exists():
            continue
        shutil.rmtree(media_root() / relative, ignore_errors=True)
        sweep.deleted += 1
    return sweep


def _now() -> float:
    return time.time()


def _folders() -> Iterator[dict[str, UUID]]:
    """Yield the scenes' folders with the id that each is named after, some hundreds at a time."""
    together: dict[str, UUID] = {}
    for kind in SCENE_FOLDERS:
        for parent in _directories(media_root() / kind):
            for folder in _directories(parent):
                try:
                    scene_id = UUID(folder.name)
                except ValueError:
                    continue  # Not ours.
                if str(scene_id) == folder.name:
                    together[f"{kind}/{parent.name}/{folder.name}"] = scene_id
                if len(together) >= _TOGETHER:
                    yield together
                    together = {}
    yield together


def _directories(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            yield from (Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return


def _newest_and_size(folder: Path) -> tuple[float, int]:
    """Return when something last changed in a folder (seconds since 1970), and the bytes in it."""
    newest, size = folder.lstat().st_mtime, 0
    for parent, _folders_in, files in os.walk(folder):
        for path in (Path(parent), *(Path(parent) / name for name in files)):
            status = path.lstat()
            newest, size = max(newest, status.st_mtime, status.st_ctime), size + status.st_size
    return newest, size
