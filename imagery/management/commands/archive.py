"""``manage.py archive``: folders of the operator's archive that are scanned again and again, and only read."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from imagery.models import ArchiveFile, ArchiveFolder, Collection
from imagery.services.archive_folders import archive_folder_register
from imagery.services.archive_report import KINDS, ScanReport
from imagery.services.archive_scan import archive_folder_scan
from rsportal.errors import RsportalError


class Command(BaseCommand):
    """add, list, scan, report."""

    help = (
        "Archive folders: add registers a folder (below RSPORTAL_ARCHIVE_ROOTS) with a collection; scan takes in what "
        "is new, follows what moved and reports what changed or is missing; list and report show what is known. "
        "Files are only ever read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_subparsers(dest="what", required=True, metavar="add|list|scan|report")
        add = what.add_parser("add", help="register a folder")
        add.add_argument("path", help="absolute path on this server")
        add.add_argument("--collection", required=True, metavar="SLUG")
        add.add_argument("--every-hours", type=int, default=24, metavar="N", help="0: only when asked (default: 24)")
        add.add_argument("--no-recursive", action="store_true", help="leave the folders below alone")
        what.add_parser("list", help="the registered folders")
        scan = what.add_parser("scan", help="scan now, in this process")
        scan.add_argument("folders", nargs="*", metavar="ID|PATH", help="default: all active folders")
        scan.add_argument("--accept-missing", action="store_true", help="what is not there is really gone")
        scan.add_argument("--json", action="store_true", help="one JSON object a folder")
        report = what.add_parser("report", help="what is changed, missing or refused")
        report.add_argument("folders", nargs="*", metavar="ID|PATH", help="default: all folders")
        report.add_argument("--json", action="store_true", help="one JSON object a file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what']}")(options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _add(self, options: dict[str, Any]) -> None:
        slug = options["collection"]
        collection = Collection.objects.filter(slug=slug).first()
        if collection is None:
            raise CommandError(f"There is no collection {slug!r}.")
        folder = archive_folder_register(
            path=options["path"],
            collection=collection,
            user=None,
            recursive=not options["no_recursive"],
            every_hours=options["every_hours"],
        )
        self.stdout.write(f"{folder.pk}  {folder.path} is registered with {slug!r}; scan it: manage.py archive scan")

    def _list(self, options: dict[str, Any]) -> None:
        for folder in ArchiveFolder.objects.select_related("collection"):
            state = folder.report.get("state", "not scanned yet") if not folder.scanning_since else "being scanned"
            when = folder.scanned_at.isoformat(timespec="seconds") if folder.scanned_at else "never"
            self.stdout.write(f"{folder.pk}  {folder.path}  {folder.collection.slug}  last scan {when}  {state}")

    def _scan(self, options: dict[str, Any]) -> None:
        folders = self._folders(options["folders"], only_active=True)
        bad = 0
        for folder in folders:
            report = archive_folder_scan(
                folder_id=folder.pk,
                accept_missing=options["accept_missing"],
                progress=None if options["json"] else self._progress,
            )
            bad += report.state != "finished"
            self.stdout.write(
                json.dumps({"path": folder.path, **report.as_json()}) if options["json"] else _words(folder, report)
            )
        if bad:
            raise CommandError(f"{bad} of {len(folders)} folders could not be scanned to the end.")

    def _progress(self, report: ScanReport) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{report.phase}: {report.files} files, {report.counts['new']} new  ", ending="")

    def _report(self, options: dict[str, Any]) -> None:
        rows = ArchiveFile.objects.exclude(state=ArchiveFile.State.PRESENT).select_related("folder")
        rows = rows.filter(folder__in=self._folders(options["folders"], only_active=False))
        for row in rows.order_by("folder__path", "path").iterator():
            path = str(Path(row.folder.path) / row.path)
            told = {"path": path, "state": row.state, "reason": row.reason, "scene": str(row.scene_id or "")}
            reason = f": {row.reason}" if row.reason else ""
            self.stdout.write(json.dumps(told) if options["json"] else f"{row.state}  {path}{reason}")

    def _folders(self, wanted: list[str], *, only_active: bool) -> list[ArchiveFolder]:
        known = {str(folder.pk): folder for folder in ArchiveFolder.objects.order_by("pk")}
        if not wanted:
            return [folder for folder in known.values() if folder.active or not only_active]
        by_path = {folder.path: folder for folder in known.values()}
        found = []
        for name in wanted:
            folder = known.get(name) or by_path.get(str(Path(name).resolve()))
            if folder is None:
                raise CommandError(f"No archive folder {name!r} is registered; see manage.py archive list.")
            found.append(folder)
        return found


def _words(folder: ArchiveFolder, report: ScanReport) -> str:
    lines = [f"{folder.path}: {report.state}, {report.files} files seen"]
    lines += [f"  {report.problem}"] if report.problem else []
    for kind in KINDS:
        if count := report.counts[kind]:
            lines.append(f"  {kind}: {count}")
            lines += [f"    {name}" for name in report.names.get(kind, [])] if kind != "new" else []
    return "\n".join(lines)
