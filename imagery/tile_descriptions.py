"""What a map program is told of the tiles of a scene: TileJSON 3.0."""

from __future__ import annotations

from typing import Any

from imagery.maptiles import MAX_LATITUDE
from imagery.models import Scene
from imagery.scene_tiles import SceneTiles


def tilejson(tiles: SceneTiles, *, address: str) -> dict[str, Any]:
    """Return the TileJSON of a scene whose map tiles are at ``address`` (with {z}, {x} and {y}).

    Raises NoTile when it has none. A scene across the antimeridian has the bounds of the whole turn, because bounds
    must not wrap there (TileJSON 3.0, 3.4); its centre is in the scene.
    """
    scene = tiles.scene
    zooms = tiles.zooms
    assert scene.bbox is not None
    west, south, east, north = scene.bbox
    middle = (west + (east if west <= east else east + 360)) / 2
    south, north = max(south, -MAX_LATITUDE), min(north, MAX_LATITUDE)
    return {
        "tilejson": "3.0.0",
        "name": scene.title,
        "description": scene.collection.title,
        "version": "1.0.0",
        "attribution": attribution(scene),
        "scheme": "xyz",
        "tiles": [address],
        "minzoom": zooms.least,
        "maxzoom": zooms.most,
        "bounds": [west, south, east, north] if west <= east else [-180.0, south, 180.0, north],
        "center": [round((middle + 180) % 360 - 180, 7), round((south + north) / 2, 7), zooms.least],
    }


def attribution(scene: Scene) -> str:
    """Return who is to be named beside the picture: providers, else the collection; and the licence. Plain text."""
    providers = getattr(scene.collection, "providers", None) or []
    names = [str(provider.get("name", "")) for provider in providers if isinstance(provider, dict)]
    said = ", ".join(name for name in names if name) or scene.collection.title
    return f"{said} ({scene.collection.license})" if scene.collection.license else said
