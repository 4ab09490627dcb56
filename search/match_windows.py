"""Which parts of a scene matched a search, as its ranking kept them."""

from collections.abc import Mapping
from typing import Any

from imagery.models import Tile

Window = tuple[int, int, int, int]
"""(x, y, width, height) in pixels of the scene, y downwards."""


def best_window(tile: Tile | None, reason: Mapping[str, Any]) -> Window | None:
    """The part that matched: a quarter of the tile if that won, else the tile unless it is the whole scene."""
    if tile is None:
        return None
    return _window(reason.get("regions")) or (tile.window if tile.level > 0 else None)


def match_windows(tile: Tile | None, reason: Mapping[str, Any]) -> list[Window]:
    """Return every part that matched, best first: the one that won, then the further places the ranking noted.

    Empty when only the scene as a whole matched.
    """
    best = best_window(tile, reason)
    noted = reason.get("windows")
    more = noted.get("more", []) if isinstance(noted, Mapping) else []
    found = [window for each in more if (window := _window(each))] if isinstance(more, list) else []
    return [best, *(window for window in found if window != best)] if best else found


def _window(value: object) -> Window | None:
    match value:
        case [int(x), int(y), int(width), int(height)] | (int(x), int(y), int(width), int(height)):
            return (x, y, width, height)
    return None
