"""Which files that come together make one scene, told by their names alone: bands of a product, images and sidecars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Final

from imagery.readers.formats import EXTENSIONS
from imagery.readers.grouping import SceneFiles, group_band_files
from imagery.readers.sidecars import sidecars_among
from imagery.services.accept import Source, SourceFile

_IGNORED_PARTS: Final = (".", "__MACOSX")
_IGNORED_NAMES: Final = frozenset({"thumbs.db", "desktop.ini"})

_MOST_KEY: Final = 300


@dataclass(frozen=True)
class Group:
    """The files of one scene: positions in the list that was asked about, and what the scene is called.

    ``key`` is the path of one of its files: other than the name, no other scene of the list has it.
    """

    name: str
    key: str
    files: tuple[int, ...]


def upload_groups(names: Sequence[str], *, bands: Sequence[str] = ()) -> tuple[list[Group], list[int]]:
    """Return the scenes that files of these names make, and the positions of files that belong to none.

    ``names`` are relative paths with ``/``; only files in one folder belong together, those that hold all ``bands``
    (a collection's recipe) among them. Files of no scene are those
    of a folder that are neither imagery, sidecars of it, nor zip archives (a file chosen by itself always stands for
    a scene, so that its refusal is told).
    """
    paths = [PurePosixPath(name) for name in names]
    position: dict[PurePosixPath, int] = {}
    for number, path in enumerate(paths):
        position.setdefault(path, number)
    images = [path for path in position if path.suffix.lower() in EXTENSIONS and not is_hidden(path)]
    sidecars = _sidecars(images, position)
    groups: list[Group] = []
    taken: set[int] = set()
    for scene in group_band_files([Path(path) for path in images], wanted=bands):
        files = [PurePosixPath(path) for path in scene.files.values()]
        files += [beside for path in files for beside in sidecars.get(path, ())]
        numbers = tuple(dict.fromkeys(position[path] for path in files if position[path] not in taken))
        taken.update(numbers)
        key = str(min(files))[-_MOST_KEY:]
        groups.append(Group(name=scene.name if len(files) > 1 else files[0].name, key=key, files=numbers))
    left_out: list[int] = []
    for number, path in enumerate(paths):
        if number in taken:
            continue
        if len(path.parts) > 1 and (is_hidden(path) or path.suffix.lower() not in {".zip", *EXTENSIONS}):
            left_out.append(number)
        else:
            groups.append(Group(name=path.name, key=str(path)[-_MOST_KEY:], files=(number,)))
    return sorted(groups, key=lambda group: group.files[0]), left_out


def names_wanted(paths: Iterable[PurePosixPath]) -> set[PurePosixPath]:
    """Return the imagery among ``paths``, and the sidecars that lie beside it."""
    all_paths = list(paths)
    images = [path for path in all_paths if path.suffix.lower() in EXTENSIONS and not is_hidden(path)]
    return {*images, *(beside for found in _sidecars(images, all_paths).values() for beside in found)}


def source_of(found: SceneFiles, *, title: str = "", properties: dict[str, Any] | None = None) -> Source:
    """Return files that were found together as what the ingest service takes, under their own names."""
    files = [SourceFile(path=path, filename=path.name, key=key) for key, path in found.files.items()]
    return Source(files=files, title=title or (found.name if found.is_band_set else ""), properties=properties)


def is_hidden(path: PurePath) -> bool:
    """Return whether a file is none of the sender's: written by an operating system, or in a hidden folder."""
    return path.name.lower() in _IGNORED_NAMES or any(part.startswith(_IGNORED_PARTS) for part in path.parts)


def _sidecars(
    images: Sequence[PurePosixPath], paths: Iterable[PurePosixPath]
) -> dict[PurePosixPath, list[PurePosixPath]]:
    """Return the sidecars of each image among ``paths``."""
    near: dict[tuple[PurePosixPath, str], list[str]] = defaultdict(list)
    for path in paths:
        near[path.parent, _stem(path)].append(path.name)
    found: dict[PurePosixPath, list[PurePosixPath]] = {}
    for image in images:
        names = [name for name in near[image.parent, _stem(image)] if name != image.name]
        if names:
            found[image] = [image.parent / name for name in sidecars_among(image.name, names).values()]
    return found


def _stem(path: PurePosixPath) -> str:
    """Return what the names of an image and of all its sidecars begin with, so that few are compared."""
    return path.name.partition(".")[0].lower().removesuffix("_rpc")
