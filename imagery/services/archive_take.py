"""What a scan does with a directory that holds something new or other: open, compare, follow, take in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.archive_walk import FoundFile, directory_list, is_settled
from imagery.models import ArchiveFile, ArchiveFolder, Asset, IngestJob, Scene
from imagery.querysets import SceneChildQuerySet
from imagery.readers.grouping import SceneFiles, product_folder
from imagery.rendering_recipe import bands_shown
from imagery.services.accept import Source, sources_ingest
from imagery.services.archive_report import ScanReport
from imagery.services.sources import scenes_among, source_of
from imagery.storage import file_sha256

_TOGETHER: Final = 32
_QUERY: Final = 1000
_CANDIDATES: Final = 50
_ROW_FIELDS: Final = ("size", "modified_ns", "sha256", "state", "reason", "scene", "job", "seen_at")
State = ArchiveFile.State


def rows_of(folder: ArchiveFolder, paths: Sequence[str]) -> dict[str, ArchiveFile]:
    """Return what is known of these paths of the folder."""
    rows: dict[str, ArchiveFile] = {}
    for start in range(0, len(paths), _QUERY):
        found = ArchiveFile.objects.filter(folder=folder, path__in=paths[start : start + _QUERY])
        rows |= {row.path: row for row in found}
    return rows


def unit_of(directory: str) -> str:
    """Return the directory whose files may make one scene with those of this one: itself, or that above R10m."""
    unit = str(product_folder(Path(directory) / "file"))
    return "" if unit == "." else unit


@dataclass
class _Waiting:
    """A source on its way in, with its files as they were before anybody read them."""

    source: Source
    files: dict[str, FoundFile]


@dataclass
class Taking:
    """Works through directories of one folder; :meth:`flush` at the end. ``alive`` is called between files."""

    folder: ArchiveFolder
    since: datetime
    report: ScanReport
    settle_seconds: float
    alive: Callable[[], None]
    _batch: UUID = field(default_factory=uuid4)
    _waiting: list[_Waiting] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._root = Path(self.folder.path)

    def directory(self, relative: str) -> None:
        """Look at one directory again (with those of its resolutions: R10m, R20m) and act on what is new or other."""
        listed = directory_list(self._root, relative)
        files = list(listed.files)
        if self.folder.recursive:
            for below in listed.directories:
                if unit_of(below) == relative:
                    files += directory_list(self._root, below).files
        found = {str(self._root / file.relative): file for file in files}
        rows = rows_of(self.folder, [file.relative for file in found.values()])
        for file in found.values():
            if (row := rows.get(file.relative)) is not None and not self._still_known(file, row):
                del rows[file.relative]
            self.alive()
        bands = bands_shown(self.folder.collection)
        for group in scenes_among([Path(path) for path in found], bands=bands):
            members = {key: found[str(path)] for key, path in group.files.items() if str(path) in found}
            if any(file.relative not in rows for file in members.values()):
                self._group(group, members, rows)
                self.alive()

    def flush(self) -> None:
        """Take in what was collected."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        collection = self.folder.collection
        jobs = list(
            sources_ingest(
                sources=[each.source for each in waiting],
                collection=collection,
                user=collection.owner,
                batch=self._batch,
                copy=False,
            )
        )
        assets = _assets_of(jobs)
        rows: list[ArchiveFile] = []
        for each, job in zip(waiting, jobs, strict=True):
            rows += self._rows(each, job, assets)
        ArchiveFile.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["folder", "path"], update_fields=list(_ROW_FIELDS)
        )

    def _still_known(self, file: FoundFile, row: ArchiveFile) -> bool:
        """Compare a known file with what is there; False when it is to be taken as new."""
        same = (row.size, row.modified_ns) == (file.size, file.modified_ns)
        if same and row.state != State.MISSING:
            return True
        if row.scene_id is None or not row.sha256:
            row.delete()  # Nothing was made of it: refused as it was, perhaps not as it is.
            return False
        if not is_settled(file, seconds=self.settle_seconds):
            self.report.note("waiting", file.relative)
            ArchiveFile.objects.filter(pk=row.pk).update(seen_at=self.since)
            return True
        try:
            sha256 = file_sha256(self._root / file.relative)
        except OSError as error:
            self.report.note("unreadable", f"{file.relative}: {error.strerror}")
            ArchiveFile.objects.filter(pk=row.pk).update(seen_at=self.since)
            return True
        good = sha256 == row.sha256
        kind = _kind(good, row.state)
        if kind:
            self.report.note(kind, file.relative)
        self._keep(file, row, good=good)
        return True

    def _keep(self, file: FoundFile, row: ArchiveFile, *, good: bool) -> None:
        """Note how a known file is now; its checksum stays that of the bytes the scene was made of."""
        reason = "" if good else _("The file holds other bytes than when its scene was made.")
        with transaction.atomic():
            ArchiveFile.objects.filter(pk=row.pk).update(
                size=file.size,
                modified_ns=file.modified_ns,
                state=State.PRESENT if good else State.CHANGED,
                reason=reason,
                seen_at=self.since,
            )
            self._assets(row, self._root / file.relative).update(
                fixity=Asset.Fixity.GOOD if good else Asset.Fixity.CHANGED, verified_at=timezone.now()
            )

    def _assets(self, row: ArchiveFile, path: Path) -> SceneChildQuerySet:
        return Asset.objects.filter(
            scene=row.scene_id, role=Asset.Role.DATA, managed=False, path=str(path), sha256=row.sha256
        )

    def _group(self, group: SceneFiles, members: Mapping[str, FoundFile], rows: Mapping[str, ArchiveFile]) -> None:
        """Act on the files of one scene, at least one of which is unknown."""
        unknown = [file for file in members.values() if file.relative not in rows]
        if not all(is_settled(file, seconds=self.settle_seconds) for file in members.values()):
            for file in unknown:
                self.report.note("waiting", file.relative)
            return
        if not self._readable(unknown):
            return
        unknown = [file for file in unknown if not self._moved(file)]
        if not unknown:
            return
        beside = next((row for file in members.values() if (row := rows.get(file.relative)) and row.scene_id), None)
        if beside is not None or len(unknown) < sum(file.relative not in rows for file in members.values()):
            self._refuse_latecomers(unknown, beside)
            return
        self._waiting.append(_Waiting(source_of(group), dict(members)))
        if len(self._waiting) >= _TOGETHER:
            self.flush()

    def _readable(self, files: Iterable[FoundFile]) -> bool:
        """Report files that cannot be opened now: unlike refused ones they are tried again by every scan."""
        fine = True
        for file in files:
            try:
                os.close(os.open(self._root / file.relative, os.O_RDONLY | os.O_NOFOLLOW))
            except OSError as error:
                self.report.note("unreadable", f"{file.relative}: {error.strerror}")
                fine = False
        return fine

    def _refuse_latecomers(self, files: Sequence[FoundFile], beside: ArchiveFile | None) -> None:
        name = Path(beside.path).name if beside else _("a file that was moved")
        reason = _(
            "It belongs together with %(file)s, which is in the catalogue without it. Delete that scene and choose "
            "“Take in again” to have both in one scene."
        ) % {"file": name}
        for file in files:
            self.report.note("refused", file.relative)
            ArchiveFile.objects.update_or_create(
                folder=self.folder,
                path=file.relative,
                defaults={
                    "size": file.size, "modified_ns": file.modified_ns, "state": State.REFUSED, "reason": reason,
                    "seen_at": self.since,
                },
            )  # fmt: skip

    def _moved(self, file: FoundFile) -> bool:
        """Return whether the file is one that is gone from where it was; its scene then follows it."""
        gone = (
            ArchiveFile.objects.filter(Q(folder=self.folder, seen_at__lt=self.since) | Q(state=State.MISSING))
            .filter(folder__collection=self.folder.collection_id, size=file.size, scene__isnull=False)
            .exclude(sha256="")
            .select_related("folder")
        )
        sha256 = ""
        path = self._root / file.relative
        for row in gone.order_by("-seen_at")[:_CANDIDATES]:
            before = Path(row.folder.path) / row.path
            if os.path.lexists(before):
                continue
            sha256 = sha256 or file_sha256(path)
            if row.sha256 != sha256:
                continue
            with transaction.atomic():
                self._assets(row, before).update(
                    path=str(path), fixity=Asset.Fixity.GOOD, verified_at=timezone.now(), filename=path.name[:300]
                )
                ArchiveFile.objects.filter(pk=row.pk).update(
                    folder=self.folder, path=file.relative, size=file.size, modified_ns=file.modified_ns,
                    state=State.PRESENT, reason="", seen_at=self.since,
                )  # fmt: skip
            self.report.note("moved", f"{row.path} → {file.relative}")
            return True
        return False

    def _rows(self, waiting: _Waiting, job: IngestJob, assets: Mapping[tuple[UUID, str], Asset]) -> list[ArchiveFile]:
        """Return what is to be kept of a source's files, and count its fate."""
        first = next(iter(waiting.files.values())).relative
        failed = job.state == IngestJob.State.FAILED
        pairs = [(assets.get((job.scene_id, key)) if job.scene_id else None, f) for key, f in waiting.files.items()]
        if failed:
            self.report.note("refused", f"{first}: {job.reason}")
        elif job.state == IngestJob.State.QUEUED:
            self.report.note("new", first)
        elif any(asset.path != str(self._root / file.relative) for asset, file in pairs if asset):
            self.report.note("duplicate", first)
        rows = []
        for asset, file in pairs:
            rows.append(
                ArchiveFile(
                    folder=self.folder,
                    path=file.relative,
                    size=file.size,
                    modified_ns=file.modified_ns,
                    sha256=asset.sha256 if asset else "",
                    state=State.REFUSED if failed else State.PRESENT,
                    reason=job.reason if failed else "",
                    scene_id=None if failed else job.scene_id,
                    job=job,
                    seen_at=self.since,
                )
            )
        return rows


def _kind(good: bool, before: str) -> str:
    """Return what a report calls a known file that was read again; "" for one that is still changed."""
    if not good:
        return "" if before == State.CHANGED else "changed"
    return {State.MISSING: "back", State.CHANGED: "restored"}.get(State(before), "touched")


def _assets_of(jobs: Iterable[IngestJob]) -> dict[tuple[UUID, str], Asset]:
    scenes = {job.scene_id for job in jobs if job.scene_id}
    rows = Asset.objects.filter(scene__in=Scene.objects.filter(pk__in=scenes).values("pk"), role=Asset.Role.DATA)
    return {(asset.scene_id, asset.key): asset for asset in rows}
