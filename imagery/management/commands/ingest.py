"""``manage.py ingest``: take image files into a collection."""

import json
from argparse import ArgumentParser, BooleanOptionalAction
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.core.management.base import BaseCommand, CommandError

from imagery.management.acting import collection_for
from imagery.management.ingest_progress import BatchWatch
from imagery.management.ingest_report import dry_run_report, dry_run_summary, final_report, final_summary
from imagery.models import Collection
from imagery.readers.grouping import SceneFiles
from imagery.rendering_recipe import bands_shown
from imagery.services.ingest import sources_ingest
from imagery.services.refusals import refusal_store
from imagery.services.sources import source_of, source_plan, sources_find
from imagery.services.zip_entries import ZipRefused, is_zip
from imagery.services.zip_intake import zip_ingest, zip_plan
from imagery.tiling import TileRule
from rsportal.accounts.models import User
from rsportal.errors import RsportalError


class Command(BaseCommand):
    """Accepts files, waits until they can be searched, and says what became of each."""

    help = (
        "Take images (PNG, JPEG, WebP, GeoTIFF, JPEG 2000) into a collection. Files stay where they are and are only "
        "read, unless --copy is given. Band files of one product that lie side by side (..._B02, ..._B03, ..._B04) "
        "become one scene, shown in true colour or by the collection's band recipe. Zip archives are unpacked and what "
        "they hold is copied. Running it again adds nothing twice. Exit status 1 when a file failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths", nargs="+", type=Path, metavar="PATH", help="image files, folders of them, or zip archives"
        )
        parser.add_argument("--collection", required=True, metavar="SLUG", help="where the scenes go")
        parser.add_argument("--user", metavar="NAME", help="whose they are (default: the collection's owner)")
        parser.add_argument("--recursive", action="store_true", help="look into folders below, too")
        parser.add_argument("--dry-run", action="store_true", help="only list what would happen; write nothing")
        parser.add_argument("--copy", action="store_true", help="keep a copy in the media folder")
        parser.add_argument("--no-wait", action="store_true", help="return when all files are queued")
        parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")
        parser.add_argument("--run-here", action="store_true", help="encode in this process instead of a worker")
        parser.add_argument(
            "--create",
            action=BooleanOptionalAction,
            default=True,
            help="make the collection, private, when it does not exist (default: yes)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _handle(self, options: dict[str, Any]) -> None:
        known = Collection.objects.filter(slug=options["collection"]).first()
        bands = bands_shown(known) if known else ()
        archives = [path for path in options["paths"] if path.is_file() and is_zip(path, path.name)]
        plain = [path for path in options["paths"] if path not in archives]
        sources = sources_find(plain, recursive=options["recursive"], bands=bands)
        if not sources and not archives:
            more = "" if options["recursive"] else " Use --recursive to look into folders below."
            raise CommandError(f"No image files found.{more}")
        if options["dry_run"]:
            self._dry_run(sources, archives, known, options)
            return
        collection, user = collection_for(
            options["collection"], options["user"], say=self.stderr.write, create=options["create"]
        )
        batch = uuid4()
        watch = BatchWatch(batch=batch, stderr=self.stderr, quiet=options["json"])
        accepted = sources_ingest(
            sources=[source_of(found) for found in sources],
            collection=collection,
            user=user,
            batch=batch,
            copy=options["copy"],
        )
        labels = [_label(found) for found in sources]
        jobs: dict[UUID, str] = {
            job.pk: label for job, label in zip(watch.counted(accepted, "accepting", len(labels)), labels, strict=True)
        }
        for path in archives:
            if not options["json"]:
                self.stderr.write(f"Unpacking {path} ...")
            self._archive(path, collection, user, batch)
        if not options["no_wait"]:
            watch.wait(run_here=options["run_here"])
        report = final_report(collection.slug, batch, jobs)
        self.stdout.write(json.dumps(report) if options["json"] else final_summary(report))
        if failed := report["failed"]:
            raise CommandError(f"{failed} of {len(report['jobs'])} could not be taken in.")

    def _archive(self, path: Path, collection: Collection, user: User, batch: UUID) -> None:
        """Take in what a zip archive holds; its files are copied, as the unpacked ones do not stay."""
        try:
            zip_ingest(path, filename=path.name, collection=collection, user=user, batch=batch)
        except ZipRefused as error:
            refusal_store(filename=str(path), reason=error.message, collection=collection, user=user, batch=batch)

    def _dry_run(
        self, sources: list[SceneFiles], archives: list[Path], known: Collection | None, options: dict[str, Any]
    ) -> None:
        bands, rule = (bands_shown(known), TileRule.of(known)) if known else ((), TileRule())
        plans = [source_plan(source, bands=bands, rule=rule) for source in sources]
        for path in archives:
            plans += zip_plan(path, bands=bands, rule=rule)
        report = dry_run_report(options["collection"], plans, options["copy"], rule=rule)
        self.stdout.write(json.dumps(report) if options["json"] else dry_run_summary(report))


def _label(source: SceneFiles) -> str:
    first = next(iter(source.files.values()))
    return str(first.parent / source.name) if source.is_band_set else str(first)
