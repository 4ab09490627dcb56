"""Small files that lie beside an image and belong to it: world files, projections, masks, overviews."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Final

from imagery.readers.formats import format_of_extension

WORLD_FILE: Final = "worldfile"
PROJECTION: Final = "projection"
PAM: Final = "pam"
MASK: Final = "mask"
OVERVIEWS: Final = "overviews"
RPC: Final = "rpc"
SIDECAR_KEYS: Final = (WORLD_FILE, PROJECTION, PAM, MASK, OVERVIEWS, RPC)
"""Asset keys of sidecars, beside the image's own key ``data``."""
PLACING: Final = frozenset({WORLD_FILE, PROJECTION, RPC})
"""Those that say where the image lies: with another one of these it is another scene."""
TEXTS: Final = frozenset({WORLD_FILE, PROJECTION, PAM, RPC})
TEXT_MAX_BYTES: Final = 1024 * 1024
"""No sidecar that is text comes near this size."""


def sidecars_of(path: Path) -> dict[str, Path]:
    """Return the files beside an image that belong to it, by asset key (:data:`SIDECAR_KEYS`). Never raises."""
    found: dict[str, Path] = {}
    for name, key in _names(path.name):
        if key not in found:
            for spelled in (name, _upper(path.name, name)):
                beside = path.with_name(spelled)
                try:
                    there = beside != path and beside.is_file() and beside.stat().st_size > 0
                except OSError:
                    continue
                if there:
                    found[key] = beside
                    break
    return found


def sidecars_among(name: str, names: Iterable[str]) -> dict[str, str]:
    """Return which of ``names`` (uploaded together, no folders) are sidecars of the image ``name``, by asset key."""
    known = {each.lower(): each for each in names if each != name}
    found: dict[str, str] = {}
    for wanted, key in _names(name):
        if wanted.lower() in known:
            found.setdefault(key, known[wanted.lower()])
    return found


def sidecar_name(key: str, image: str) -> str:
    """Return the name a sidecar needs beside an image of the name ``image``, so that :func:`sidecars_of` finds it.

    Raises ValueError for a key that is no sidecar's.
    """
    for name, its_key in _names(image):
        if its_key == key:
            return name
    raise ValueError(f"{key} is not the key of a sidecar")


def sidecar_media_type(key: str) -> str:
    """Return the media type of a sidecar."""
    return {PAM: "application/xml", MASK: "image/tiff", OVERVIEWS: "image/tiff"}.get(key, "text/plain")


def _names(image: str) -> list[tuple[str, str]]:
    """Return the names sidecars of an image may have, best first, with their asset key.

    A world file is called by the first and last letter of the extension and a w (.png: .pgw), by the extension and a
    w (.tifw), or .wld; everything else as GDAL and ESRI write it.
    """
    stem, suffix = PurePath(image).stem, PurePath(image).suffix.lstrip(".")
    world = [f"{suffix[0]}{suffix[-1]}w", f"{suffix}w"] if suffix else []
    if format_of_extension(image) is not None and suffix.lower() in {"jpeg", "jpe"}:
        world.append("jgw")
    if suffix.lower() in {"tiff", "gtiff"}:
        world.append("tfw")
    return [
        *((f"{stem}.{each.lower()}", WORLD_FILE) for each in (*world, "wld")),
        (f"{stem}.prj", PROJECTION),
        (f"{image}.aux.xml", PAM),
        (f"{image}.msk", MASK),
        (f"{image}.ovr", OVERVIEWS),
        (f"{stem}_RPC.TXT", RPC),
        (f"{stem}_rpc.txt", RPC),
        (f"{stem}.RPB", RPC),
    ]


def _upper(image: str, name: str) -> str:
    """Return ``name`` with what follows the image's own stem in capitals (SCENE.TFW beside SCENE.TIF)."""
    stem = PurePath(image).stem
    return stem + name[len(stem) :].upper()
