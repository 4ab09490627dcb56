"""``manage.py verify``: are the originals still the bytes that came?"""

import json
import sys
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from imagery.models import Collection
from imagery.services.fixity import KINDS, FixityReport, Pace, originals_verify


class Command(BaseCommand):
    """Reads originals and compares them with their checksums."""

    help = (
        "Read the original files and compare them with the SHA-256 they came with, those first whose last check is "
        "longest ago. What is changed or missing is named and marked; nothing else is done. Exit status 1 when "
        "something is changed, missing or cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--collection", metavar="SLUG", help="only originals of this collection")
        parser.add_argument("--older-than", type=float, metavar="DAYS", help="only those not checked for so long")
        parser.add_argument("--limit", type=int, metavar="FILES", help="at most so many files")
        parser.add_argument(
            "--rate",
            type=float,
            default=settings.VERIFY_MB_PER_SECOND,
            metavar="MB",
            help="megabytes a second; 0: as fast as the disk is (default: %(default)s)",
        )
        parser.add_argument(
            "--accept-missing",
            action="store_true",
            help="mark files missing even where their whole folder is empty, as that of an unmounted disk is",
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("older_than", "limit", "rate"):
            if options[name] is not None and options[name] < 0:
                raise CommandError(f"--{name.replace('_', '-')} is {options[name]:g}; write 0 or more.")
        slug = options["collection"]
        collection = Collection.objects.filter(slug=slug).first() if slug else None
        if slug and collection is None:
            raise CommandError(f"There is no collection {slug!r}.")
        with tqdm(unit="file", disable=options["json"] or not sys.stderr.isatty(), leave=False) as bar:
            report = originals_verify(
                collection=collection,
                older_than=timedelta(days=options["older_than"] or 0),
                most=options["limit"],
                pace=Pace(options["rate"] * 1_000_000),
                accept_missing=options["accept_missing"],
                progress=lambda report: bar.update(report.read - bar.n) and None,
            )
        self.stdout.write(json.dumps(_as_json(report)) if options["json"] else _words(report))
        if bad := sum(report.counts[kind] for kind in KINDS if kind != "good"):
            raise CommandError(f"{bad} originals are not as they should be.")


def _as_json(report: FixityReport) -> dict[str, Any]:
    return {**report.counts, "bytes": report.bytes, "names": report.names}


def _words(report: FixityReport) -> str:
    lines = [f"{kind}: {name}" for kind in KINDS for name in report.names.get(kind, [])]
    counted = ", ".join(f"{report.counts[kind]} {kind}" for kind in KINDS if report.counts[kind]) or "nothing to check"
    return "\n".join([*lines, f"{counted}; {report.bytes / 1e6:.1f} MB read"])
