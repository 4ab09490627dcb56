"""``manage.py export_embeddings``: write the vectors of a collection as GeoParquet."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from imagery.management.acting import acting_user, collection_named
from imagery.services.embeddings_export import embeddings_export
from imagery.services.encoders import encoder_active, encoder_get
from rsportal.errors import RsportalError


class Command(BaseCommand):
    """Writes one row for every window that has a vector."""

    help = (
        "Write the vectors of a collection's windows as GeoParquet 1.1: one row a window, with its scene, its outline "
        "and the encoder. import_embeddings reads it back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("out", type=Path, metavar="FILE", help="the file to write; it must not exist")
        parser.add_argument("--collection", required=True, metavar="SLUG", help="whose vectors")
        parser.add_argument("--encoder", metavar="NAME", help="under which encoder (default: the active one)")
        parser.add_argument("--user", metavar="NAME", help="for whom (default: the collection's owner)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            collection = collection_named(options["collection"])
            written = embeddings_export(
                user=acting_user(options["user"], collection),
                collection=collection,
                out=options["out"],
                encoder=encoder_get(options["encoder"]) if options["encoder"] else encoder_active(),
            )
        except RsportalError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{options['out']} cannot be written: {error.strerror}.") from error
        size = written.path.stat().st_size
        self.stdout.write(f"{written.rows:,} vectors of {written.encoder.name}, {size:,} bytes: {written.path}")
