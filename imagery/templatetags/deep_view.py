"""The deep view of a scene's page and the windows it outlines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django import template

from imagery.models import Scene

register = template.Library()

Window = tuple[int, int, int, int]


@register.simple_tag
def outlined(scene: Scene, window: Window | None, matches: Sequence[Window] = ()) -> list[Window]:
    """Return the windows to outline, strongest first: the one the address names, then the others that matched."""
    found: list[Window] = []
    for each in ([window] if window else []) + list(matches or ()):
        x, y, width, height = each
        inside = min(x, y) >= 0 and min(width, height) > 0 and x + width <= scene.width and y + height <= scene.height
        if inside and each not in found:
            found.append(each)
    return found


@register.simple_tag
def deep_facts(facts: dict[str, Any], windows: Sequence[Window]) -> str:
    """Return what the deep view is told, as JSON."""
    return json.dumps({**facts, "windows": [list(window) for window in windows]}, ensure_ascii=False)
