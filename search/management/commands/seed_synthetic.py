"""``manage.py seed_synthetic``: an archive of made-up scenes for load tests."""

import sys
from argparse import ArgumentParser
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from imagery.services.vector_index_build import vector_index_build
from rsportal.errors import RsportalError
from search.services.synthetic import QUERIES, query_text, synthetic_remove, synthetic_seed


class Command(BaseCommand):
    help = (
        "Make an archive of scenes that do not exist, for load tests: vectors clustered like those of real pictures, "
        "and metadata. Meant for a portal of its own. There are no pictures and no model: only the queries "
        f"{query_text(0)} to {query_text(QUERIES - 1)} can be searched for. --remove takes it all away."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--scenes", type=int, metavar="N", help="how many")
        parser.add_argument("--dimension", type=int, metavar="D", help="numbers of a vector (default: 1024)")
        parser.add_argument("--seed", type=int, default=0, metavar="S", help="another archive for every number")
        parser.add_argument("--windows", type=int, default=0, metavar="W", help="windows beside each whole scene")
        parser.add_argument("--force", action="store_true", help="put them beside real scenes, into the active encoder")
        parser.add_argument("--no-index", action="store_true", help="build no index of the vectors")
        parser.add_argument("--remove", action="store_true", help="take the synthetic archive away")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["remove"] == (options["scenes"] is not None):
            raise CommandError("Write either --scenes N or --remove.")
        try:
            if options["remove"]:
                removed = synthetic_remove(progress=self._progress)
                self.stdout.write(f"Removed {removed:,} synthetic scenes.")
            else:
                self._seed(options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _seed(self, options: dict[str, Any]) -> None:
        made = synthetic_seed(
            **{name: options[name] for name in ("scenes", "dimension", "seed", "windows", "force")},
            progress=self._progress,
        )
        self.stdout.write(
            f"{made.scenes:,} scenes and {made.vectors:,} vectors of {made.source.dimension} numbers in "
            f"{made.seconds:.0f} s; the vectors alone were copied at {made.vectors / made.copy_seconds:,.0f} rows/s."
        )
        if not options["no_index"]:
            begun = perf_counter()
            vector_index_build(encoder=made.encoder, in_place=made.own_encoder)
            self.stdout.write(f"Index of {made.encoder.name} built in {perf_counter() - begun:.0f} s.")
        if made.own_encoder:
            self.stdout.write(
                f'Search for "{query_text(0)}" to "{query_text(QUERIES - 1)}": nothing else is understood.'
            )

    def _progress(self, what: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{what}: {done:,} of {total:,}", ending="" if done < total else "\n")
        elif done >= total or done % 20_480 < 4_096:
            self.stderr.write(f"{what}: {done:,} of {total:,}")
