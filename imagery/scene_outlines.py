"""Where the windows of many scenes lie on Earth, opening a file only where the catalogue does not tell its grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from imagery.geometry_windows import window_polygon
from imagery.models import Asset, Scene
from imagery.readers.base import Window
from imagery.stac.grid import WKT
from imagery.stac.names import TRANSFORM
from imagery.storage import asset_path
from rsportal.errors import RsportalError

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

_GRID_FIELDS: Final = ("footprint", "proj_code", "properties", "width", "height")


@dataclass(frozen=True)
class Grid:
    """The pixel grid of a scene; ``crs`` and ``transform`` are None without a place."""

    crs: CRS | None
    transform: Affine | None
    width: int
    height: int


def scene_grid(scene: Scene) -> Grid:
    """Return a scene's grid: from its reference system and ``proj:transform``, else from its files.

    A grid without a place is returned where neither tells it, or where the files are not there.
    """
    transform = _affine(scene.properties.get(TRANSFORM))
    system = scene.proj_code or scene.properties.get(WKT)
    crs = _crs(system) if isinstance(system, str) and system and transform is not None else None
    if crs is None:
        crs, transform = _of_files(scene)
    return Grid(crs, transform, scene.width, scene.height)


def window_outlines(scene: Scene, windows: Sequence[tuple[int, int, int, int]]) -> list[dict[str, Any] | None]:
    """Return the GeoJSON outline (lon, lat; WGS 84) of each window (x, y, width, height; pixels) of a scene."""
    if scene.footprint is None:
        return [None] * len(windows)
    whole = (0, 0, scene.width, scene.height)
    grid = scene_grid(scene) if any(window != whole for window in windows) else None
    return [scene.footprint if grid is None or window == whole else window_polygon(grid, window) for window in windows]


def windows_outlined(windows: Mapping[UUID, Window | None]) -> dict[UUID, dict[str, Any] | None]:
    """Return the GeoJSON outline of a window (x, y, width, height; None: the whole) of each of these scenes, by its id.

    Two queries for any number of them. Who may see the scenes is the caller's affair.
    """
    rows = Scene.objects.filter(pk__in=windows).only(*_GRID_FIELDS).prefetch_related("assets")
    return {
        scene.pk: window_outlines(scene, [windows[scene.pk] or (0, 0, scene.width, scene.height)])[0] for scene in rows
    }


def _affine(values: object) -> Affine | None:
    from affine import Affine

    if not isinstance(values, list) or len(values) not in {6, 9}:
        return None
    try:
        transform = Affine(*(float(value) for value in values[:6]))
    except (TypeError, ValueError):
        return None
    return transform if transform.determinant else None


@lru_cache(maxsize=256)
def _crs(system: str) -> CRS | None:
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        return CRS.from_string(system)
    except CRSError:
        return None


def _of_files(scene: Scene) -> tuple[CRS | None, Affine | None]:
    from imagery.readers import open_scene

    try:
        rows = [row for row in scene.assets.all() if row.role == Asset.Role.DATA and row.path]
        files = {row.key: asset_path(row) for row in rows}
        if not files:
            return None, None
        with open_scene(files, bands=scene.stretch.get("bands", ())) as reader:
            return reader.crs, reader.transform
    except RsportalError:
        return None, None
