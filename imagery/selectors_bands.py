"""Which bands the scenes of a collection have, and some scenes to try a band recipe on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from imagery.models import Asset, Collection, Scene
from imagery.readers.bands import COMMON_NAMES, band_code, band_position
from imagery.readers.bandset import set_bands
from imagery.readers.base import BandInfo
from imagery.readers.sidecars import SIDECAR_KEYS

_LOOKED_AT: Final = 200
"""Scenes whose bands are looked at: their ids are random, so that they speak for the collection."""


@dataclass(frozen=True)
class BandChoice:
    """A band a recipe can name, by what it sees (``common``) or by its own name; ``scenes`` is how many have it."""

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
    every = [
        # Of band files all are counted; what was read of them may be only those that were shown.
        set_bands(names) if len(names := files.get(scene_id, {})) > 1 else _of_scene(stored)
        for scene_id, stored in scenes.items()
    ]
    commons = {band.common_name for bands in every for band in bands} - {""}
    own = {band.name for bands in every for band in bands} - commons
    choices = [
        BandChoice(
            name=name,
            common=name in commons,
            also=_also(every, name),
            scenes=sum(band_position(bands, name) is not None for bands in every),
        )
        for name in (*sorted(commons), *sorted(own))
    ]
    return CollectionBands(choices=tuple(choices), looked_at=len(scenes))


def _also(every: Sequence[Sequence[BandInfo]], name: str) -> tuple[str, ...]:
    """Return the other names of the bands that ``name`` finds, of different sensors."""
    found = {bands[at] for bands in every if (at := band_position(bands, name)) is not None}
    return tuple(sorted({other for band in found for other in (band.name, band.common_name)} - {"", name}))


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


def _of_scene(stored: Sequence[Any]) -> tuple[BandInfo, ...]:
    found = []
    for band in stored:
        if isinstance(band, dict) and band.get("name"):
            name = str(band["name"])
            common = str(band.get("eo:common_name") or "") or (name if name in COMMON_NAMES else "")
            found.append(BandInfo(name=name, common_name=common, code=band_code(name)))
    return tuple(found)
