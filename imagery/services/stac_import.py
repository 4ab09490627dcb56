"""Importing items of other archives: from where it stopped, in bounded memory; a broken item is named and left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from imagery.models import Asset, Collection, Scene, StacImport
from imagery.services.accept import editor_require
from imagery.services.stac_collections import stac_collection_take
from imagery.services.stac_items import Outcome, Stored, stac_items_store, stored_again
from imagery.services.stac_pixels import Pixels, PixelTaker
from imagery.stac.fields_in import is_address
from imagery.stac.filters_in import Wanted, wanted_parse
from imagery.stac.hosts import url_check
from imagery.stac.http import json_get
from imagery.stac.source import Found, collection_of, items_of
from rsportal.accounts.models import User
from rsportal.errors import Conflict, RsportalError

_TOGETHER: Final = 100
_UNFINISHED: Final = (StacImport.State.RUNNING, StacImport.State.STOPPED)


@dataclass(frozen=True)
class ImportOptions:
    """What is wanted of a source, as somebody typed it; ``limit`` 0: everything, ``assets``: keys or roles."""

    bbox: str = ""
    datetime: str = ""
    collections: Sequence[str] = ()
    limit: int = 0
    assets: Sequence[str] = ()
    pixels: Pixels = Pixels.REMOTE

    def wanted(self) -> Wanted:
        """Return the filters. Raises InvalidInput naming the field."""
        return wanted_parse(bbox=self.bbox, datetime=self.datetime, collections=self.collections)

    def as_json(self) -> dict[str, Any]:
        """Return the options as the database keeps them: two imports with the same ones go on with each other."""
        return asdict(self) | {"collections": list(self.collections), "assets": list(self.assets)}


@dataclass
class Progress:
    """What an import has done so far, over all its runs; ``jobs``: scenes whose pixels this run takes in."""

    counts: Counter[str] = field(default_factory=Counter)
    resumed_after: int = 0
    jobs: int = 0

    @property
    def seen(self) -> int:
        """How many items were looked at."""
        return sum(self.counts.values())


def stac_import_begin(*, source: str, collection: Collection, user: User, options: ImportOptions) -> StacImport:
    """Return the import to go on with: an unfinished one of the same source and options, or a new one.

    Raises NotAllowed when ``user`` may not add to the collection, InvalidInput for options that mean nothing.
    """
    editor_require(collection, user)
    options.wanted()
    source = source if is_address(source) else str(source)
    unfinished = StacImport.objects.filter(
        collection=collection, source=source, options=options.as_json(), state__in=_UNFINISHED
    )
    run = unfinished.order_by("-created_at").first()
    if run is None:
        run = StacImport(collection=collection, source=source, options=options.as_json(), created_by=user)
        run.full_clean(exclude=["collection", "created_by"])
    run.state, run.reason = StacImport.State.RUNNING, ""
    run.save()
    return run


def stac_import_run(*, run: StacImport, user: User, options: ImportOptions, progress: Progress) -> Iterator[Stored]:
    """Import what is left of ``run``, yielding what became of each item; ``progress`` is kept up to date.

    A hundred items share a transaction, and where to go on is stored after each hundred: an import that is killed
    looks at most at those again. Raises Conflict when another process is at it, and what stopped the source (the run
    is STOPPED then, and goes on another time).
    """
    with _alone(run):
        progress.resumed_after = run.done
        progress.counts.update({Outcome.ADDED: run.added, Outcome.CHANGED: run.changed, Outcome.REFUSED: run.refused})
        progress.counts[Outcome.UNCHANGED] = run.done - progress.seen
        taker = PixelTaker(
            collection=run.collection, user=user, batch=run.pk, pixels=options.pixels, wanted=options.assets
        )
        try:
            found = items_of(run.source, wanted=options.wanted(), cursor=run.cursor)
            for together in _chunks(found, options.limit - run.done if options.limit else None):
                if not run.done:
                    _collection_fill(run.collection, together[0])
                stored = stac_items_store(found=together, collection=run.collection, user=user)
                taker.take(stored)
                progress.jobs = taker.jobs
                progress.counts.update(each.outcome for each in stored)
                _save(run, progress, together[-1].cursor)
                yield from stored
            if not run.done and (said := collection_of(run.source)) is not None:
                stac_collection_take(collection=run.collection, document=said[0], base=said[1])
        except RsportalError as error:
            run.state, run.reason = StacImport.State.STOPPED, error.message
            run.save(update_fields=["state", "reason", "updated_at"])
            raise
        run.state, run.cursor = StacImport.State.DONE, {}
        run.save(update_fields=["state", "cursor", "updated_at"])


def stac_import_plan(
    *, source: str, collection: Collection | None, options: ImportOptions, progress: Progress
) -> Iterator[Stored]:
    """Yield what an import would do with each item; nothing is written, and no pixels are asked for."""
    found = items_of(source, wanted=options.wanted())
    for together in _chunks(found, options.limit or None):
        stored = stac_items_store(found=together, collection=collection, user=None, write=False)
        progress.counts.update(each.outcome for each in stored)
        yield from stored


def stac_pixels_retry(
    *, collection: Collection, user: User, options: ImportOptions, progress: Progress
) -> tuple[UUID, Iterator[Stored]]:
    """Try to reach the pixels of imported scenes that have none; return the batch of their jobs, and the steps.

    Files of a catalogue on the disk are only found again by importing it again. Raises NotAllowed.
    """
    editor_require(collection, user)
    batch = uuid4()
    taker = PixelTaker(collection=collection, user=user, batch=batch, pixels=options.pixels, wanted=options.assets)

    def steps() -> Iterator[Stored]:
        originals = Asset.objects.filter(scene=OuterRef("pk"), role=Asset.Role.DATA)
        lacking = Scene.objects.filter(
            Q(status__in=[Scene.Status.METADATA, Scene.Status.FAILED])
            | (Q(status=Scene.Status.READY) & ~Exists(originals)),
            collection=collection,
        ).exclude(stac_id="")
        after: UUID | None = None
        while True:
            rows = lacking.filter(pk__gt=after) if after else lacking
            scenes = list(rows.order_by("pk")[:_TOGETHER])
            if not scenes:
                return
            after = scenes[-1].pk
            stored = [stored_again(scene) for scene in scenes]
            taker.take(stored)
            progress.jobs = taker.jobs
            progress.counts[Outcome.UNCHANGED] += len(stored)
            yield from stored

    return batch, steps()


def _chunks(found: Iterator[Found], most: int | None) -> Iterator[list[Found]]:
    """Yield a hundred at a time, and at most ``most`` in all; what came before the source broke off is yielded, too."""
    together: list[Found] = []
    left = most
    trouble: RsportalError | None = None
    while left is None or left > 0:
        try:
            each = next(found, None)
        except RsportalError as error:
            trouble, each = error, None
        if each is None:
            break
        together.append(each)
        left = None if left is None else left - 1
        if len(together) == _TOGETHER:
            yield together
            together = []
    if together:
        yield together
    if trouble is not None:
        raise trouble


def _save(run: StacImport, progress: Progress, cursor: Mapping[str, Any]) -> None:
    counts = progress.counts
    run.cursor, run.done = dict(cursor), progress.seen
    run.added, run.changed, run.refused = counts[Outcome.ADDED], counts[Outcome.CHANGED], counts[Outcome.REFUSED]
    run.save(update_fields=["cursor", "done", "added", "changed", "refused", "updated_at"])


def _collection_fill(collection: Collection, first: Found) -> None:
    """Take over what the source says of the collection of its first item, where it can be read."""
    document, base = first.collection, first.base
    if document is None and isinstance(first.item, Mapping):
        links = first.item.get("links")
        href = next(
            (
                link["href"]
                for link in (links if isinstance(links, list) else [])
                if isinstance(link, Mapping) and link.get("rel") == "collection" and is_address(link.get("href"))
            ),
            "",
        )
        if not href:
            return
        try:
            url_check(href)
            document, base = json_get(href), href
        except RsportalError:  # It is said nowhere that a collection's own words can be had.
            return
    if isinstance(document, Mapping) and document.get("type") == "Collection":
        stac_collection_take(collection=collection, document=document, base=base)


@contextmanager
def _alone(run: StacImport) -> Iterator[None]:
    """Hold the import against other processes; the database lets go of it when this one ends, however it ends."""
    key = run.pk.int >> 65  # 63 bits of a random number.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        if not cursor.fetchone()[0]:
            raise Conflict(_("Another process imports from this source just now. Wait until it ends."))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
