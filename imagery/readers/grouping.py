"""Band files of one product that lie side by side belong together: S2_B04.jp2, S2_B03.jp2, S2_B02.jp2 are a scene."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagery.readers.formats import FACTS, format_of_extension

# name, separator, B, number (with 8A) or QA, and the resolution that level-2A products add (B04_10m).
_BAND_NAME: Final = re.compile(r"^(?P<stem>.*?)[_\-. ]?B(?P<band>\d{1,2}A?|QA)(?:_(?P<metres>10|20|60)m)?$", re.I)
_OLD_LANDSAT: Final = re.compile(r"^(LT0?[45]|LE0?7)", re.IGNORECASE)
_SENTINEL2: Final = {"red": "04", "green": "03", "blue": "02"}
_LANDSAT8: Final = {"red": "4", "green": "3", "blue": "2"}
_LANDSAT_4_TO_7: Final = {"red": "3", "green": "2", "blue": "1"}


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene by asset key: ``data``, or ``red``, ``green``, ``blue`` and further bands (``B08``)."""

    files: dict[str, Path]
    name: str

    @property
    def is_band_set(self) -> bool:
        """Whether the scene is made of band files."""
        return "red" in self.files


def group_band_files(paths: Iterable[Path]) -> list[SceneFiles]:
    """Return the scenes that ``paths`` hold, in their order; band files without a full red, green, blue stand alone.

    Only names are looked at. A product's files at several resolutions (level 2A) make one scene of its 10 m files.
    """
    ordered = list(dict.fromkeys(paths))
    groups: dict[tuple[Path, str, str, str], dict[str, Path]] = defaultdict(dict)
    for path in ordered:
        match = _BAND_NAME.match(path.stem)
        format = format_of_extension(path.name)
        if match and format is not None and not FACTS[format].whole_image:
            key = (path.parent, match["stem"], path.suffix.lower(), match["metres"] or "")
            groups[key].setdefault(match["band"].upper(), path)
    scenes: dict[Path, SceneFiles] = {}
    for (_folder, stem, _suffix, _metres), bands in groups.items():
        colours = _colours(stem, bands)
        if colours is None:
            continue
        files = {colour: bands[number] for colour, number in colours.items()}
        files |= {f"B{number}": path for number, path in sorted(bands.items()) if number not in colours.values()}
        name = stem.rstrip("_-. ") or next(iter(files.values())).parent.name
        scene = SceneFiles(files=files, name=name)
        scenes |= dict.fromkeys(files.values(), scene)
    found: list[SceneFiles] = []
    for path in ordered:
        scene = scenes.get(path) or SceneFiles(files={"data": path}, name=path.stem)
        if scene not in found[-1:] and (not scene.is_band_set or scene not in found):
            found.append(scene)
    return found


def _colours(stem: str, bands: dict[str, Path]) -> dict[str, str] | None:
    choices = [_SENTINEL2, _LANDSAT_4_TO_7 if _OLD_LANDSAT.match(stem) else _LANDSAT8]
    return next((choice for choice in choices if all(number in bands for number in choice.values())), None)
