"""From claimed jobs to READY scenes: read and draw in threads, encode in batches, store one while the next is encoded.

Every write is an upsert, so running a job again is harmless; a second attempt goes on where the first was cut off.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from uuid import UUID

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from imagery.encoders.base import ImageTextEncoder
from imagery.encoders.regions import cells_packed
from imagery.jobs import (
    job_crashed,
    job_failed,
    job_progress,
    jobs_hand_back,
    jobs_lock_owned,
    jobs_ready,
    owned,
)
from imagery.leases import beating
from imagery.models import Asset, Embedding, Encoder, IngestJob, Scene, Tile
from imagery.rendering_recipe import recipe_parse
from imagery.services.again import rules_changed, scenes_encode_again, vectors_outdated_drop
from imagery.services.attach import scene_give_up
from imagery.services.fill import encoders_lock_shared, scenes_fill
from imagery.services.prepare import Broken, Opened, Pixels, Preparation, Work
from imagery.services.regions import Encoded, inputs_encode
from imagery.services.scene_store import scenes_store
from imagery.storage import AssetMissing, asset_location, scene_files_remove
from imagery.tiling import TileRule, TileWindow
from rsportal.errors import InvalidInput, RsportalError
from rsportal.logs import job_logging

BATCH_IMAGES: Final = 16
CLAIM_JOBS: Final = 4 * BATCH_IMAGES
"""So many at once, that reading ahead goes on over the end of a batch."""
_THREADS: Final = 2
_AHEAD: Final = 2 * BATCH_IMAGES
_TILES_AT_ONCE: Final = 2000
_WINDOW_FIELDS: Final = ("level", "x", "y", "width", "height")
_log = logging.getLogger(__name__)


def jobs_encode(*, jobs: Sequence[IngestJob], encoder: Encoder, model: ImageTextEncoder) -> list[UUID]:
    """Bring claimed jobs to an end; return those that are QUEUED again (they crashed, or the encoder was switched).

    One job's failure is its own: refused pictures end FAILED without a scene, unexpected errors are tried again.
    Raises only what concerns all of them (the database is gone, the encoder cannot compute); they stay RUNNING
    then, and are taken up when their heartbeat is old.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="encode")
    run = _Run(encoder=encoder, model=model, pool=pool)
    assets: dict[UUID, list[Asset]] = {job.scene_id: [] for job in jobs if job.scene_id}
    for asset in Asset.objects.filter(scene__in=assets, role=Asset.Role.DATA):
        assets[asset.scene_id].append(asset)
    works = [work for job in jobs if (work := run.begin(job, assets[job.scene_id] if job.scene_id else [])) is not None]
    with (
        pool,
        beating(lambda: owned(jobs)),
        Preparation(
            works, image_size=model.image_size, threads=_THREADS, ahead=_AHEAD, image_input=model.image_input
        ) as events,
    ):
        for event in events:
            match event:
                case Opened():
                    run.opened(event)
                case Pixels():
                    run.pixels(event)
                case Broken():
                    run.broken(event)
        run.flush()
        run.settle()
    return run.again


def embeddings_store(
    *,
    encoder: Encoder,
    tile_ids: Sequence[int],
    vectors: NDArray[np.float32],
    regions: NDArray[np.float32] | None = None,
) -> None:
    """Store (n, d) unit rows as half precision for ``tile_ids``; a tile's earlier vector is replaced.

    ``regions`` (n, 4, d) are the vectors of the tiles' quarters, kept in 8 bits; without them a tile has none.
    """
    cells: Sequence[bytes | None] = [None] * len(tile_ids) if regions is None else cells_packed(regions)
    Embedding.objects.bulk_create(
        [
            Embedding(encoder=encoder, tile_id=tile, vector=row, regions=parts)
            for tile, row, parts in zip(tile_ids, vectors, cells, strict=True)
        ],
        update_conflicts=True,
        unique_fields=["encoder", "tile"],
        update_fields=["vector", "regions"],
    )


@dataclass
class _Progress:
    work: Work
    total: int
    done: int
    tiles: dict[TileWindow, int] = field(default_factory=dict)
    strangers: list[int] = field(default_factory=list)
    """Tiles of an older layout, by which a scene that is encoded again is found until it is done."""

    @property
    def gets_on(self) -> bool:
        """Whether more is done than at any earlier attempt of a job that begins from nothing."""
        return not self.work.job.again or self.done > self.work.job.done


@dataclass
class _Step:
    """A batch on its way: ``opened`` scenes and ``batch`` of windows whose ``vectors`` are being computed."""

    opened: list[Opened]
    batch: list[Pixels]
    vectors: Future[Encoded]

    def wanted(self) -> tuple[list[Opened], list[Pixels], Encoded]:
        """Wait for the vectors; return what belongs to jobs that are still wanted. Raises what encoding raised."""
        kept = [not event.work.dropped for event in self.batch]
        encoded = self.vectors.result().take(np.asarray(kept, dtype=bool))
        opened = [event for event in self.opened if not event.work.dropped]
        return opened, [event for event, keep in zip(self.batch, kept, strict=True) if keep], encoded


@dataclass
class _Run:
    """The consumer's side: collects windows of any of its jobs into batches."""

    encoder: Encoder
    model: ImageTextEncoder
    pool: ThreadPoolExecutor
    again: list[UUID] = field(default_factory=list)
    _step: _Step | None = None
    _progress: dict[UUID, _Progress] = field(default_factory=dict)
    _opened: list[Opened] = field(default_factory=list)
    _batch: list[Pixels] = field(default_factory=list)

    def begin(self, job: IngestJob, assets: Sequence[Asset]) -> Work | None:
        """Return what the threads need for a job; None when it ended already."""
        if job.scene is None:
            job_failed(job, _("The scene was deleted."), retryable=False)
            return None
        try:
            files = {asset.key: asset_location(asset) for asset in assets}
        except AssetMissing as error:
            job_failed(job, error.message, retryable=True)
            return None
        return Work(
            job=job,
            scene_id=job.scene.pk,
            files=files,
            names={asset.key: asset.filename for asset in assets},
            # Encoded again: which vectors are old ones cannot be told, so a later attempt makes all of them.
            embedded=_embedded(job.scene, self.encoder) if job.attempts > 1 and not job.again else frozenset(),
            kept=job.scene.stretch,
            rule=TileRule.of(job.collection),
            gsd_m=job.scene.gsd,
            recipe=recipe_parse(job.collection.rendering),
            language=job.created_by.language or None if job.created_by else None,
        )

    def opened(self, event: Opened) -> None:
        """Note the scene's facts; they are stored with the next batch."""
        embedded = sum(window in event.work.embedded for window in event.windows)
        self._progress[event.work.job.pk] = _Progress(event.work, total=len(event.windows), done=embedded)
        self._opened.append(event)

    def pixels(self, event: Pixels) -> None:
        """Add a window to the batch; a full one is encoded, and stored with the next."""
        if not event.work.dropped:
            self._batch.append(event)
        if len(self._batch) >= BATCH_IMAGES:
            self.flush()

    def broken(self, event: Broken) -> None:
        """End a job that cannot be read, or queue it again after a crash."""
        job, error = event.work.job, event.error
        self._drop(job.pk)
        with job_logging(job.pk):
            if isinstance(error, RsportalError):
                _log.info("refused %s: %s", job.source_name, error.message)
                job_refuse(job, error)
            else:
                _log.error("unexpected error with %s", job.source_name, exc_info=error)
                if job_crashed(job, error):
                    self.again.append(job.pk)

    def _drop(self, job_id: UUID) -> None:
        if progress := self._progress.pop(job_id, None):
            progress.work.dropped = True
        self._opened = [event for event in self._opened if event.work.job.pk != job_id]
        self._batch = [event for event in self._batch if event.work.job.pk != job_id]

    def flush(self) -> None:
        """Begin to encode the batch; meanwhile store the one before."""
        if not self._opened and not self._batch:
            return
        inputs = [event.input for event in self._batch if event.input is not None]
        step = _Step(self._opened, self._batch, self.pool.submit(inputs_encode, self.model, inputs))
        self._opened, self._batch = [], []
        self.settle()
        self._step = step

    def settle(self) -> None:
        """Store the batch that is being encoded, with everything known of its scenes, in one transaction."""
        step, self._step = self._step, None
        if step is None:
            return
        step.vectors.result()  # Wait outside the transaction.
        with transaction.atomic():
            # Otherwise a scene could become READY without a vector that any search looks at.
            if encoders_lock_shared().get(self.encoder.pk) != Encoder.State.ACTIVE:
                self._hand_back()
                return
            self._drop_lost_jobs()
            opened, batch, encoded = step.wanted()
            scenes_store(opened)
            self._tiles_store(opened)
            ids = [self._progress[event.work.job.pk].tiles[event.window] for event in batch]
            embeddings_store(encoder=self.encoder, tile_ids=ids, vectors=encoded.vectors, regions=encoded.regions)
            for event in batch:
                self._progress[event.work.job.pk].done += 1
            touched = {event.work.job.pk for event in opened} | {event.work.job.pk for event in batch}
            finished = self._progress_store(touched)
            self._again_finish([self._progress[job_id] for job_id in finished])
            scenes_fill([self._progress[job_id].work.scene_id for job_id in finished])
        for job_id in finished:
            del self._progress[job_id]

    def _hand_back(self) -> None:
        """Queue the jobs at hand again: the encoder was switched, so the next claim uses the new one."""
        jobs = [progress.work.job for progress in self._progress.values()]
        _log.info("the encoder was switched; %d jobs begin again with the new one", len(jobs))
        jobs_hand_back(jobs)
        for job in jobs:
            self.again.append(job.pk)
            self._drop(job.pk)

    def _drop_lost_jobs(self) -> None:
        """Lock the jobs of this run; drop those cancelled or taken over."""
        for job_id in set(self._progress) - jobs_lock_owned([p.work.job for p in self._progress.values()]):
            _log.info("job %s was cancelled or taken over", job_id)
            scene_id = self._progress[job_id].work.scene_id
            self._drop(job_id)
            if not Scene.objects.filter(pk=scene_id).exists():
                scene_files_remove(scene_id)  # Pictures drawn after the scene's own files were removed.

    def _progress_store(self, touched: set[UUID]) -> set[UUID]:
        """Store how far the jobs of this batch are; make the finished ones READY and return their ids."""
        finished = {job_id for job_id in touched if self._progress[job_id].done >= self._progress[job_id].total}
        for job_id in touched - finished:
            progress = self._progress[job_id]
            if progress.gets_on:
                job_progress(progress.work.job, done=progress.done, total=progress.total)
        jobs_ready(
            [self._progress[job_id].work.job for job_id in finished],
            totals={job_id: self._progress[job_id].total for job_id in finished},
        )
        return finished

    def _tiles_store(self, opened: Sequence[Opened]) -> None:
        """Upsert the tiles of newly opened scenes and learn their ids; tiles of an older layout are removed."""
        if not opened:
            return
        scenes = {event.work.scene_id: event for event in opened}
        rows = (
            Tile(scene_id=scene_id, **{name: getattr(window, name) for name in _WINDOW_FIELDS})
            for scene_id, event in scenes.items()
            for window in event.windows
        )
        while some := list(islice(rows, _TILES_AT_ONCE)):  # A large scene has tens of thousands.
            Tile.objects.bulk_create(some, ignore_conflicts=True)
        planned = {scene_id: set(event.windows) for scene_id, event in scenes.items()}
        for pk, scene_id, *values in Tile.objects.filter(scene__in=scenes).values_list("pk", "scene", *_WINDOW_FIELDS):
            window = TileWindow(**dict(zip(_WINDOW_FIELDS, values, strict=True)))
            progress = self._progress[scenes[scene_id].work.job.pk]
            if window in planned[scene_id]:
                progress.tiles[window] = pk
            else:
                progress.strangers.append(pk)
        _tiles_drop(
            [pk for event in opened if not event.work.job.again for pk in self._progress[event.work.job.pk].strangers]
        )

    def _again_finish(self, finished: Sequence[_Progress]) -> None:
        """Take away what is left of the old look of scenes that were encoded again; queue those that are outdated."""
        again = [progress for progress in finished if progress.work.job.again]
        if again:
            _tiles_drop([pk for progress in again for pk in progress.strangers])
            vectors_outdated_drop(scene_ids=[progress.work.scene_id for progress in again], encoder=self.encoder)
        scenes_encode_again(rules_changed(progress.work.job for progress in finished))


def _tiles_drop(tile_ids: Sequence[int]) -> None:
    if tile_ids:
        Embedding.objects.filter(tile__in=tile_ids).delete()
        Tile.objects.filter(pk__in=tile_ids).delete()


def job_refuse(job: IngestJob, error: RsportalError) -> None:
    """End a job whose picture cannot be used: FAILED with the reason; bad input also loses its scene and files.

    A file that is only missing keeps its scene, so that it can be tried again once it is back.
    """
    bad_input = isinstance(error, InvalidInput)
    with transaction.atomic():
        if job_failed(job, error.message, retryable=not bad_input) and bad_input:
            scene = Scene.objects.filter(jobs=job.pk).exclude(status=Scene.Status.READY).first()
            if scene is not None:
                scene_give_up(scene, reason=error.message)


def _embedded(scene: Scene, encoder: Encoder) -> frozenset[TileWindow]:
    rows = Tile.objects.filter(scene=scene, embeddings__encoder=encoder).values_list(*_WINDOW_FIELDS)
    return frozenset(TileWindow(**dict(zip(_WINDOW_FIELDS, row, strict=True))) for row in rows)
