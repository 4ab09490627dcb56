"""What a scan did not meet again: marked missing, unless so much is gone that a disk may not be mounted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.models import ArchiveFile, ArchiveFolder, Asset
from imagery.services.archive_report import ScanReport

_SUSPICIOUS_FILES: Final = 20
_SUSPICIOUS_SHARE: Final = 0.5
_TOGETHER: Final = 500
State = ArchiveFile.State


def missing_mark(
    folder: ArchiveFolder,
    since: datetime,
    report: ScanReport,
    *,
    unreadable: Sequence[str],
    accept_missing: bool,
) -> str:
    """Mark the files not seen since ``since`` as missing; return "", or the sentence why nothing was marked.

    Nothing is ever deleted but the memory of files that were refused and are gone. Files below ``unreadable``
    directories are left as they were.
    """
    known = ArchiveFile.objects.filter(folder=folder).exclude(state=State.MISSING)
    below = Q()
    for directory in unreadable:
        below |= Q(path__startswith=f"{directory}/")
    gone = known.filter(seen_at__lt=since)
    if unreadable:
        gone = gone.exclude(below)
    lost, all_known = gone.exclude(scene=None).count(), known.exclude(scene=None).count()
    if lost and not accept_missing:
        many = lost >= _SUSPICIOUS_FILES and lost > _SUSPICIOUS_SHARE * all_known
        if many or lost == all_known:
            return _(
                "%(lost)d of the %(known)d files that were taken in from %(path)s are not there. If a disk is not "
                "mounted, mount it and scan again. Nothing was marked missing; say so if they are really gone."
            ) % {"lost": lost, "known": all_known, "path": folder.path}
    gone.filter(scene=None).delete()
    while rows := list(gone.order_by("path")[:_TOGETHER]):
        _mark(folder, rows, report)
    return ""


def _mark(folder: ArchiveFolder, rows: Sequence[ArchiveFile], report: ScanReport) -> None:
    """Mark these files missing, but for those whose scene has its bytes at another place, too."""
    scenes = [row.scene_id for row in rows]
    assets = {
        (asset.scene_id, asset.sha256): asset for asset in Asset.objects.filter(scene__in=scenes, role=Asset.Role.DATA)
    }
    copies = ArchiveFile.objects.filter(scene__in=scenes, state=State.PRESENT).exclude(pk__in=[row.pk for row in rows])
    elsewhere = {(copy.scene_id, copy.sha256): copy for copy in copies.select_related("folder")}
    with transaction.atomic():
        for row in rows:
            asset, copy = assets.get((row.scene_id, row.sha256)), elsewhere.get((row.scene_id, row.sha256))
            if asset is not None and asset.path != str(Path(folder.path) / row.path):
                row.delete()  # The scene's file is another one: this was a copy, or the scene has followed it.
                continue
            place = Path(copy.folder.path) / copy.path if copy else None
            if asset is not None and copy is not None and place is not None and place.is_file():
                Asset.objects.filter(pk=asset.pk).update(path=str(place), fixity=Asset.Fixity.UNKNOWN, verified_at=None)
                row.delete()
                report.note("moved", f"{row.path} → {copy.path}")
                continue
            ArchiveFile.objects.filter(pk=row.pk).update(state=State.MISSING)
            if asset is not None and not asset.managed:
                Asset.objects.filter(pk=asset.pk).update(fixity=Asset.Fixity.MISSING, verified_at=timezone.now())
            report.note("missing", row.path)
