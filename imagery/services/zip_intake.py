"""Zip archives of folders: unpacked into a private folder, then taken in like a folder of the server.

Bytes are counted while they are unpacked, so that what the table of contents keeps quiet about is noticed, too.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from imagery.models import Collection, IngestJob
from imagery.readers.grouping import SceneFiles
from imagery.rendering_recipe import bands_shown
from imagery.services.accept import editor_require, sources_ingest
from imagery.services.refusals import refusals_store
from imagery.services.sources import Plan, source_plan, sources_find
from imagery.services.upload_files import private_folder
from imagery.services.upload_groups import names_wanted, source_of
from imagery.services.zip_entries import (
    Entry,
    Refusal,
    ZipRefused,
    entry_judge,
    table_check,
    totals_check,
    unpacked_check,
)
from imagery.tiling import DEFAULT_RULE, TileRule
from rsportal.accounts.models import User

_CHUNK_BYTES: Final = 1024 * 1024
MOST_TOLD: Final = 50


@dataclass
class Unpacked:
    """What came out of an archive: how many files were unpacked and left out (no imagery), and which were refused."""

    folder: Path
    files: int = 0
    left_out: int = 0
    refusals: list[Refusal] = field(default_factory=list)


@contextmanager
def zip_unpacked(
    path: Path, *, filename: str, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Iterator[Unpacked]:
    """Unpack the imagery of an archive into a private folder, which goes at the end of the block.

    ``progress`` is told how many entries of how many are done. Raises ZipRefused for the archive as a whole.
    """
    with path.open("rb") as file:
        table_check(file, filename)
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise ZipRefused(
                _("%(file)s is damaged: its table of contents cannot be read. Pack it again.") % {"file": filename}
            ) from error
        with archive, private_folder() as folder:
            packed = path.stat().st_size
            infos = archive.infolist()
            totals_check(infos, filename, packed)
            judged = [entry for info in infos if (entry := entry_judge(info)) is not None]
            wanted = names_wanted([entry.path for entry in judged if isinstance(entry, Entry)])
            unpacked = Unpacked(folder=folder)
            total = 0
            for number, entry in enumerate(judged):
                progress(number, len(judged))
                if isinstance(entry, Refusal):
                    unpacked.refusals.append(entry)
                elif entry.path not in wanted:
                    unpacked.left_out += 1
                else:
                    total += _unpack(archive, entry, unpacked, settings.UPLOAD_ZIP_MAX_BYTES - total)
                    unpacked_check(total, filename, packed)
            progress(len(judged), len(judged))
            yield unpacked


@dataclass
class ZipOutcome:
    """What became of the files of an archive: jobs by state, files left out, and what was refused and why."""

    queued: int = 0
    duplicate: int = 0
    left_out: int = 0
    refused: list[Refusal] = field(default_factory=list)

    @property
    def taken(self) -> bool:
        """Whether anything of it is in the catalogue."""
        return bool(self.queued or self.duplicate)

    def reason(self, filename: str) -> str:
        """Return why nothing was taken."""
        return _("Nothing of %(file)s could be taken in; each file is named with its reason.") % {"file": filename}

    def as_json(self) -> dict[str, Any]:
        """Return it as stored and told; of the refused the first ``MOST_TOLD``."""
        return {
            "queued": self.queued,
            "duplicate": self.duplicate,
            "left_out": self.left_out,
            "refused": len(self.refused),
            "refusals": [{"name": each.name, "reason": each.reason} for each in self.refused[:MOST_TOLD]],
        }


def zip_ingest(
    path: Path,
    *,
    filename: str,
    collection: Collection,
    user: User,
    batch: UUID,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ZipOutcome:
    """Take in the imagery of an archive: a job for each scene, a FAILED one for each refused entry.

    ``progress`` is told how far it is, in entries unpacked and then scenes accepted. Raises ZipRefused and NotAllowed.
    """
    editor_require(collection, user)
    with zip_unpacked(path, filename=filename, progress=progress) as unpacked:
        outcome = ZipOutcome(left_out=unpacked.left_out, refused=list(unpacked.refusals))
        refusals_store(unpacked.refusals, filename=filename, collection=collection, user=user, batch=batch)
        scenes = sources_find([unpacked.folder], recursive=True, bands=bands_shown(collection))
        if not scenes and not unpacked.refusals:
            raise ZipRefused(_("%(file)s has no imagery inside.") % {"file": filename})
        sources = [source_of(found) for found in scenes]
        jobs = sources_ingest(sources=sources, collection=collection, user=user, batch=batch)
        for number, job in enumerate(jobs, start=1):
            if job.state == IngestJob.State.FAILED:
                outcome.refused.append(Refusal(job.source_name, job.reason))
            elif job.state == IngestJob.State.DUPLICATE:
                outcome.duplicate += 1
            else:
                outcome.queued += 1
            progress(number, len(sources))
    return outcome


def zip_plan(path: Path, *, bands: Sequence[str] = (), rule: TileRule = DEFAULT_RULE) -> list[Plan]:
    """Return what taking in an archive would do: a plan for each scene, and for each refused entry with its reason."""

    def refused(name: str, reason: str) -> Plan:
        return Plan(source=SceneFiles(files={"data": path / name}, name=name), reason=reason)

    try:
        with zip_unpacked(path, filename=path.name) as unpacked:
            plans = [
                replace(
                    source_plan(found, bands=bands, rule=rule),
                    source=SceneFiles(files={"data": path / found.name}, name=found.name),
                )
                for found in sources_find([unpacked.folder], recursive=True, bands=bands)
            ]
            return plans + [refused(each.name, each.reason) for each in unpacked.refusals]
    except ZipRefused as error:
        return [refused("", error.message)]


def _unpack(archive: zipfile.ZipFile, entry: Entry, unpacked: Unpacked, room: int) -> int:
    """Unpack one entry and return its bytes; on trouble it is refused by name and leaves no file."""
    target = unpacked.folder / entry.path
    name = str(entry.path)
    limit = min(settings.UPLOAD_MAX_BYTES, room + 1)
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with target.open("xb") as out:
            written, whole = _copy(archive, entry, out, limit)
    except FileExistsError:
        unpacked.refusals.append(Refusal(name, _("The archive has another entry of this name; the first is taken.")))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, NotADirectoryError):
            raise  # Our disk, not the archive.
        unpacked.refusals.append(Refusal(name, _("It is damaged inside the archive. Pack it again.")))
        target.unlink(missing_ok=True)
    else:
        if not whole and room >= settings.UPLOAD_MAX_BYTES:
            target.unlink()
            unpacked.refusals.append(
                Refusal(name, _("It has more than %(limit)s.") % {"limit": filesizeformat(settings.UPLOAD_MAX_BYTES)})
            )
        else:
            unpacked.files += 1
    return written


def _copy(archive: zipfile.ZipFile, entry: Entry, out: BinaryIO, limit: int) -> tuple[int, bool]:
    """Return (bytes written, whether that is all); stops behind ``limit``."""
    written = 0
    with archive.open(entry.info) as source:
        while chunk := source.read(_CHUNK_BYTES):
            written += len(chunk)
            if written > limit:
                return written, False
            out.write(chunk)
    return written, True
