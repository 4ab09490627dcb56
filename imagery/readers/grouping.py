"""Band files of one product that lie side by side belong together: S2_B04.jp2, S2_B03.jp2, S2_B02.jp2 are a scene."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from imagery.readers.bands import COLOURS, band_position
from imagery.readers.bandset import set_bands
from imagery.readers.formats import FACTS, format_of_extension

# name, separator, B, number (with 8A) or QA, and the resolution that level-2A products add (B04_10m).
_BAND_NAME: Final = re.compile(r"^(?P<stem>.*?)[_\-. ]?(?P<band>B(?:\d{1,2}A?|QA))(?:_(?P<metres>10|20|60)m)?$", re.I)
# What products carry beside their bands: masks, classes, temperatures. Sentinel-2 level 2A; Landsat collection 2.
_BESIDE: Final = re.compile(
    r"^(?P<stem>.*?)_(?P<band>TCI|AOT|WVP|SCL|(?:SR_|ST_)?QA(?:_PIXEL|_RADSAT|_AEROSOL)?|SR_ATMOS_OPACITY|SR_CLOUD_QA"
    r"|ST_(?:B10|B6|ATRAN|CDIST|DRAD|EMIS|EMSD|TRAD|URAD))(?:_(?P<metres>10|20|60)m)?$",
    re.I,
)
_LEVEL_2: Final = re.compile(r"_(SR|ST)$", re.I)
_RESOLUTION_FOLDER: Final = re.compile(r"^R(10|20|60)m$", re.I)


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene by asset key: ``data``, or ``red``, ``green``, ``blue`` and further bands (``B08``)."""

    files: dict[str, Path]
    name: str

    @property
    def is_band_set(self) -> bool:
        """Whether the scene is made of band files."""
        return "data" not in self.files


@dataclass
class _Product:
    stem: str
    bands: dict[str, list[tuple[int, Path]]] = field(default_factory=lambda: defaultdict(list))
    beside: list[tuple[str, Path]] = field(default_factory=list)

    def files(self, wanted: Sequence[str]) -> dict[str, Path] | None:
        """Return the files by asset key, the finest of each band under its name; None if they show nothing."""
        finest: dict[str, Path] = {}
        others: dict[str, Path] = {}
        for band, paths in self.bands.items():
            (_metres, finest[band]), *coarser = sorted(paths)
            others |= {f"{band}_{metres}m": path for metres, path in coarser if metres}
        names = {band: path.name for band, path in finest.items()}
        bands = set_bands(names)
        colours = [band_position(bands, colour) for colour in COLOURS]
        if None in colours and (not wanted or None in [band_position(bands, name) for name in wanted]):
            return None
        keys = list(names)
        found: dict[str, Path] = {}
        if None not in colours:
            by_colour = {keys[at]: colour for at, colour in zip(colours, COLOURS, strict=True) if at is not None}
            found = {colour: finest.pop(band) for band, colour in by_colour.items()}
        found |= dict(sorted(finest.items())) | dict(sorted(others.items()))
        for key, path in self.beside:
            found.setdefault(key, path)
        return found


def group_band_files(paths: Iterable[Path], *, wanted: Sequence[str] = ()) -> list[SceneFiles]:
    """Return the scenes that ``paths`` hold, in their order. Only names are looked at.

    Band files are a scene when they hold red, green and blue, or all bands ``wanted`` (a collection's recipe), whose
    names may then also end file names (``S1_vv.tif``); others stand alone. A product's files at several resolutions
    (level 2A) make one scene: the finest of each band under its name, the others with their resolution
    (``B04_20m``).
    """
    ordered = list(dict.fromkeys(paths))
    products: dict[tuple[Path, str, str], _Product] = {}
    beside: list[tuple[tuple[Path, str, str], str, Path]] = []
    for path in ordered:
        format = format_of_extension(path.name)
        if format is None or FACTS[format].whole_image:
            continue
        if match := _BESIDE.match(path.stem):
            beside.append((_key(path, match["stem"]), _with_metres(match), path))
        elif match := _BAND_NAME.match(path.stem) or _ending(path.stem, wanted):
            stem, metres = match["stem"], match.groupdict().get("metres")
            key = _key(path, stem)
            product = products.setdefault(key, _Product(key[1]))
            product.bands[_band(match["band"])].append((int(metres or 0), path))
    for key, name, path in beside:
        if key in products:
            products[key].beside.append((name, path))
    scenes: dict[Path, SceneFiles] = {}
    for product in products.values():
        files = product.files(wanted)
        if files is not None:
            first = next(iter(files.values()))
            scene = SceneFiles(files=files, name=product.stem.rstrip("_-. ") or product_folder(first).name)
            scenes |= dict.fromkeys(files.values(), scene)
    found: dict[Path, SceneFiles] = {}
    for path in ordered:
        scene = scenes.get(path) or SceneFiles(files={"data": path}, name=path.stem)
        found.setdefault(next(iter(scene.files.values())), scene)
    return list(found.values())


def _key(path: Path, stem: str) -> tuple[Path, str, str]:
    """Return what files of one product have in common: folder, name without band, extension."""
    return (product_folder(path), _LEVEL_2.sub("", stem), path.suffix.lower())


def product_folder(path: Path) -> Path:
    """Return the folder of a file, or the one above of a level-2A product's R10m, R20m and R60m."""
    return path.parent.parent if _RESOLUTION_FOLDER.match(path.parent.name) else path.parent


def _band(name: str) -> str:
    return name.upper() if _BAND_NAME.match(name) else name


def _ending(stem: str, wanted: Sequence[str]) -> re.Match[str] | None:
    """Match a file name that ends in the name of a wanted band."""
    names = "|".join(re.escape(name) for name in wanted if not name.isdigit())
    return re.match(rf"^(?P<stem>.*?)[_\-. ](?P<band>{names})$", stem, re.IGNORECASE) if names else None


def _with_metres(match: re.Match[str]) -> str:
    return match["band"].upper() + (f"_{match['metres']}m" if match["metres"] else "")
