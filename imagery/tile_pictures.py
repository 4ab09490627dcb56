"""Pictures of tiles for models that look at a few of them again: from the stored small pictures wherever those do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from PIL import Image

from imagery.models import Asset
from imagery.readers import Size
from imagery.rendering import scene_drawn
from imagery.storage import asset_location, asset_path
from imagery.tiling import TileWindow
from rsportal.errors import RsportalError

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from imagery.querysets import Viewer


@dataclass
class _SceneFiles:
    size: Size
    stretch: dict[str, Any]
    previews: list[Asset] = field(default_factory=list)
    data: list[Asset] = field(default_factory=list)


class TilePictures:
    """Pictures of windows of scenes that a person may see: one query for all, a file is read when asked for."""

    def __init__(self, scenes: dict[UUID, _SceneFiles]) -> None:
        self._scenes = scenes

    @classmethod
    def of(cls, *, scene_ids: Collection[UUID], user: Viewer) -> Self:
        """Look the files up. Scenes that ``user`` may not see have none."""
        return cls.among(Asset.objects.visible_to(user), scene_ids=scene_ids)

    @classmethod
    def among(cls, assets: QuerySet[Asset], *, scene_ids: Collection[UUID]) -> Self:
        """Look the files up among these: all of them only where no person sees anything of it."""
        rows = (
            assets.filter(scene__in=scene_ids)
            .select_related("scene")
            .only(
                "scene__width",
                "scene__height",
                "scene__stretch",
                "key",
                "role",
                "path",
                "managed",
                "href",
                "fixity",
                "filename",
                "width",
                "height",
            )
            .order_by("width", "key")
        )
        scenes: dict[UUID, _SceneFiles] = {}
        for asset in rows:
            known = scenes.setdefault(
                asset.scene_id, _SceneFiles((asset.scene.width, asset.scene.height), asset.scene.stretch)
            )
            (known.data if asset.role == Asset.Role.DATA else known.previews).append(asset)
        return cls(scenes)

    def picture(self, scene_id: UUID, window: TileWindow, *, side: int) -> Image.Image | None:
        """Return the window as 8-bit RGB, its shorter side ``side`` pixels or more unless the scene has fewer there.

        None when the scene is unknown or its file is missing or broken.
        """
        scene = self._scenes.get(scene_id)
        if scene is None or not all(scene.size):
            return None
        try:
            return self._drawn(scene, window, side)
        except (RsportalError, OSError):
            return None

    def _drawn(self, scene: _SceneFiles, window: TileWindow, side: int) -> Image.Image:
        wanted = min(side, window.width, window.height)
        for preview in scene.previews:  # The smallest first.
            scale = preview.width / scene.size[0]
            if min(window.width, window.height) * scale >= wanted - 0.5:
                try:
                    return _cut(preview, window, scale)
                except (RsportalError, OSError):
                    continue
        return _read(scene, window, side)


def _cut(preview: Asset, window: TileWindow, scale: float) -> Image.Image:
    with Image.open(asset_path(preview)) as image:
        if window.level == 0:
            return image.convert("RGB")
        x, y, width, height = (round(edge * scale) for edge in window.box)
        return image.crop((x, y, x + max(1, width), y + max(1, height))).convert("RGB")


def _read(scene: _SceneFiles, window: TileWindow, side: int) -> Image.Image:
    factor = min(1.0, side / min(window.width, window.height))
    size = (max(1, round(window.width * factor)), max(1, round(window.height * factor)))
    files = {asset.key: asset_location(asset) for asset in scene.data}
    names = {asset.key: asset.filename for asset in scene.data}
    with scene_drawn(files, names=names, stretch=scene.stretch) as renderer:
        return Image.fromarray(renderer.render(window.box, size).array)
