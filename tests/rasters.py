"""Scenes over real raster files whose samples tell where they are: red is the column, green the row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from imagery.models import Asset, Collection, Scene
from imagery.readers import open_scene
from imagery.readers.formats import FACTS
from tests.images import geotiff

SIDE = 250
"""Columns and rows of a telling raster: each is a value of a byte."""


def telling(side: int = SIDE) -> NDArray[np.uint8]:
    """Return (3, side, side) uint8: red the column, green the row, blue 128."""
    columns, rows = np.meshgrid(np.arange(side), np.arange(side))
    return np.stack([columns, rows, np.full_like(rows, 128)]).astype(np.uint8)


def telling_raster(path: Path, crs: str, transform: Affine, **profile: Any) -> Path:
    """Write such a raster."""
    return geotiff(path, telling(), crs=crs, transform=transform, **profile)


def raster_scene(collection: Collection, path: Path | Mapping[str, Path], **fields: Any) -> Scene:
    """Return a READY scene of files that stay where they are, with what reading tells of them."""
    files = {"data": path} if isinstance(path, Path) else dict(path)
    with open_scene(files) as reader:
        footprint = reader.footprint
        west, south, east, north = footprint.bbox if footprint else (None, None, None, None)
        values: dict[str, Any] = {
            "title": next(iter(files.values())).name,
            "status": Scene.Status.READY,
            "width": reader.width,
            "height": reader.height,
            "proj_code": reader.proj_code,
            "footprint": footprint.geometry if footprint else None,
            "gsd": reader.gsd_m,
            "west": west,
            "south": south,
            "east": east,
            "north": north,
        }
        media_type = FACTS[reader.format].media_type
    sums = {key: hashlib.sha256(file.read_bytes()).hexdigest() for key, file in files.items()}
    values["content_hash"] = hashlib.sha256("".join(sums.values()).encode()).hexdigest()
    scene = Scene.objects.create(collection=collection, **{**values, **fields})
    for key, file in files.items():
        Asset.objects.create(
            scene=scene, key=key, role=Asset.Role.DATA, path=str(file), managed=False, filename=file.name,
            media_type=media_type, size=file.stat().st_size, sha256=sums[key],
        )  # fmt: skip
    return scene
