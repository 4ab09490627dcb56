"""The worker's side of a fill: read scenes again, encode them with the other encoder, store batch by batch.

New scenes go first: after each batch whatever waits to be ingested is ingested. Every write is an upsert, and an item
goes only together with the last of its vectors, so that a worker may be killed anywhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Exists, OuterRef

from imagery.encoders.base import ImageTextEncoder
from imagery.fill_items import (
    fills_waiting,
    item_crashed,
    item_failed,
    items_claim,
    items_done,
    items_got_on,
    items_hand_back,
    items_lock_owned,
    owned,
)
from imagery.fill_progress import fill_advance
from imagery.jobs import claimable
from imagery.leases import beating
from imagery.models import Asset, Embedding, Encoder, EncoderFill, FillItem, Tile
from imagery.services.encode import BATCH_IMAGES, embeddings_store
from imagery.services.encoder_files import files_verify
from imagery.services.fill import encoder_fill_pause, encoders_lock_shared, fill_plan, fill_settle
from imagery.services.ingest import ingest_jobs_drain
from imagery.services.prepare import Broken, Pixels, Preparation, Work
from imagery.services.queue import fill_enqueue
from imagery.services.regions import inputs_encode
from imagery.services.runtime import encoder_runtime_prepare
from imagery.services.selftest import encoder_probe_record, encoder_ready
from imagery.storage import AssetMissing, asset_location
from imagery.tiling import TileWindow
from rsportal.errors import Conflict, RsportalError
from rsportal.logs import job_logging

_CLAIM: Final = 4 * BATCH_IMAGES  # small scenes at a time
_THREADS: Final = 2
_AHEAD: Final = 2 * BATCH_IMAGES
_DRAIN_SECONDS: Final = 300.0
_NOT_FILLED: Final = frozenset({Encoder.State.NEW, Encoder.State.RETIRED})
_log = logging.getLogger(__name__)


def fills_drain(*, seconds: float = _DRAIN_SECONDS) -> int:
    """Go on with the running fills until nothing is left or ``seconds`` are over; return how many scenes were taken.

    An encoder that cannot be loaded has its fill paused with the reason. While more waits, a task is kept in the
    queue, for the next free worker process.
    """
    until = time.monotonic() + seconds
    taken = 0
    while time.monotonic() < until:
        _ingest_first()
        step = next((done for fill in fills_waiting() if (done := _go_on(fill))), 0)
        if not step:
            break
        taken += step
    if fills_wake():
        _log.info("encoder fills go on in another task")
    return taken


def fills_wake() -> bool:
    """See that fills which can go on have a task and that finished ones are ended; return whether any can go on."""
    for fill_id in EncoderFill.objects.filter(state=EncoderFill.State.RUNNING).values_list("pk", flat=True):
        fill_settle(fill_id)
    waiting = fills_waiting().exists()
    if waiting:
        fill_enqueue()
    return waiting


def fill_prepare(fill: EncoderFill) -> bool:
    """Do what comes before the first batch: choose what runs the encoder here, plan, and record its known vectors.

    Return False if that is done or somebody else is at it. Raises Unavailable when the encoder's files cannot be used,
    InvalidInput when they cannot be run as the settings ask.
    """
    if fill.planned_at is not None:
        return False
    files_verify(fill.encoder)  # Before towers are exported from them.
    encoder_runtime_prepare(encoder=fill.encoder)
    planned = fill_plan(fill.pk)
    encoder_probe_record(encoder=fill.encoder)
    return planned


def _go_on(fill: EncoderFill) -> int:
    """Work on one claim of a fill; return how much was done (planning counts)."""
    try:
        if fill.planned_at is None:
            return int(fill_prepare(fill))
        # Before the claim: loading takes long, and this or the self-test may fail for all alike.
        model = encoder_ready(encoder=fill.encoder, image=True)
    except RsportalError as error:
        _log.error("the fill of %s is paused: %s", fill.encoder, error.message)
        with suppress(Conflict):  # Somebody may have paused or ended it meanwhile.
            encoder_fill_pause(encoder=fill.encoder, reason=error.message)
        return 1
    items = items_claim(fill, most=_CLAIM)
    if items and fills_waiting().exists():
        fill_enqueue()
    with job_logging(fill.encoder.name):
        _encode(items, fill, model)
    fill_settle(fill.pk)
    return len(items)


def _ingest_first() -> None:
    if not claimable().exists():
        return
    try:
        ingest_jobs_drain()
    except RsportalError as error:  # The active encoder cannot be used: its jobs say so, and the fill goes on.
        _log.warning("what waits to be ingested has to wait: %s", error.message)


def _encode(items: Sequence[FillItem], fill: EncoderFill, model: ImageTextEncoder) -> None:
    run = _Run(fill=fill, encoder=fill.encoder, model=model)
    try:
        works = run.begin(items)
        with (
            beating(lambda: owned(items)),
            Preparation(
                works, image_size=model.image_size, threads=_THREADS, ahead=_AHEAD, image_input=model.image_input
            ) as events,
        ):
            for event in events:
                match event:
                    case Pixels():
                        run.pixels(event)
                    case Broken():
                        run.broken(event)
                if run.over:
                    break
            run.flush()
    except DatabaseError as error:
        if not isinstance(error, IntegrityError):
            raise  # Nothing can be written now; the items are taken up when their heartbeat is old.
        # A tile went while its vector was on the way: the next attempt sees what is there now.
        _crashed(items, error)
    except Exception as error:
        _log.exception("a fill of %s was cut off", fill.encoder)
        _crashed(items, error)
        raise


def _crashed(items: Sequence[FillItem], error: Exception) -> None:
    """Queue the items again; each is then taken alone, so that one bad picture cannot fail its neighbours."""
    for item in items:
        item_crashed(item, error)
    fill_enqueue()


@dataclass
class _Scene:
    item: FillItem
    work: Work
    tiles: dict[TileWindow, int]
    left: int


@dataclass
class _Run:
    """The consumer's side of one claim: collects windows into batches."""

    fill: EncoderFill
    encoder: Encoder
    model: ImageTextEncoder
    over: bool = False
    _scenes: dict[UUID, _Scene] = field(default_factory=dict)
    _batch: list[Pixels] = field(default_factory=list)

    def begin(self, items: Sequence[FillItem]) -> list[Work]:
        """Return what the threads need; items without a missing vector or without their files are ended here."""
        scene_ids = [item.scene_id for item in items]
        assets: dict[UUID, list[Asset]] = {pk: [] for pk in scene_ids}
        for asset in Asset.objects.filter(scene__in=scene_ids, role=Asset.Role.DATA):
            assets[asset.scene_id].append(asset)
        missing: dict[UUID, dict[TileWindow, int]] = {pk: {} for pk in scene_ids}
        encoded = Embedding.objects.filter(encoder=self.encoder, tile=OuterRef("pk"))
        for tile in Tile.objects.filter(~Exists(encoded), scene__in=scene_ids).order_by("level", "y", "x"):
            missing[tile.scene_id][TileWindow(tile.level, tile.y, tile.x, tile.width, tile.height)] = tile.pk
        complete = [item for item in items if not missing[item.scene_id]]
        if complete:
            self._finish(complete)
        works = []
        for item in items:
            if (windows := missing[item.scene_id]) and (work := self._work(item, assets[item.scene_id], windows)):
                self._scenes[item.scene_id] = _Scene(item=item, work=work, tiles=windows, left=len(windows))
                works.append(work)
        return works

    def _work(self, item: FillItem, assets: Sequence[Asset], windows: dict[TileWindow, int]) -> Work | None:
        try:
            files = {asset.key: asset_location(asset) for asset in assets}
        except AssetMissing as error:
            item_failed(item, error.message)
            return None
        names = {asset.key: asset.filename for asset in assets}
        return Work(
            job=item,
            scene_id=item.scene_id,
            files=files,
            names=names,
            windows=list(windows),
            stretch=item.scene.stretch,
        )

    def _finish(self, items: Sequence[FillItem]) -> None:
        with transaction.atomic():
            mine = items_lock_owned(items)
            items_done(mine)
            fill_advance(self.fill.pk, done=len(mine))

    def pixels(self, event: Pixels) -> None:
        """Add a window to the batch; a full one is encoded and stored."""
        if not event.work.dropped:
            self._batch.append(event)
        if len(self._batch) >= BATCH_IMAGES:
            self.flush()

    def broken(self, event: Broken) -> None:
        """End an item that cannot be read, or queue it again after a crash."""
        scene, error = self._scenes.get(event.work.scene_id), event.error
        if scene is None:
            return
        self._drop([event.work.scene_id])
        if isinstance(error, RsportalError):
            _log.info("scene %s cannot be encoded: %s", event.work.scene_id, error.message)
            item_failed(scene.item, error.message)
        else:
            _log.error("unexpected error with scene %s", event.work.scene_id, exc_info=error)
            item_crashed(scene.item, error)

    def flush(self) -> None:
        """Encode the batch and store it in one transaction; then let new scenes go first."""
        if not self._batch:
            return
        encoded = inputs_encode(self.model, [event.input for event in self._batch if event.input is not None])
        with transaction.atomic():
            if encoders_lock_shared().get(self.encoder.pk, Encoder.State.RETIRED) in _NOT_FILLED:
                self._stop("given up")
                return
            mine = items_lock_owned([scene.item for scene in self._scenes.values()])
            self._drop([pk for pk, scene in self._scenes.items() if scene.item.pk not in mine])
            tiles = self._tiles_now()
            rows = [row for row, event in enumerate(self._batch) if tiles.get(row) and not event.work.dropped]
            stored = encoded.take(rows)
            embeddings_store(
                encoder=self.encoder,
                tile_ids=[tiles[row] for row in rows],
                vectors=stored.vectors,
                regions=stored.regions,
            )
            for event in self._batch:
                if not event.work.dropped:
                    self._scenes[event.work.scene_id].left -= 1
            finished = [pk for pk, scene in self._scenes.items() if scene.left <= 0]
            items_done([self._scenes[pk].item.pk for pk in finished])
            begun = {event.work.scene_id for event in self._batch} & set(self._scenes) - set(finished)
            if begun:
                items_got_on([self._scenes[pk].item for pk in begun])
            state = fill_advance(self.fill.pk, done=len(finished))
        for pk in finished:
            del self._scenes[pk]
        self._batch = []
        if state != EncoderFill.State.RUNNING:
            self._stop(state)
        else:
            _ingest_first()

    def _tiles_now(self) -> dict[int, int]:
        """Return the tile id of each row of the batch whose tile is still there."""
        wanted = {
            row: self._scenes[event.work.scene_id].tiles[event.window]
            for row, event in enumerate(self._batch)
            if not event.work.dropped
        }
        there = set(Tile.objects.filter(pk__in=wanted.values()).values_list("pk", flat=True))
        return {row: tile for row, tile in wanted.items() if tile in there}

    def _drop(self, scene_ids: Sequence[UUID]) -> None:
        for pk in scene_ids:
            self._scenes.pop(pk).work.dropped = True

    def _stop(self, why: str) -> None:
        _log.info("the fill of %s stops here: %s", self.encoder, why)
        items_hand_back([scene.item for scene in self._scenes.values()])
        self._drop(list(self._scenes))
        self._batch, self.over = [], True
