"""Accepting sources: checks, checksum, copy, and then scene, files, job and task in one transaction."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.jobs import State
from imagery.models import Asset, Collection, IngestJob, Scene
from imagery.readers import Size, open_scene
from imagery.readers.formats import FACTS
from imagery.readers.location import Location, RemoteFile
from imagery.readers.sidecars import PLACING, SIDECAR_KEYS, sidecar_media_type, sidecar_name
from imagery.rendering_recipe import BandRecipe, recipe_parse
from imagery.services.properties import scene_fields
from imagery.services.queue import job_enqueue
from imagery.storage import AssetMissing, asset_location, file_copy_in, file_sha256, scene_files_remove
from imagery.validation import FileFacts, file_check, sidecar_check
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, NotAllowed, RsportalError

_log = logging.getLogger(__name__)
_NAME_LENGTH: Final = 300
_TOGETHER: Final = 32
"""Sources that share a transaction when many come at once."""


@dataclass(frozen=True)
class SourceFile:
    """A file to take in: where it lies, the name it came under, its asset key.

    ``path`` may be an address that is read by ranges. ``href`` is where a file of another archive is, also when it was
    copied from there; ``bands`` what that archive says of its bands (STAC).

    Several files make one scene from bands: ``red``, ``green``, ``blue``, and further ones by their own name. Keys of
    :data:`imagery.readers.sidecars.SIDECAR_KEYS` are files beside an image, such as its world file.
    """

    path: Location
    filename: str
    key: str = "data"
    href: str = ""
    bands: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Source:
    """The files of one scene, with what the sender says about it (``properties`` in STAC names)."""

    files: Sequence[SourceFile]
    title: str = ""
    properties: dict[str, Any] | None = None


@dataclass(frozen=True)
class Checked:
    """A file that passed the checks; ``sha256`` is empty where it is only read by ranges."""

    source: SourceFile
    facts: FileFacts
    sha256: str


@dataclass
class _Draft:
    """A source on its way in: its job and, when it passed the checks, its scene."""

    job: IngestJob
    checked: list[Checked] = field(default_factory=list)
    scene: Scene | None = None
    assets: list[Asset] = field(default_factory=list)


def source_ingest(
    *,
    files: Sequence[SourceFile],
    collection: Collection,
    user: User,
    batch: UUID | None = None,
    title: str = "",
    properties: dict[str, Any] | None = None,
    copy: bool = True,
) -> IngestJob:
    """Take in the files of one scene and queue the work; return the job, QUEUED, DUPLICATE or FAILED.

    ``copy`` keeps the bytes under the media folder; otherwise they are read where they lie. Bad input never raises:
    the job is FAILED with the reason and nothing is stored. DUPLICATE: the collection has these bytes already, as
    ``job.scene``. Raises NotAllowed when ``user`` may not add to the collection.
    """
    sources = [Source(files=files, title=title, properties=properties)]
    return next(sources_ingest(sources=sources, collection=collection, user=user, batch=batch, copy=copy))


def sources_ingest(
    *, sources: Sequence[Source], collection: Collection, user: User, batch: UUID | None = None, copy: bool = True
) -> Iterator[IngestJob]:
    """Do what :func:`source_ingest` does for many sources, in their order, a few dozen to a transaction."""
    editor_require(collection, user)
    batch = batch or uuid4()
    for start in range(0, len(sources), _TOGETHER):
        drafts = [_draft(source, collection, user, batch, copy) for source in sources[start : start + _TOGETHER]]
        try:
            yield from _store(drafts, collection, copy=copy)
        except IntegrityError:  # The same bytes arrived in another transaction at the same moment: one by one.
            for draft in drafts:
                yield from _store_alone(draft, collection, copy=copy)


def editor_require(collection: Collection, user: User) -> None:
    """Raise NotAllowed unless ``user`` may add to the collection."""
    if not Collection.objects.editable_by(user).filter(pk=collection.pk).exists():
        raise NotAllowed(_("You may not add to the collection %(title)s.") % {"title": collection.title})


def _draft(source: Source, collection: Collection, user: User, batch: UUID, copy: bool) -> _Draft:
    """Return the checked source; the database is not asked. A refused one has a FAILED job and no scene."""
    files, title = source.files, source.title.strip()
    if not files:
        raise ValueError("a source needs at least one file")
    first = Path(files[0].filename)
    name = (title or first.stem) if len(files) > 1 else first.name
    job = IngestJob(batch=batch, collection=collection, created_by=user, source_name=name[:_NAME_LENGTH])
    draft = _Draft(job=job)
    try:
        fields = scene_fields(source.properties)
        draft.checked, size = files_check(files, recipe=recipe_parse(collection.rendering), in_place=not copy)
    except RsportalError as error:
        _end(job, State.FAILED, error.message)
        return draft
    except OSError as error:
        reason = _("%(file)s cannot be read: %(reason)s.") % {"file": job.source_name, "reason": error.strerror}
        _end(job, State.FAILED, reason)
        return draft
    draft.scene = Scene(
        id=uuid4(),
        collection=collection,
        title=(title or first.stem)[:_NAME_LENGTH],
        content_hash=content_hash_of(draft.checked),
        created_by=user,
        width=size[0],
        height=size[1],
        **fields,
    )
    draft.scene.full_clean(exclude=["collection", "created_by"], validate_unique=False, validate_constraints=False)
    return draft


def _store(drafts: Sequence[_Draft], collection: Collection, *, copy: bool) -> list[IngestJob]:
    """Copy the files of new scenes and store all rows and the task; return the jobs. Raises IntegrityError."""
    hashes = {draft.scene.content_hash for draft in drafts if draft.scene}
    known = {
        scene.content_hash: scene
        for scene in (Scene.objects.filter(collection=collection, content_hash__in=hashes) if hashes else ())
    }
    lost = _missing_files(list(known.values()))
    new: list[_Draft] = []
    again: list[Scene] = []
    found_again: list[Asset] = []
    try:
        for draft in drafts:
            if draft.scene is None:
                continue
            if (there := known.get(draft.scene.content_hash)) is not None:
                draft.job.scene = there
                try:
                    found_again += [
                        _asset_moved(lost.pop((there.pk, item.source.key)), there, item, copy=copy)
                        for item in draft.checked
                        if (there.pk, item.source.key) in lost
                    ]
                except (InvalidInput, OSError) as error:
                    _end(draft.job, State.FAILED, _why_not_kept(draft.job, error))
                    continue
                if there.status == Scene.Status.FAILED:  # Added again after a failure: the job tries once more.
                    again.append(there)
                    there.status = Scene.Status.PENDING
                else:
                    _end(draft.job, State.DUPLICATE, "")
                continue
            try:
                draft.assets = [asset_of(draft.scene, item, copy=copy) for item in draft.checked]
            except (InvalidInput, OSError) as error:
                scene_files_remove(draft.scene.pk)
                draft.scene = None
                _end(draft.job, State.FAILED, _why_not_kept(draft.job, error))
                continue
            draft.job.scene = known[draft.scene.content_hash] = draft.scene
            new.append(draft)
        with transaction.atomic():
            Scene.objects.bulk_create([draft.scene for draft in new if draft.scene])
            Scene.objects.filter(pk__in=[scene.pk for scene in again]).update(
                status=Scene.Status.PENDING, updated_at=timezone.now()
            )
            Asset.objects.bulk_update(found_again, ["path", "managed", "fixity", "verified_at"])
            Asset.objects.bulk_create([asset for draft in new for asset in draft.assets])
            jobs = IngestJob.objects.bulk_create([draft.job for draft in drafts])
            if waiting := [job.pk for job in jobs if job.state == State.QUEUED]:
                job_enqueue(waiting[0])
    except BaseException:
        for draft in new:
            if draft.scene is not None:
                scene_files_remove(draft.scene.pk)
        raise
    return jobs


def _missing_files(scenes: Sequence[Scene]) -> dict[tuple[UUID, str], Asset]:
    """Return the original files of known scenes that are gone (an archive was moved), by scene and asset key."""
    lost: dict[tuple[UUID, str], Asset] = {}
    rows = Asset.objects.filter(scene__in=scenes, role=Asset.Role.DATA) if scenes else ()
    for asset in rows:
        try:
            asset_location(asset)
        except AssetMissing:
            lost[asset.scene_id, asset.key] = asset
    return lost


def _asset_moved(asset: Asset, scene: Scene, item: Checked, *, copy: bool) -> Asset:
    """Return the asset, not saved, as the file that came with the same bytes."""
    fresh = asset_of(scene, item, copy=copy)
    asset.path, asset.managed = fresh.path, fresh.managed
    asset.fixity, asset.verified_at = Asset.Fixity.GOOD, timezone.now()
    return asset


def _store_alone(draft: _Draft, collection: Collection, *, copy: bool) -> list[IngestJob]:
    """Store one source; if its bytes arrive elsewhere just now, look again and find them known."""
    if draft.job.state != State.FAILED:
        _reopen(draft.job)
    try:
        return _store([draft], collection, copy=copy)
    except IntegrityError:
        _reopen(draft.job)
        return _store([draft], collection, copy=copy)


def _why_not_kept(job: IngestJob, error: InvalidInput | OSError) -> str:
    if isinstance(error, InvalidInput):
        return error.message
    _log.error("%s could not be kept", job.source_name, exc_info=error)
    return _("%(file)s could not be kept on the server: %(reason)s. Tell its operator, and add it again later.") % {
        "file": job.source_name,
        "reason": error.strerror or error,
    }


def _reopen(job: IngestJob) -> None:
    job.scene, job.state, job.finished_at = None, State.QUEUED, None


def _end(job: IngestJob, state: str, reason: str) -> None:
    job.state, job.reason, job.finished_at = state, reason, timezone.now()


def files_check(files: Sequence[SourceFile], *, recipe: BandRecipe, in_place: bool) -> tuple[list[Checked], Size]:
    """Return the checked files and the size of the scene they make."""
    images = [source for source in files if source.key not in SIDECAR_KEYS]
    facts = [file_check(source.path, filename=source.filename, in_place=in_place) for source in images]
    size = (facts[0].width, facts[0].height)
    if len(files) > 1:
        paths = {source.key: source.path for source in files}
        names = {source.key: source.filename for source in files}
        with open_scene(paths, names=names, bands=recipe.bands) as reader:
            size = (reader.width, reader.height)  # Opening refuses bands that do not belong together.
    checked = [Checked(s, f, _sha256(s.path)) for s, f in zip(images, facts, strict=True)]
    beside = [source for source in files if source.key in SIDECAR_KEYS]
    found = [sidecar_check(s.path, key=s.key, filename=s.filename, format=facts[0].format) for s in beside]
    return checked + [Checked(s, f, _sha256(s.path)) for s, f in zip(beside, found, strict=True)], size


def _sha256(location: Location) -> str:
    return "" if isinstance(location, RemoteFile) else file_sha256(location)


def content_hash_of(checked: Sequence[Checked]) -> str:
    """Return the checksum that tells known bytes: the file's own, or one over the keys and checksums of all bands.

    A file that says where an image lies counts, too: elsewhere, the same picture is another scene. What GIS programs
    write beside an image (statistics, overviews) does not.
    """
    telling = [item for item in checked if item.source.key not in SIDECAR_KEYS or item.source.key in PLACING]
    if len(telling) == 1:
        return telling[0].sha256
    lines = sorted(f"{item.source.key}:{item.sha256}\n" for item in telling)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def asset_of(scene: Scene, item: Checked, *, copy: bool) -> Asset:
    """Return the asset, not saved, of a checked file, which is copied first when it is to be kept. Raises OSError."""
    facts = FACTS[item.facts.format]
    source = item.source
    beside = source.key in SIDECAR_KEYS
    path = ""
    if isinstance(source.path, RemoteFile):
        copy = False
    elif copy:
        name = f"{'data' if beside else source.key}{facts.extensions[0]}"
        name = sidecar_name(source.key, name) if beside else name
        path = file_copy_in(source.path, scene_id=scene.pk, name=name, expected_sha256=item.sha256).path
    else:
        path = str(source.path.resolve())
    return Asset(
        scene=scene,
        key=source.key,
        role=Asset.Role.METADATA if beside else Asset.Role.DATA,
        path=path,
        href=source.href,
        bands=list(source.bands),
        managed=copy,
        filename=Path(source.filename).name[:_NAME_LENGTH],
        media_type=sidecar_media_type(source.key) if beside else facts.media_type,
        size=item.facts.size,
        sha256=item.sha256,
        width=item.facts.width,
        height=item.facts.height,
    )
