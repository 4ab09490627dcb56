"""What the page of a scene tells of its picture: to the deep view (sizes, addresses, words) and to map programs."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from imagery.models import Asset
from imagery.scene_tiles import SceneTiles
from imagery.tile_responses import absolute, tile_template

_STYLE_LETTERS: Final = 8


def deep_view(tiles: SceneTiles, *, overview: Asset) -> dict[str, Any]:
    """Return the facts of a READY scene as plain JSON (``imagery.templatetags.deep_view`` adds the windows)."""
    scene = tiles.scene
    square = reverse("imagery:deepzoom", args=[scene.pk, 0, 0, 0]).removesuffix("0/0_0.webp")
    return {
        "width": scene.width,
        "height": scene.height,
        "levels": tiles.levels,
        # The style is no part of the address; with it, a browser never shows squares of another stretch.
        "squares": f"{square}{{z}}/{{x}}_{{y}}.webp?v={tiles.style[:_STYLE_LETTERS]}",
        "thumbnail": reverse("imagery:thumbnail", args=[scene.pk]),
        "overview": reverse("imagery:overview", args=[scene.pk]),
        "overview_side": max(overview.width, overview.height, 1),
        "places": reverse("imagery:places", args=[scene.pk]) if scene.georeferenced else "",
        "words": {
            "region": _("Picture of the scene. Arrow keys move it, + and − zoom, 0 shows all of it, F is full screen."),
            "zoom_in": _("Zoom in"),
            "zoom_out": _("Zoom out"),
            "whole": _("Show the whole scene"),
            "full": _("Full screen"),
            "leave": _("Leave full screen"),
            "column": _("column"),
            "row": _("row"),
            "pointer": _("At the pointer: longitude, latitude (WGS 84) and pixel"),
            "middle": _("In the middle of the view: longitude, latitude (WGS 84) and pixel"),
            "scale": _("Length on the ground in the middle of the view"),
            "north": _("North"),
            "north_letter": pgettext("on the north arrow", "N"),
        },
    }


def map_tiles(tiles: SceneTiles, request: HttpRequest) -> dict[str, Any]:
    """Return ``xyz``, the template of the scene's map tiles over the API as people paste it, and their ``zooms``."""
    first = reverse("api:scene-map-tile", kwargs={"pk": tiles.scene.pk, "z": 0, "x": 0, "y": 0})
    return {"xyz": absolute(request, tile_template(first)), "zooms": tiles.zooms}
