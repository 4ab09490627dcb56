"""``manage.py stac_export``: write collections as a static STAC catalogue."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from imagery.management.acting import acting_user, collection_named
from imagery.management.counter import Counter
from imagery.selectors import collections_list
from imagery.services.stac_export import FILES, ExportOptions, ExportReport, catalog_export
from rsportal.errors import RsportalError


class Command(BaseCommand):
    """Writes what somebody may see of collections."""

    help = (
        "Write collections as a self-contained static STAC 1.1 catalogue: DIR/catalog.json, a folder for each "
        "collection. Only what the acting user may see goes out; original files only where the licence lets them have "
        "it, or where they edit the collection."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--collection", required=True, action="append", metavar="SLUG", help="may be repeated")
        parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a folder that is new or empty")
        parser.add_argument("--user", metavar="NAME", help="for whom (default: the first collection's owner)")
        parser.add_argument("--ndjson", action="store_true", help="all items of a collection in one file, one a line")
        parser.add_argument(
            "--with-files",
            choices=FILES,
            default="none",
            help="copy no files (default), the small and full pictures, or these and the originals",
        )
        parser.add_argument("--embeddings", action="store_true", help="also the vectors, as GeoParquet")
        parser.add_argument(
            "--portal", default="", metavar="URL", help="the portal's address, for links to files that are not copied"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        collections = [collection_named(slug) for slug in dict.fromkeys(options["collection"])]
        user = acting_user(options["user"], collections[0])
        visible = set(collections_list(user).values_list("slug", flat=True))
        for collection in collections:
            if collection.slug not in visible:
                raise CommandError(f"There is no collection {collection.slug!r} that {user} may see.")
        try:
            report = catalog_export(
                user=user,
                collections=collections,
                out=options["out"],
                options=ExportOptions(
                    ndjson=options["ndjson"],
                    files=options["with_files"],
                    embeddings=options["embeddings"],
                    portal=options["portal"],
                ),
                progress=Counter(self.stderr, "items").show,
            )
        except RsportalError as error:
            raise CommandError(error.message) from error
        self.stdout.write(_summary(report, options["out"]))


def _summary(report: ExportReport, out: Path) -> str:
    lines = [f"{report.items:,} items: {out / 'catalog.json'}"]
    if report.files:
        lines.append(f"{report.files:,} files, {report.bytes:,} bytes.")
    if report.vectors:
        lines.append(f"{report.vectors:,} vectors.")
    if report.originals_withheld:
        lines.append("Original files were left out: the licence is not known to allow copies.")
    if report.left_out:
        lines.append(f"{report.left_out:,} files were left out:")
        lines += [f"  {sentence}" for sentence in report.problems]
    return "\n".join(lines)
