"""``manage.py stac_import``: take items of another archive into a collection."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from imagery.management.acting import collection_for
from imagery.management.ingest_progress import BatchWatch
from imagery.management.stac_report import ImportLog
from imagery.models import Collection
from imagery.services.stac_import import (
    ImportOptions,
    Progress,
    stac_import_begin,
    stac_import_plan,
    stac_import_run,
    stac_pixels_retry,
)
from imagery.services.stac_pixels import Pixels
from rsportal.errors import RsportalError


class Command(BaseCommand):
    """Imports STAC items, shows how far it is, and says what became of them."""

    help = (
        "Take STAC items into a collection: from a file (an Item, an ItemCollection, one item a line, a catalogue or "
        "collection with what lies below it) or an address (the same, or a STAC API, which is searched). Running it "
        "again goes on where it stopped; when all is done, it looks for what is new or changed. Items whose pixels "
        "cannot be reached are kept without. Hosts are allowed by RSPORTAL_REMOTE_HOSTS. Exit status 1 when an item "
        "was refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", nargs="?", metavar="URL_OR_FILE", help="where the items are")
        parser.add_argument("--collection", required=True, metavar="SLUG", help="where the scenes go")
        parser.add_argument("--user", metavar="NAME", help="whose they are (default: the collection's owner)")
        parser.add_argument("--bbox", default="", metavar="W,S,E,N", help="only items that meet this box (degrees)")
        parser.add_argument("--datetime", default="", metavar="WHEN", help="only from a time, as 2024-01-01/2024-12-31")
        parser.add_argument("--collections", nargs="+", default=[], metavar="ID", help="only of these STAC collections")
        parser.add_argument("--limit", type=int, default=0, metavar="N", help="stop after so many items")
        parser.add_argument("--assets", nargs="+", default=[], metavar="NAME", help="which files: asset keys or roles")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--remote", dest="pixels", action="store_const", const=Pixels.REMOTE, default=Pixels.REMOTE,
                         help="read pixels by ranges where they are (default)")  # fmt: skip
        how.add_argument("--copy", dest="pixels", action="store_const", const=Pixels.COPY,
                         help="keep a copy of the files in the media folder")  # fmt: skip
        how.add_argument("--metadata-only", dest="pixels", action="store_const", const=Pixels.NONE,
                         help="take no pixels")  # fmt: skip
        parser.add_argument("--retry-pixels", action="store_true",
                            help="try again to reach the pixels of scenes that have none; needs no source")  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="only say what would happen; write nothing")
        parser.add_argument("--no-wait", action="store_true", help="return when all scenes are queued")
        parser.add_argument("--run-here", action="store_true", help="encode in this process instead of a worker")
        parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["source"]) == options["retry_pixels"]:
            raise CommandError("Name a source, or --retry-pixels for the scenes that are here.")
        if options["limit"] < 0:
            raise CommandError("--limit is a number of items, 1 or more.")
        try:
            self._handle(options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _handle(self, options: dict[str, Any]) -> None:
        wanted = ImportOptions(
            bbox=options["bbox"],
            datetime=options["datetime"],
            collections=options["collections"],
            limit=options["limit"],
            assets=options["assets"],
            pixels=options["pixels"],
        )
        log = ImportLog(stderr=self.stderr, quiet=options["json"], source=options["source"] or "")
        if options["dry_run"]:
            self._dry_run(options, wanted, log)
            return
        collection, user = collection_for(options["collection"], options["user"], say=self.stderr.write)
        progress = Progress()
        if options["retry_pixels"]:
            batch, steps = stac_pixels_retry(collection=collection, user=user, options=wanted, progress=progress)
        else:
            run = stac_import_begin(source=options["source"], collection=collection, user=user, options=wanted)
            batch, steps = run.pk, stac_import_run(run=run, user=user, options=wanted, progress=progress)
            if run.done:
                self.stderr.write(f"Going on after {run.done:,} items.")
        log.follow(steps, progress)
        if progress.jobs and not options["no_wait"]:
            BatchWatch(batch=batch, stderr=self.stderr, quiet=options["json"]).wait(run_here=options["run_here"])
        self._say(log.report(collection, progress, batch=batch), log, options)

    def _dry_run(self, options: dict[str, Any], wanted: ImportOptions, log: ImportLog) -> None:
        if options["retry_pixels"]:
            raise CommandError("--retry-pixels and --dry-run do not go together.")
        collection = Collection.objects.filter(slug=options["collection"]).first()
        progress = Progress()
        steps = stac_import_plan(source=options["source"], collection=collection, options=wanted, progress=progress)
        log.follow(steps, progress)
        self._say(log.plan(options["collection"], progress), log, options)

    def _say(self, report: dict[str, Any], log: ImportLog, options: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(report) if options["json"] else log.summary(report))
        if report["refused"]:
            raise CommandError(f"{report['refused']:,} items were refused.")
