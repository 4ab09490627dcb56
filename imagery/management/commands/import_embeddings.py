"""``manage.py import_embeddings``: take vectors over from a GeoParquet file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from imagery.management.acting import acting_user, collection_named
from imagery.management.counter import Counter
from imagery.services.embeddings_import import embeddings_import
from imagery.services.encoders import encoder_active, encoder_get
from rsportal.errors import RsportalError


class Command(BaseCommand):
    """Gives scenes that the collection knows the vectors of a file."""

    help = (
        "Give the scenes of a collection the vectors of a GeoParquet file (written by export_embeddings or "
        "stac_export --embeddings), so that nothing is encoded again. Scenes are known by the SHA-256 of their bytes, "
        "else by their STAC id. A file of another encoder is refused. Running it again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="the GeoParquet file")
        parser.add_argument("--collection", required=True, metavar="SLUG", help="whose scenes get the vectors")
        parser.add_argument("--encoder", metavar="NAME", help="whose vectors they are (default: the active encoder)")
        parser.add_argument("--user", metavar="NAME", help="who imports (default: the collection's owner)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            collection = collection_named(options["collection"])
            report = embeddings_import(
                path=options["file"],
                collection=collection,
                user=acting_user(options["user"], collection),
                encoder=encoder_get(options["encoder"]) if options["encoder"] else encoder_active(),
                progress=Counter(self.stderr, "vectors").show,
            )
        except RsportalError as error:
            raise CommandError(error.message) from error
        lines = [f"{report.rows:,} rows read, {report.written:,} written, {report.same:,} were there already."]
        if report.searchable:
            lines.append(f"{report.searchable:,} scenes can be searched now.")
        if report.unknown:
            lines.append(f"{report.unknown:,} rows belong to no scene of the collection that is ready for them.")
        if report.elsewhere:
            lines.append(f"{report.elsewhere:,} rows are of windows that their scene is not cut into.")
        self.stdout.write("\n".join(lines))
