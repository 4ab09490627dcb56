"""``manage.py sweep_media``: folders of the media folder that belong to no scene."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from imagery.services.orphans import YOUNGEST_HOURS, orphans_delete, orphans_find
from rsportal.errors import RsportalError


class Command(BaseCommand):
    """Lists them, and deletes them when told so."""

    help = (
        "List folders of the media folder that belong to no scene: a process that was killed between copying a file "
        "and storing its row leaves one. Nothing is deleted without --delete."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--delete", action="store_true", help="delete them")
        parser.add_argument(
            "--older-than",
            type=float,
            default=24.0,
            metavar="HOURS",
            help="only where nothing has changed for so long (default: 24, least: 1)",
        )
        parser.add_argument("--force", action="store_true", help="even if that is most of the media folder")

    def handle(self, *args: Any, **options: Any) -> None:
        hours = options["older_than"]
        if hours < YOUNGEST_HOURS:
            raise CommandError(f"--older-than is {hours:g}; younger folders than an hour may be in use.")
        try:
            if options["delete"]:
                sweep = orphans_delete(older_than_hours=hours, force=options["force"])
            else:
                sweep = orphans_find(older_than_hours=hours)
        except RsportalError as error:
            raise CommandError(error.message) from error
        for relative in sweep.orphans:
            self.stdout.write(relative)
        done = f"{sweep.deleted} deleted" if options["delete"] else "nothing deleted (--delete does)"
        self.stdout.write(
            f"{len(sweep.orphans)} of {sweep.folders} folders belong to no scene, {sweep.bytes / 1e6:.1f} MB; {done}; "
            f"{sweep.young} younger ones left alone"
        )
