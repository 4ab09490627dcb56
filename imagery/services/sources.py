"""Finding image files in folders, and what taking them in would cost, without writing anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagery.readers import open_scene
from imagery.readers.formats import EXTENSIONS, FACTS
from imagery.readers.grouping import SceneFiles, group_band_files
from imagery.readers.sidecars import SIDECAR_KEYS, sidecars_of
from imagery.readers.vrt import vrt_allowed
from imagery.services.accept import Source, SourceFile
from imagery.tiling import DEFAULT_RULE, TileRule, all_windows_count, level_sides, tile_windows
from imagery.validation import FileFacts, file_check
from rsportal.errors import InvalidInput, RsportalError

# Written beside images by GIS programs and cameras: never images to search.
_IGNORED_PARTS: Final = (".", "__MACOSX")


@dataclass(frozen=True)
class Plan:
    """What one source would become: format in words, size in bytes, pixels, tiles; or why it would be refused.

    ``tiles``: at most, windows without data are left out when the pixels are read. ``tiles_all``: if the collection's
    limit on windows did not end its levels early. ``finest``: side of its smallest windows in source pixels. ``gsd_m``:
    the sampling of its pixels in metres, where known.
    """

    source: SceneFiles
    format: str = ""
    size: int = 0
    width: int = 0
    height: int = 0
    tiles: int = 0
    tiles_all: int = 0
    finest: int = 0
    gsd_m: float | None = None
    reason: str = ""

    @property
    def cut_short(self) -> bool:
        """Whether finer windows are left out because there would be too many."""
        return self.tiles < self.tiles_all


def sources_find(paths: Sequence[Path], *, recursive: bool, bands: Sequence[str] = ()) -> list[SceneFiles]:
    """Return the scenes in ``paths``: files as named, folders by accepted extensions (below them if ``recursive``).

    ``bands`` are those the collection's recipe shows: files that hold them all make one scene, too.
    Raises InvalidInput naming a path that does not exist.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += _in_folder(path, recursive)
        elif path.exists():
            files.append(path)
        else:
            raise InvalidInput(f"{path} does not exist.", field="path")
    return scenes_among(files, bands=bands)


def scenes_among(files: Sequence[Path], *, bands: Sequence[str] = ()) -> list[SceneFiles]:
    """Return the scenes that these files make, each with the sidecars that lie beside it; ``bands`` as above."""
    return [_with_sidecars(scene) for scene in group_band_files(files, wanted=bands)]


def _with_sidecars(scene: SceneFiles) -> SceneFiles:
    """Return the scene with the files that lie beside its image: world file, projection, mask, overviews."""
    return scene if scene.is_band_set else SceneFiles(scene.files | sidecars_of(scene.files["data"]), scene.name)


def source_plan(source: SceneFiles, *, bands: Sequence[str] = (), rule: TileRule = DEFAULT_RULE) -> Plan:
    """Return what taking in ``source`` would do, when ``bands`` of it are shown and ``rule`` cuts it.

    Reads headers only.
    """
    checks: list[tuple[str, FileFacts]] = []
    try:
        for key, path in source.files.items():
            if key in SIDECAR_KEYS:
                continue
            checks.append((key, file_check(path, in_place=True)))
        with open_scene(source.files, bands=bands) as reader:
            width, height, gsd_m = reader.width, reader.height, reader.gsd_m
    except RsportalError as error:
        return Plan(source=source, reason=error.message)
    return Plan(
        source=source,
        format=FACTS[checks[0][1].format].label + (f" x {len(checks)} bands" if source.is_band_set else ""),
        size=sum(facts.size for _key, facts in checks),
        width=width,
        height=height,
        tiles=len(tile_windows(width, height, rule=rule, gsd_m=gsd_m)),
        tiles_all=all_windows_count(width, height, rule=rule, gsd_m=gsd_m),
        finest=(level_sides(width, height, rule=rule, gsd_m=gsd_m) or [max(width, height)])[-1],
        gsd_m=gsd_m,
    )


def source_of(found: SceneFiles) -> Source:
    """Return the files of a scene as they are taken in, under its name if they are several."""
    files = [SourceFile(path=path, filename=path.name, key=key) for key, path in found.files.items()]
    return Source(files=files, title=found.name if found.is_band_set else "")


def _in_folder(folder: Path, recursive: bool) -> Iterable[Path]:
    found = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(
        path
        for path in found
        if (path.suffix.lower() in EXTENSIONS or (path.suffix.lower() == ".vrt" and vrt_allowed(path)))
        and not any(part.startswith(_IGNORED_PARTS) for part in path.relative_to(folder).parts)
        and path.is_file()
    )
