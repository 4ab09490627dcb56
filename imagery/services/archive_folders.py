"""Archive folders: register, change, forget, and have one scanned. Nothing here touches a file of the archive."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.archive_roots import archive_path_check
from imagery.leases import stale_before
from imagery.models import ArchiveFile, ArchiveFolder, Collection
from imagery.readers.grouping import group_band_files, product_folder
from imagery.rendering_recipe import bands_shown
from imagery.services.queue import archive_scan_enqueue
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, NotAllowed

CHANGEABLE_FIELDS: Final = ("recursive", "every_hours", "active")
_HOUR: Final = timedelta(hours=1)


def archive_folder_register(
    *, path: str, collection: Collection, user: User | None, recursive: bool = True, every_hours: int = 24
) -> ArchiveFolder:
    """Register a folder of the server with a collection; nothing is scanned yet. ``user`` None: the operator's shell.

    Raises NotAllowed, or InvalidInput for a path that may not be registered, is not there, or is registered already
    (itself, a folder above it or one below it: a file would be taken in twice).
    """
    if user is not None:
        _registrar_require(user, collection)
    place = archive_path_check(path)
    if not place.is_dir():
        raise InvalidInput(
            _("%(path)s is no folder that this server can see; is its disk mounted?") % {"path": place}, field="path"
        )
    for other in ArchiveFolder.objects.filter(collection=collection):
        there = Path(other.path)
        if place.is_relative_to(there) or there.is_relative_to(place):
            raise InvalidInput(
                _("%(other)s is registered with this collection already, and %(path)s lies in the same tree.")
                % {"other": other.path, "path": place},
                field="path",
            )
    folder = ArchiveFolder(
        collection=collection, path=str(place), recursive=recursive, every_hours=every_hours, created_by=user
    )
    folder.full_clean(exclude=["created_by"])
    folder.save()
    return folder


def archive_folder_update(*, folder: ArchiveFolder, user: User, **changes: Any) -> ArchiveFolder:
    """Change how a folder is scanned (``CHANGEABLE_FIELDS``). Raises NotAllowed or InvalidInput."""
    _registrar_require(user, folder.collection)
    if unknown := set(changes) - set(CHANGEABLE_FIELDS):
        raise InvalidInput(_("An archive folder has no changeable field “%s”.") % min(unknown), field=min(unknown))
    for name, value in changes.items():
        setattr(folder, name, value)
    folder.clean_fields(exclude={field.name for field in ArchiveFolder._meta.fields} - set(changes))
    folder.save(update_fields=list(changes))
    return folder


def archive_folder_forget(*, folder: ArchiveFolder, user: User) -> None:
    """Forget a folder and what was seen in it; its files and the scenes made of them stay. Raises NotAllowed."""
    _registrar_require(user, folder.collection)
    folder.delete()


def archive_scan_request(*, folder: ArchiveFolder, user: User, accept_missing: bool = False) -> None:
    """Have a worker scan the folder soon. Raises NotAllowed when ``user`` may not change its collection."""
    _editor_require(user, folder)
    archive_scan_enqueue(folder.pk, accept_missing=accept_missing)


def archive_files_take_again(*, files: Iterable[ArchiveFile], user: User) -> int:
    """Forget what was seen of these files (and of the other bands of their scenes), so that the next scan takes them as
    new; queue that scan. Return how many were forgotten. Raises NotAllowed.

    A scene that was made of other bytes stays, with its file marked changed: it is deleted by whoever wants that.
    """
    forgotten = 0
    folders: dict[int, ArchiveFolder] = {}
    with transaction.atomic():
        for file in files:
            if file.folder_id not in folders:
                _editor_require(user, file.folder)
                folders[file.folder_id] = file.folder
            forgotten += _same_scene(file).delete()[0]
        for folder in folders.values():
            archive_scan_enqueue(folder.pk)
    return forgotten


def archive_scans_due() -> list[int]:
    """Queue the scans whose time has come, and those whose worker died; return the folders (every ten minutes)."""
    next_at = ExpressionWrapper(F("scanned_at") + F("every_hours") * Value(_HOUR), output_field=DateTimeField())
    due = Q(every_hours__gt=0) & (Q(scanned_at=None) | Q(next_at__lte=timezone.now()))
    died = Q(scanning_since__isnull=False, heartbeat_at__lt=stale_before())
    folders = ArchiveFolder.objects.alias(next_at=next_at).filter(Q(scanning_since=None) & due | died, active=True)
    queued = list(folders.values_list("pk", flat=True))
    for pk in queued:
        archive_scan_enqueue(pk)
    return queued


def _same_scene(file: ArchiveFile) -> Any:
    """Return the rows of the files beside this one that make one scene with it, by their names."""
    unit = product_folder(Path(file.path))
    beside = ArchiveFile.objects.filter(folder=file.folder_id)
    if unit != Path():
        beside = beside.filter(path__startswith=f"{unit}/")
    names = [row for row in beside.values_list("path", flat=True).iterator() if product_folder(Path(row)) == unit]
    wanted = Path(file.path)
    wanted_bands = bands_shown(file.folder.collection)
    groups = group_band_files((Path(name) for name in sorted(names)), wanted=wanted_bands)
    group = next((group for group in groups if wanted in group.files.values()), None)
    members = [str(path) for path in group.files.values()] if group else [file.path]
    return ArchiveFile.objects.filter(folder=file.folder_id, path__in=members)


def _registrar_require(user: User, collection: Collection) -> None:
    """Registering opens a part of the server's disks to a collection: it takes more than editing the collection."""
    editable = Collection.objects.editable_by(user).filter(pk=collection.pk).exists()
    if not (editable and user.has_perm("imagery.add_archivefolder")):
        raise NotAllowed(_("Only an administrator may say which folders of the server are scanned."))


def _editor_require(user: User, folder: ArchiveFolder) -> None:
    if not ArchiveFolder.objects.editable_by(user).filter(pk=folder.pk).exists():
        raise NotAllowed(_("You may not scan folders of this collection."))
