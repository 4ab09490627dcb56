"""``manage.py vector_index``: the index over an encoder's vectors."""

from __future__ import annotations

import json
import threading
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from imagery.management.vector_index_report import index_dict, index_lines, progress_line
from imagery.models import Encoder
from imagery.models.encoder import HEAVY_FIELDS
from imagery.services.encoders import encoder_active, encoder_get
from imagery.services.vector_index import MAX_DIMENSION, vector_index_progress
from imagery.services.vector_index_build import vector_index_build, vector_index_drop
from rsportal.errors import RsportalError

_SAY_SECONDS: Final = 5.0


class Command(BaseCommand):
    """Build, drop and show the indexes."""

    help = "Build, drop or show the index that finds the nearest vectors of an encoder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        status = actions.add_parser("status", help="show every encoder's index, and how far a build is")
        status.add_argument("--json", action="store_true", help="print one JSON object a line")
        build = actions.add_parser("build", help="build it, unless a good one is there, and wait until it is done")
        build.add_argument("--kind", choices=list(MAX_DIMENSION), help="another kind than the encoder's; it is kept")
        drop = actions.add_parser("drop", help="drop it: every vector is compared, until it is built again")
        for action in (build, drop):
            action.add_argument(
                "--in-place", action="store_true", help="make uploads wait instead of working beside them"
            )
        for action in (status, build, drop):
            action.add_argument("--encoder", metavar="NAME", help="the encoder's name (default: the active one)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"do_{options['action']}")(options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def do_status(self, options: dict[str, Any]) -> None:
        rows = Encoder.objects.defer(*HEAVY_FIELDS).order_by("name")
        for encoder in [encoder_get(options["encoder"])] if options["encoder"] else rows:
            if options["json"]:
                self.stdout.write(json.dumps(index_dict(encoder)))
            else:
                self.stdout.write("\n".join(index_lines(encoder)))

    def do_build(self, options: dict[str, Any]) -> None:
        encoder = _encoder(options)
        over = threading.Event()
        watcher = threading.Thread(target=self._say_progress, args=(encoder.pk, over), daemon=True)
        watcher.start()
        try:
            vector_index_build(encoder=encoder, kind=options["kind"], in_place=options["in_place"])
        finally:
            over.set()
            watcher.join()
        self.stdout.write("\n".join(index_lines(encoder)))

    def do_drop(self, options: dict[str, Any]) -> None:
        encoder = _encoder(options)
        count = vector_index_drop(encoder=encoder, in_place=options["in_place"])
        what = "its index is dropped" if count else "it had no index"
        self.stdout.write(f"{encoder.name}: {what}; every vector is compared until one is built (vector_index build).")

    def _say_progress(self, encoder_id: int, over: threading.Event) -> None:
        """From a thread, with a connection of its own: this one waits for the build."""
        try:
            while not over.wait(_SAY_SECONDS):
                if progress := vector_index_progress(encoder_id):
                    self.stdout.write(progress_line(progress))
                    self.stdout.flush()
        finally:
            connection.close()


def _encoder(options: dict[str, Any]) -> Encoder:
    return encoder_get(options["encoder"]) if options["encoder"] else encoder_active()
