"""Damaged files through the real ingest, and what must be true of each afterwards."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from imagery.models import Asset, Collection, IngestJob, Scene, Tile
from imagery.services.ingest import SourceFile, ingest_jobs_drain, source_ingest
from imagery.services.zip_intake import zip_ingest
from imagery.storage import media_root
from rsportal.accounts.models import User
from rsportal.errors import RsportalError

State = IngestJob.State


def mutant_ingest(path: Path, *, collection: Collection, user: User) -> tuple[str, list[str]]:
    """Take a file in as an upload and work its jobs off; return what became of it and what is wrong with that.

    ``ready``, ``refused at once``, ``refused while reading``, ``known``, or for a zip archive ``unpacked`` and
    ``archive refused``.
    """
    batch = uuid4()
    if path.suffix == ".zip":
        try:
            zip_ingest(path, filename=path.name, collection=collection, user=user, batch=batch)
            fate = "unpacked"
        except RsportalError as refusal:
            return "archive refused", [] if path.name in refusal.message else [f"{refusal.message} names no file"]
    else:
        job = source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=user, batch=batch)
        fate = {State.FAILED: "refused at once", State.DUPLICATE: "known"}.get(State(job.state), "")
    ingest_jobs_drain(batch=batch)
    jobs = list(IngestJob.objects.filter(batch=batch).select_related("scene"))
    if not fate:
        fate = "ready" if all(job.state == State.READY for job in jobs) else "refused while reading"
    return fate, [fault for job in jobs for fault in _faults_of(job)]


def _faults_of(job: IngestJob) -> list[str]:
    if job.state not in {State.READY, State.FAILED, State.DUPLICATE}:
        return [f"{job.source_name} is {job.state}: {job.reason}"]
    if job.state != State.FAILED:
        return [] if job.scene and job.scene.status == Scene.Status.READY else [f"{job.source_name} has no whole scene"]
    faults = []
    # What an archive refuses by name has the name of the entry as its job's.
    if Path(job.source_name).name not in job.reason and ": " not in job.source_name:
        faults.append(f"the reason names no file: {job.reason}")
    if job.retryable or job.scene is not None:
        faults.append(f"{job.source_name} is kept for another try: {job.reason}")
    if not job.reason.strip().endswith("."):
        faults.append(f"the reason is no sentence: {job.reason}")
    return faults


def archive_faults() -> list[str]:
    """Return what is wrong with the catalogue and the media folder as a whole."""
    faults = [f"scene {scene.title} is {scene.status}" for scene in Scene.objects.exclude(status=Scene.Status.READY)]
    faults += [f"tile {tile.pk} has no vector" for tile in Tile.objects.filter(embeddings__isnull=True)]
    faults += [f"scene {scene.title} has no tile" for scene in Scene.objects.filter(tiles__isnull=True)]
    known = {asset.path for asset in Asset.objects.filter(managed=True)}
    root = media_root()
    there = {str(path.relative_to(root)) for path in (root / "scenes").rglob("*") if path.is_file()}
    faults += [f"{path} belongs to no scene" for path in sorted(there - known)]
    return faults + [f"{path} is missing" for path in sorted(known - there)]
