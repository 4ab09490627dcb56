"""Map tiles and pyramid squares of a scene: kept ones are read, others are drawn, each once however many ask."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import UUID

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from PIL import Image

from imagery import maptiles
from imagery.maptiles import TILE_SIDE
from imagery.models import Asset, Scene
from imagery.readers.formats import FACTS
from imagery.rendering import Renderer, scene_drawn
from imagery.selectors import scene_originals
from imagery.storage import asset_location
from imagery.tile_cache import TileKey, drawing, tile_read, tile_write
from imagery.warping import mercator_picture
from rsportal.errors import RsportalError, Unavailable

if TYPE_CHECKING:
    from imagery.querysets import Viewer
    from imagery.readers.location import Location
    from imagery.rendering_recipe import BandRecipe

_VERSION: Final = 1
"""Part of every style: a new way to draw makes all kept tiles stale."""
_BLOCK_TILES: Final = 2
"""Tiles are drawn by blocks of so many squared: a page asks for neighbours anyway, and a file is opened once."""
_BLOCK_TILES_WHOLE: Final = 8
"""The same for files that are decoded as a whole (PNG, JPEG, WebP)."""
_DRAWN_AT_ONCE: Final = 3
"""Blocks one process draws at the same time: bounds memory, and leaves threads to the pages."""
_WAIT_SECONDS: Final = 20.0
_QUALITY: Final = 82
_METHOD: Final = 2
_GSD_UNKNOWN_METRES: Final = 10.0
_MOST_STRETCHES: Final = 256
_WHOLE_TYPES: Final = frozenset(facts.media_type for facts in FACTS.values() if facts.whole_image)

_turns = threading.BoundedSemaphore(_DRAWN_AT_ONCE)


class Kind(StrEnum):
    """On which grid tiles lie: of the map (Web Mercator) or of the scene's own pixels."""

    MAP = "map"
    PIXELS = "pixels"


class NoTile(RsportalError):
    """There is no such tile (HTTP 404): the scene has no picture, no place, or its pyramid ends before."""

    code = "no_tile"


@dataclass(frozen=True)
class SceneTiles:
    """What drawing a scene takes: its row and original files, looked up once, after the permission check."""

    scene: Scene
    originals: tuple[Asset, ...]

    @classmethod
    def of(cls, *, user: Viewer, scene_id: UUID) -> Self:
        """Look a scene up. Raises Scene.DoesNotExist when ``user`` may not see it."""
        rows = Scene.objects.visible_to(user).select_related("collection")
        scene = rows.defer("footprint", "properties", "stac", "bands", "placeholder").get(pk=scene_id)
        return cls(scene=scene, originals=tuple(scene_originals(scene)))

    @property
    def style(self) -> str:
        """A name of everything a tile's picture depends on: the files' bytes and how samples become colours."""
        facts = {
            "version": _VERSION,
            "files": [[asset.key, asset.sha256 or f"{asset.href} {asset.size}"] for asset in self.originals],
            "stretch": self.scene.stretch,
            "size": [self.scene.width, self.scene.height],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def block(self) -> int:
        """By how many tiles squared it is drawn."""
        whole = any(asset.media_type in _WHOLE_TYPES for asset in self.originals)
        return _BLOCK_TILES_WHOLE if whole else _BLOCK_TILES

    def key(self, kind: Kind, z: int, x: int, y: int) -> TileKey:
        """Return the name of a tile. Raises NoTile where there is none, whatever its pixels."""
        if kind is Kind.MAP:
            self.map_require()
            if not maptiles.tile_exists(z, x, y):
                raise NoTile(
                    _("There is no such tile: zoom is 0 to %(most)d, x and y are below 2 to the power of zoom.")
                    % {"most": maptiles.MAX_ZOOM}
                )
            return self._key(kind, z, x, y)
        self.picture_require()
        if self._square(z, x, y) is None:
            raise NoTile(_("There is no such tile: the scene has levels 0 to %(most)d.") % {"most": self.levels})
        return self._key(kind, z, x, y)

    def _key(self, kind: Kind, z: int, x: int, y: int) -> TileKey:
        return TileKey(scene_id=self.scene.pk, style=self.style, kind=kind.value, z=z, x=x, y=y)

    def picture_require(self) -> None:
        """Raise NoTile unless the scene has pixels to draw."""
        if self.scene.status != Scene.Status.READY or not (self.scene.width and self.scene.height):
            raise NoTile(_("The scene has no picture (yet)."))

    def map_require(self) -> None:
        """Raise NoTile unless the scene has pixels and a place on the map."""
        self.picture_require()
        if self.scene.bbox is None:
            raise NoTile(_("The scene is not georeferenced, so it has no map tiles; deepzoom shows its pixels."))

    @property
    def levels(self) -> int:
        """The last level of the scene's pyramid."""
        return maptiles.levels(self.scene.width, self.scene.height)

    @property
    def zooms(self) -> maptiles.Zooms:
        """The zooms at which the map tiles are worth asking for. Raises NoTile without a map."""
        self.map_require()
        assert self.scene.bbox is not None
        return maptiles.zooms_of(self.scene.bbox, self.scene.gsd or _GSD_UNKNOWN_METRES)

    def _square(self, level: int, x: int, y: int, side: int = TILE_SIDE) -> maptiles.Square | None:
        return maptiles.square(self.scene.width, self.scene.height, level=level, x=x, y=y, side=side)

    def tile(self, key: TileKey) -> bytes:
        """Return a tile as WebP. Raises AssetMissing, UnreadableImage, or Unavailable when too many ask at once."""
        if key.kind == Kind.MAP and not self._reaches(key.z, key.x, key.y):
            return empty_tile()
        kept = tile_read(key)
        if kept is not None:
            return kept
        block_x, block_y = maptiles.block_of(key.x, key.y, side=self.block)
        with drawing(self.scene.pk, key.style, key.kind, key.z, block_x, block_y):
            kept = tile_read(key)  # Drawn while this request waited.
            return kept if kept is not None else self._draw(key, block_x, block_y)

    def _reaches(self, z: int, x: int, y: int) -> bool:
        return self.scene.bbox is not None and maptiles.tile_meets(z, x, y, self.scene.bbox)

    def _draw(self, key: TileKey, block_x: int, block_y: int) -> bytes:
        """Draw and keep the block of tiles around ``key``; return the one asked for."""
        with _turn(), self.renderer() as renderer:
            draw = self._map_block if key.kind == Kind.MAP else self._pixel_block
            asked = b""
            for x, y, picture in draw(renderer, key.z, block_x, block_y):
                content = webp(picture)
                tile_write(TileKey(key.scene_id, key.style, key.kind, key.z, x, y), content)
                if (x, y) == (key.x, key.y):
                    asked = content
        return asked

    def _map_block(
        self, renderer: Renderer, z: int, block_x: int, block_y: int
    ) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
        tiles = [
            (x, y)
            for x, y in maptiles.block_tiles(block_x, block_y, side=self.block)
            if maptiles.tile_exists(z, x, y) and self._reaches(z, x, y)
        ]
        columns, rows = [x for x, _y in tiles], [y for _x, y in tiles]
        left, _bottom, _right, top = maptiles.tile_bounds(z, min(columns), min(rows))
        _left, bottom, right, _top = maptiles.tile_bounds(z, max(columns), max(rows))
        across, down = max(columns) - min(columns) + 1, max(rows) - min(rows) + 1
        size = (across * TILE_SIDE, down * TILE_SIDE)
        assert self.scene.bbox is not None  # The tiles meet it.
        picture = mercator_picture(renderer, (left, bottom, right, top), size, bbox=self.scene.bbox)
        for x, y in tiles:
            yield x, y, _cut(picture, x - min(columns), y - min(rows))

    def _pixel_block(
        self, renderer: Renderer, level: int, block_x: int, block_y: int
    ) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
        part = self._square(level, block_x // self.block, block_y // self.block, side=TILE_SIDE * self.block)
        assert part is not None  # A tile of it exists.
        data = renderer.render(part.window, (part.width, part.height))
        alpha = np.where(data.mask, 255, 0).astype(np.uint8)[..., None]
        picture = np.concatenate([data.array, alpha], axis=2)
        for x, y in maptiles.block_tiles(block_x, block_y, side=self.block):
            if self._square(level, x, y) is not None:
                yield x, y, _cut(picture, x - block_x, y - block_y)

    @contextmanager
    def opened(self, *, recipe: BandRecipe | None = None) -> Iterator[Renderer]:
        """Open the scene when it is this request's turn to read pixels; by ``recipe`` instead of as it is shown.

        Raises NoTile, AssetMissing, UnreadableImage, MismatchedBands (no such bands), Unavailable.
        """
        self.picture_require()
        with _turn():
            if recipe is None:
                with self.renderer() as renderer:
                    yield renderer
            else:
                with scene_drawn(self._files, names=self._names, recipe=recipe) as renderer:
                    yield renderer

    @property
    def _files(self) -> dict[str, Location]:
        return {asset.key: asset_location(asset) for asset in self.originals}

    @property
    def _names(self) -> dict[str, str]:
        return {asset.key: asset.filename for asset in self.originals}

    @contextmanager
    def renderer(self) -> Iterator[Renderer]:
        """Open the scene as the encoder saw it."""
        style = self.style
        stretch = _measured.get(style) or self.scene.stretch
        with scene_drawn(self._files, names=self._names, stretch=stretch) as renderer:
            if not self.scene.stretch and renderer.stretch is not None:
                _measured.put(style, renderer.kept)
            yield renderer


class _Measured:
    """Stretches of scenes from before they were kept with the scene: measured once per process, not per tile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def get(self, style: str) -> dict[str, Any] | None:
        """Return the stretch of a style."""
        with self._lock:
            return self._known.get(style)

    def put(self, style: str, stretch: dict[str, Any]) -> None:
        """Remember it; the oldest goes when there are many."""
        with self._lock:
            self._known[style] = stretch
            while len(self._known) > _MOST_STRETCHES:
                self._known.popitem(last=False)


_measured = _Measured()


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=_WAIT_SECONDS):
        raise Unavailable(_("Too many map tiles are drawn at present; ask again in a few seconds."))
    try:
        yield
    finally:
        _turns.release()


def _cut(picture: NDArray[np.uint8], column: int, row: int) -> NDArray[np.uint8]:
    return picture[row * TILE_SIDE : (row + 1) * TILE_SIDE, column * TILE_SIDE : (column + 1) * TILE_SIDE]


def webp(picture: NDArray[np.uint8]) -> bytes:
    """Return (h, w, 4) uint8 RGBA as WebP; without the alpha where all of it is opaque."""
    opaque = bool((picture[..., 3] == 255).all())
    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture[..., :3] if opaque else picture))
    image.save(out, format="WEBP", quality=_QUALITY, method=_METHOD)
    return out.getvalue()


@cache
def empty_tile() -> bytes:
    """Return a map tile without any data."""
    return webp(np.zeros((TILE_SIDE, TILE_SIDE, 4), dtype=np.uint8))
