"""Scanning an archive folder: list it, take in what is new, follow what moved, and say what changed or is missing.

Listing reads names, sizes and times and notes what is still as it was. Only then are the directories with something new
or changed looked at again, one after the other, and files opened; by then it is known what is gone, so that a file that
moved is told from a copy. All that is learned is stored as it is learned: a scan that died goes on where it stopped.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from imagery.archive_roots import archive_path_check
from imagery.archive_walk import FoundDirectory, directories_walk
from imagery.leases import beating, stale_before
from imagery.models import ArchiveFile, ArchiveFolder
from imagery.querysets import ArchiveFolderQuerySet
from imagery.services.archive_missing import missing_mark
from imagery.services.archive_report import ScanReport
from imagery.services.archive_take import Taking, rows_of, unit_of
from rsportal.errors import Conflict, InvalidInput

SLICE_SECONDS: Final = 120.0
"""How long a task opens files before it lets other tasks through and goes on later."""
_REPORT_SECONDS: Final = 2.0
_log = logging.getLogger(__name__)
Progress = Callable[[ScanReport], None]
State = ArchiveFile.State


class _Lost(Exception):
    """Another process took the scan over: this one was thought dead."""


def archive_folder_scan(
    *,
    folder_id: int,
    seconds: float | None = None,
    accept_missing: bool = False,
    settle_seconds: float | None = None,
    progress: Progress | None = None,
) -> ScanReport:
    """Scan a folder and return what was found, which is also kept with it.

    After ``seconds`` of opening files the scan ends as ``continued``; call again. ``accept_missing``: files are
    really gone, however many. Files touched in the last ``settle_seconds`` (the setting's) wait for the next scan.
    Raises Conflict when the folder is being scanned already or was forgotten.
    """
    since = timezone.now()
    free = Q(scanning_since=None) | Q(heartbeat_at__lt=stale_before())
    if not ArchiveFolder.objects.filter(free, pk=folder_id).update(scanning_since=since, heartbeat_at=since):
        raise Conflict(_("This archive folder is being scanned already, or is not registered any more."))
    folder = ArchiveFolder.objects.select_related("collection__owner", "created_by").get(pk=folder_id)
    settle = settings.ARCHIVE_SETTLE_SECONDS if settle_seconds is None else settle_seconds
    until = None if seconds is None else time.monotonic() + seconds
    scan = _Scan(folder=folder, since=since, until=until, settle_seconds=settle, progress=progress)
    language = (folder.created_by.language if folder.created_by else "") or None
    with translation.override(language), beating(scan.owned):
        try:
            scan.run(accept_missing=accept_missing)
        except _Lost:
            _log.warning("%s: this scan was thought dead and another one goes on", folder.path)
        except BaseException as error:
            said = " ".join(str(error).split())[:300]
            scan.report.problem = _("The scan was cut off (%(kind)s: %(message)s); the next one goes on.") % {
                "kind": type(error).__name__,
                "message": said,
            }
            scan.end("stopped")
            raise
    return scan.report


@dataclass
class _Scan:
    folder: ArchiveFolder
    since: datetime
    until: float | None
    settle_seconds: float
    progress: Progress | None
    report: ScanReport = field(init=False)
    _unreadable: list[str] = field(default_factory=list)
    _next_report: float = 0.0

    def __post_init__(self) -> None:
        self.report = ScanReport(began=self.since.isoformat())
        self.root = Path(self.folder.path)

    def owned(self) -> ArchiveFolderQuerySet:
        """Return the folder's row as long as this scan is the one that works on it."""
        return ArchiveFolder.objects.filter(pk=self.folder.pk, scanning_since=self.since)

    def run(self, *, accept_missing: bool) -> None:
        if problem := self._unreachable():
            self.report.problem = problem
            self.end("unreachable")
            return
        self._settle_fates()
        again = self._list()
        self.report.phase = "reading"
        taking = Taking(self.folder, self.since, self.report, self.settle_seconds, alive=self._tell)
        for relative in again:
            if self.until is not None and time.monotonic() > self.until:
                taking.flush()
                self.end("continued")
                return
            taking.directory(relative)
        taking.flush()
        problem = missing_mark(
            self.folder, self.since, self.report, unreadable=self._unreadable, accept_missing=accept_missing
        )
        self.report.problem = problem
        self.end("held" if problem else "finished")

    def end(self, state: str) -> None:
        """Keep the report and let others scan the folder."""
        self.report.state = state
        ended: dict[str, datetime] = {} if state in {"continued", "stopped"} else {"scanned_at": timezone.now()}
        self.owned().update(scanning_since=None, heartbeat_at=None, report=self.report.as_json(), **ended)
        if self.progress:
            self.progress(self.report)

    def _unreachable(self) -> str:
        """Return why nothing can be said of the folder now, or an empty string."""
        try:
            if archive_path_check(self.folder.path) != self.root:
                return _("%(path)s leads elsewhere now. Nothing was marked missing.") % {"path": self.root}
            with os.scandir(self.root):
                return ""
        except InvalidInput as error:
            return error.message
        except OSError as error:
            return _(
                "%(path)s cannot be opened (%(reason)s). Is its disk mounted, and may the portal read it? Nothing was "
                "marked missing."
            ) % {"path": self.root, "reason": error.strerror}

    def _settle_fates(self) -> None:
        """Note of files whose scene is gone why: refused by the worker, or deleted by somebody."""
        lost = ArchiveFile.objects.filter(folder=self.folder, scene=None)
        lost.filter(state=State.CHANGED).delete()  # Other bytes than the scene that is gone had: new ones.
        for row in lost.filter(state=State.PRESENT).select_related("job").iterator(chunk_size=1000):
            if row.job is not None and row.job.state == row.job.State.FAILED:
                reason = row.job.reason
            else:
                reason = _("Its scene was deleted in the portal; choose “Take in again” to have it back.")
            ArchiveFile.objects.filter(pk=row.pk).update(state=State.REFUSED, reason=reason)

    def _list(self) -> list[str]:
        """Note what is as it was; return the directories that hold something else."""
        again: dict[str, None] = {}
        for found in directories_walk(self.root, recursive=self.folder.recursive):
            self.report.directories += 1
            self.report.files += len(found.files)
            if found.problem:
                self._unreadable.append(found.relative)
                self.report.note("unreadable", f"{found.relative}/: {found.problem}")
            for name, problem in found.unreadable:
                self.report.note("unreadable", f"{name}: {problem}")
                ArchiveFile.objects.filter(folder=self.folder, path=name).update(seen_at=self.since)
            for name in found.links_out:
                self.report.note("links", name)
            if self._note_seen(found):
                again[unit_of(found.relative)] = None
            self._tell()
        return list(again)

    def _note_seen(self, found: FoundDirectory) -> bool:
        rows = rows_of(self.folder, [file.relative for file in found.files])
        same, other = [], False
        for file in found.files:
            row = rows.get(file.relative)
            if (
                row is None
                or row.state == State.MISSING
                or (row.size, row.modified_ns)
                != (
                    file.size,
                    file.modified_ns,
                )
            ):
                other = True
            if row is not None and row.state != State.MISSING:
                same.append(row.pk)
        for start in range(0, len(same), 1000):
            ArchiveFile.objects.filter(pk__in=same[start : start + 1000]).update(seen_at=self.since)
        return other

    def _tell(self) -> None:
        """Show how far it is, now and then. Raises _Lost when the scan belongs to another process by now."""
        if time.monotonic() < self._next_report:
            return
        self._next_report = time.monotonic() + _REPORT_SECONDS
        if not self.owned().update(report=self.report.as_json(), heartbeat_at=timezone.now()):
            raise _Lost
        if self.progress:
            self.progress(self.report)
