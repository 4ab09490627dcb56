"""Which bands the scenes of a collection have, and some scenes to try a band recipe on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from imagery.models import Asset, Collection, Scene
from imagery.readers.bands import COMMON_NAMES
from imagery.readers.bandset import set_bands
from imagery.readers.sidecars import SIDECAR_KEYS

_LOOKED_AT: Final = 200
"""Scenes whose bands are looked at: their ids are random, so that they speak for the collection."""


@dataclass(frozen=True)
class BandChoice:
    """A band that can be named in a recipe: by what it sees (``common``) or by its own name, and how many have it."""

    name: str
    common: bool
    also: tuple[str, ...]
    """The other names of the same bands."""
    scenes: int


@dataclass(frozen=True)
class CollectionBands:
    """``choices`` in alphabetical order, common names first; ``looked_at`` is how many scenes were looked at."""

    choices: tuple[BandChoice, ...]
    looked_at: int


def collection_bands(collection: Collection) -> CollectionBands:
    """Return the bands of a random sample of the collection's READY scenes."""
    rows = Scene.objects.ready().filter(collection=collection).order_by("pk")
    scenes: dict[UUID, list[Any]] = dict(rows.values_list("pk", "bands")[:_LOOKED_AT])
    files: dict[UUID, dict[str, str]] = {}
    assets = Asset.objects.filter(scene__in=scenes, role=Asset.Role.DATA).exclude(key__in=SIDECAR_KEYS)
    for scene_id, key, filename in assets.values_list("scene_id", "key", "filename"):
        files.setdefault(scene_id, {})[key] = filename
    has: Counter[tuple[str, bool]] = Counter()
    also: dict[tuple[str, bool], set[str]] = {}
    for scene_id, stored in scenes.items():
        # Of band files all are counted; what was read of them may be only those that were shown.
        names = files.get(scene_id, {})
        pairs = _of_files(names) if len(names) > 1 else _of_scene(stored)
        mine = {(common, True) for _name, common in pairs if common} | {(name, False) for name, _common in pairs}
        has.update(mine)
        for name, common in pairs:
            also.setdefault((name, False), set()).update({common} - {"", name})
            if common:
                also.setdefault((common, True), set()).update({name} - {common})
    choices = [
        BandChoice(name=name, common=common, also=tuple(sorted(also[name, common])), scenes=count)
        for (name, common), count in sorted(has.items(), key=lambda item: (not item[0][1], item[0][0]))
        if common or (name, True) not in has
    ]
    return CollectionBands(choices=tuple(choices), looked_at=len(scenes))


def scenes_to_try(collection: Collection, *, most: int, after: UUID | None = None) -> list[tuple[Scene, list[Asset]]]:
    """Return up to ``most`` READY scenes of the collection with their files, in random order.

    ``after`` is the last one of those tried before; at the end it begins anew.
    """
    rows = Scene.objects.ready().filter(collection=collection).order_by("pk")
    scenes = list(rows.filter(pk__gt=after)[:most] if after else rows[:most])
    if not scenes and after:
        scenes = list(rows[:most])
    files: dict[UUID, list[Asset]] = {scene.pk: [] for scene in scenes}
    for asset in Asset.objects.filter(scene__in=files, role=Asset.Role.DATA):
        files[asset.scene_id].append(asset)
    return [(scene, files[scene.pk]) for scene in scenes]


def _of_files(names: dict[str, str]) -> list[tuple[str, str]]:
    return [(band.name, band.common_name) for band in set_bands(names)]


def _of_scene(bands: Sequence[Any]) -> list[tuple[str, str]]:
    found = []
    for band in bands:
        if isinstance(band, dict) and band.get("name"):
            name = str(band["name"])
            common = str(band.get("eo:common_name") or "")
            found.append((name, common or (name if name in COMMON_NAMES else "")))
        elif isinstance(band, str):
            found.append((band, band if band in COMMON_NAMES else ""))
    return found
