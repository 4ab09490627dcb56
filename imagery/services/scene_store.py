"""Storing what reading told of scenes, and the pictures drawn of them: two statements for any number of scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from imagery.models import Asset, Scene
from imagery.services.prepare import Opened, StoredPicture
from imagery.stac.fields_in import FINGERPRINT, PLACED
from imagery.stac.grid import GRID_PROPERTIES
from imagery.thumbnails import MEDIA_TYPE

NOTE_PROPERTY: Final = "rsportal:georeference"
"""Why a scene has no place: one of the sentences the readers mark for translation, in English."""
_SENDERS_WORD: Final = ("gsd", "datetime")
"""Fields in which what the sender of the scene said goes before what its files say."""
_SCENE_FIELDS: Final = (
    "width", "height", "proj_code", "footprint", "west", "south", "east", "north", "bands", "placeholder", "stretch",
    "gsd", "datetime", "properties", "perceptual_hash", "stac", "updated_at",
)  # fmt: skip
_PLACE: Final = ("footprint", "west", "south", "east", "north", "proj_code")
_ASSET_FIELDS: Final = ("role", "path", "managed", "filename", "media_type", "size", "sha256", "width", "height")


def scenes_store(opened: Sequence[Opened]) -> None:
    """Update the scenes and upsert their thumbnail and overview assets. Call inside a transaction.

    The scenes' rows are locked; one that was deleted meanwhile stays deleted.
    """
    if not opened:
        return
    events = {event.work.scene_id: event for event in opened}
    scenes = list(Scene.objects.filter(pk__in=events).order_by("pk").select_for_update())
    assets = []
    for scene in scenes:
        facts = events[scene.pk].facts
        for name, value in _told(scene, facts.fields).items():
            if name not in _SENDERS_WORD or getattr(scene, name) is None:
                setattr(scene, name, value)
        scene.properties = _grid_told(scene, facts.properties)
        if facts.note:
            scene.properties = {**scene.properties, NOTE_PROPERTY: facts.note}
        assets.append(_asset(scene.pk, "overview", Asset.Role.OVERVIEW, facts.overview))
        assets.append(_asset(scene.pk, "thumbnail", Asset.Role.THUMBNAIL, facts.thumbnail))
    # An upsert of rows that exist and are locked: one plain statement, where bulk_update builds a CASE per value.
    Scene.objects.bulk_create(scenes, update_conflicts=True, unique_fields=["id"], update_fields=list(_SCENE_FIELDS))
    Asset.objects.bulk_create(
        assets, update_conflicts=True, unique_fields=["scene", "key"], update_fields=list(_ASSET_FIELDS)
    )


def _told(scene: Scene, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the files tell of a scene. What the item of an imported one says stays where they say less."""
    if not scene.stac.get(FINGERPRINT):
        return dict(fields)
    told = dict(fields)
    if told.get("footprint") is None:
        for name in _PLACE:
            told.pop(name, None)
    else:
        told["stac"] = {**scene.stac, PLACED: "pixels"}
    bands = told.get("bands")
    if isinstance(bands, list) and len(bands) == len(scene.bands):
        told["bands"] = [{**read, **said} for read, said in zip(bands, scene.bands, strict=True)]
    return told


def _grid_told(scene: Scene, grid: Mapping[str, object]) -> dict[str, Any]:
    """Return a scene's properties with its grid; of an imported one, what its item says goes before."""
    if scene.stac.get(FINGERPRINT):
        return {**grid, **scene.properties}
    return {name: value for name, value in scene.properties.items() if name not in GRID_PROPERTIES} | dict(grid)


def _asset(scene_id: UUID, key: str, role: Asset.Role, stored: StoredPicture) -> Asset:
    return Asset(
        scene_id=scene_id,
        key=key,
        role=role,
        path=stored.file.path,
        managed=True,
        filename=f"{key}.webp",
        media_type=MEDIA_TYPE,
        size=stored.file.size,
        sha256=stored.file.sha256,
        width=stored.picture.width,
        height=stored.picture.height,
    )
