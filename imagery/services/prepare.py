"""The part of an ingest that needs no database: open, measure, draw, cut. Runs in threads beside the encoder."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.utils import translation
from django.utils.translation import gettext as _
from PIL import Image

from imagery.encoders.base import ImageInput
from imagery.perceptual import perceptual_hash
from imagery.readers import Reader, Size
from imagery.readers.location import Location
from imagery.rendering import Renderer, scene_drawn
from imagery.rendering_recipe import BandRecipe
from imagery.stac.grid import grid_properties
from imagery.storage import StoredFile, file_write
from imagery.sweep import windows_drawn
from imagery.thumbnails import OVERVIEW_SIDE_PIXELS, Picture, overview_and_thumbnail, placeholder
from imagery.tiling import DEFAULT_RULE, TileRule, TileWindow, tile_windows, with_data
from rsportal.errors import InvalidInput

_POLL_SECONDS: Final = 0.5


@dataclass
class Work:
    """What a thread needs to know of one job.

    ``job``: the row that is worked on, an IngestJob or a FillItem. ``embedded``: windows that have their vector from
    an earlier attempt. ``windows``: the tiles a READY scene has (a fill): exactly these are drawn, and nothing else is
    written. ``rule``: how it is cut otherwise. ``language``: of what is said about the picture (None: English).
    """

    job: Any
    scene_id: UUID
    files: dict[str, Location]
    names: dict[str, str]
    embedded: frozenset[TileWindow] = frozenset()
    windows: Sequence[TileWindow] | None = None
    rule: TileRule = DEFAULT_RULE
    gsd_m: float | None = None
    """The sampling that the scene's sender named, for files that do not tell."""
    recipe: BandRecipe | None = None
    kept: Mapping[str, Any] | None = None
    """How the scene was drawn at the earlier attempt that made ``embedded``; drawn otherwise now, they do not count."""
    stretch: Mapping[str, Any] | None = None
    """How the scene was drawn when it was added (a fill draws it alike); None: by ``recipe``, measured now."""
    language: str | None = None
    dropped: bool = field(default=False, compare=False)
    """Set by the consumer when nobody wants this job's results any more."""


@dataclass(frozen=True)
class StoredPicture:
    """A picture written to the scene's folder."""

    file: StoredFile
    picture: Picture


@dataclass(frozen=True)
class SceneFacts:
    """What reading a scene tells of it; field names as in ``imagery.models.Scene``."""

    fields: dict[str, object]
    properties: dict[str, object]
    """``imagery.stac.grid.GRID_PROPERTIES``"""
    note: str
    overview: StoredPicture
    thumbnail: StoredPicture


@dataclass(frozen=True)
class Opened:
    """The scene was read and drawn; ``windows`` are all its tiles."""

    work: Work
    facts: SceneFacts
    windows: list[TileWindow]


@dataclass(frozen=True)
class Pixels:
    """One tile, ready for the encoder."""

    work: Work
    window: TileWindow
    image: Image.Image
    input: ImageInput | None = None
    """What the encoder reads of ``image``, where the preparation was told how to make it."""


@dataclass(frozen=True)
class Broken:
    """The scene cannot be read, or something unexpected happened to it."""

    work: Work
    error: Exception


Event: TypeAlias = Opened | Pixels | Broken
MakeInput: TypeAlias = Callable[[Image.Image], ImageInput]


def scene_events(work: Work, *, image_size: int, image_input: MakeInput | None = None) -> Iterator[Event]:
    """Yield Opened (not for a fill), then Pixels for windows without a vector; Broken ends it early. Never raises."""
    try:
        with scene_drawn(work.files, names=work.names, recipe=work.recipe, stretch=work.stretch) as renderer:
            reader = renderer.reader
            whole = cache(lambda: renderer.render(None, _overview_size(reader)))
            if work.windows is None:
                reader.verify()
                planned = tile_windows(reader.width, reader.height, rule=work.rule, gsd_m=reader.gsd_m or work.gsd_m)
                windows: Sequence[TileWindow] = with_data(
                    planned, whole().mask, width=reader.width, height=reader.height
                )
                facts = _facts(work, renderer, whole().array)
                if work.kept is not None and facts.fields["stretch"] != work.kept:
                    work.embedded = frozenset()
                yield Opened(work=work, facts=facts, windows=list(windows))
            else:
                windows = work.windows
                _inside_require(windows, reader)
            missing = [window for window in windows if window not in work.embedded]
            if not any(window.level == 0 for window in missing):
                whole.cache_clear()  # Some 20 MB that nothing looks at any more.
            for window, image in windows_drawn(renderer, missing, image_size=image_size, whole=lambda: whole().array):
                if work.dropped:
                    return
                yield Pixels(work, window, image, input=image_input(image) if image_input else None)
                if window.level == 0:
                    whole.cache_clear()
    except Exception as error:  # noqa: BLE001 - the consumer tells expected errors from crashes
        yield Broken(work=work, error=error)


def _inside_require(windows: Sequence[TileWindow], reader: Reader) -> None:
    """Refuse a file that is smaller than what was ingested: its windows would be cut from somewhere else."""
    if any(window.x + window.width > reader.width or window.y + window.height > reader.height for window in windows):
        raise InvalidInput(
            _("The file now has %(width)d x %(height)d pixels, fewer than when it was added. Add it again.")
            % {"width": reader.width, "height": reader.height},
            code="file_changed",
        )


def _overview_size(reader: Reader) -> Size:
    from imagery.readers import fit_within

    return fit_within((reader.width, reader.height), OVERVIEW_SIDE_PIXELS)


def _facts(work: Work, renderer: Renderer, rgb: object) -> SceneFacts:
    import numpy as np

    reader = renderer.reader
    pixels = np.asarray(rgb, dtype=np.uint8)
    overview, thumbnail = overview_and_thumbnail(pixels)
    stored_overview = StoredPicture(
        file_write(overview.content, scene_id=work.scene_id, name="overview.webp"), overview
    )
    stored_thumbnail = StoredPicture(
        file_write(thumbnail.content, scene_id=work.scene_id, name="thumbnail.webp"), thumbnail
    )
    footprint = reader.footprint
    west, south, east, north = footprint.bbox if footprint else (None, None, None, None)
    fields: dict[str, object] = {
        "width": reader.width,
        "height": reader.height,
        "proj_code": reader.proj_code,
        "footprint": footprint.geometry if footprint else None,
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "bands": [band.as_stac() for band in reader.bands],
        "placeholder": placeholder(pixels),
        "perceptual_hash": perceptual_hash(pixels),
        "stretch": renderer.kept,
    }
    if reader.gsd_m is not None:
        fields["gsd"] = round(reader.gsd_m, 6)
    if reader.acquired is not None:
        fields["datetime"] = reader.acquired
    return SceneFacts(
        fields=fields,
        properties=grid_properties(reader),
        note=reader.note,
        overview=stored_overview,
        thumbnail=stored_thumbnail,
    )


class Preparation:
    """Runs :func:`scene_events` for several jobs in ``threads`` threads, at most ``ahead`` events ahead of the reader.

    Iterate once inside a ``with`` block; leaving the block early ends the threads. The events of one job come in
    order, those of different jobs mixed. ``image_input`` is done in the threads too, so that the one that encodes has
    nothing left to prepare; it must be safe to call from several threads.
    """

    def __init__(
        self, works: Sequence[Work], *, image_size: int, threads: int, ahead: int, image_input: MakeInput | None = None
    ) -> None:
        self._works = iter(works)
        self._lock = threading.Lock()
        self._events: queue.Queue[Event | None] = queue.Queue(maxsize=ahead)
        self._over = threading.Event()
        self._image_size = image_size
        self._image_input = image_input
        self._threads = [
            threading.Thread(target=self._run, name=f"prepare-{number}", daemon=True)
            for number in range(max(1, min(threads, len(works))))
        ]

    def __enter__(self) -> Iterator[Event]:
        for thread in self._threads:
            thread.start()
        return self._read()

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> Iterator[Event]:
        running = len(self._threads)
        while running:
            event = self._events.get()
            if event is None:
                running -= 1
            else:
                yield event

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                with self._lock:
                    work = next(self._works, None)
                if work is None:
                    return
                with translation.override(work.language):
                    for event in scene_events(work, image_size=self._image_size, image_input=self._image_input):
                        if not self._put(event):
                            return
        finally:
            self._put(None)

    def _put(self, event: Event | None) -> bool:
        while not self._over.is_set():
            try:
                self._events.put(event, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False
