"""Exported towers on disk: named by what they were made from, written whole or not at all, checked before use."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .plan import ARTEFACT_VERSION, Form, Runtime, library_version

_GRAPH: Final = "tower.xml"
_WEIGHTS: Final = "tower.bin"
_NOTE: Final = "tower.json"
_CHECKSUM_DIGITS: Final = 16


@dataclass(frozen=True)
class Artefact:
    """One tower in OpenVINO's format: ``graph`` beside ``weights``, which is memory-mapped, and what is known of it."""

    folder: Path
    note: dict[str, Any]

    @property
    def graph(self) -> Path:
        """The file that OpenVINO reads."""
        return self.folder / _GRAPH

    @property
    def weights(self) -> Path:
        """The file that OpenVINO maps into memory."""
        return self.folder / _WEIGHTS


def encoder_folder(folder: Path, checksum: str) -> Path:
    """Where everything made from one encoder's files lies."""
    return folder / checksum[:_CHECKSUM_DIGITS]


def artefact_folder(folder: Path, *, checksum: str, tower: str, form: Form) -> Path:
    """Where a tower's export lies. An upgrade of the library changes the name, so it is exported again."""
    name = f"{tower}-{form.value}-openvino-{library_version(Runtime.OPENVINO)}-{ARTEFACT_VERSION}"
    return encoder_folder(folder, checksum) / name


def artefact_read(place: Path) -> Artefact | None:
    """The export at ``place`` if it is there and every byte is as it was written; None otherwise."""
    try:
        note = json.loads((place / _NOTE).read_text(encoding="utf-8"))
        whole = all(_digest(place / name) == note["sha256"][name] for name in (_GRAPH, _WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Artefact(place, note) if whole else None


def artefact_write(place: Path, write: Callable[[Path], None], note: dict[str, Any]) -> Artefact:
    """Have ``write`` make the graph file (and the weights beside it), then put both at ``place`` in one step.

    What was there is replaced; processes that have it open keep it. Exports by other versions are removed.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
    try:
        write(fresh / _GRAPH)
        complete = {**note, "sha256": {name: _digest(fresh / name) for name in (_GRAPH, _WEIGHTS)}}
        (fresh / _NOTE).write_text(json.dumps(complete, indent=1), encoding="utf-8")
        for file in fresh.iterdir():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
        fresh.chmod(0o755)
        _put(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _remove_other_versions(place)
    return Artefact(place, complete)


def artefacts_remove(folder: Path, checksum: str) -> None:
    """Remove everything made from one encoder's files; harmless if there is nothing."""
    shutil.rmtree(encoder_folder(folder, checksum), ignore_errors=True)


def json_write(path: Path, values: dict[str, Any]) -> None:
    """Write a small file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(values, stream, indent=1)
    Path(name).replace(path)


def _put(fresh: Path, place: Path) -> None:
    """Move a folder into place; a folder cannot replace a full one, so the old one steps aside first."""
    for _ in range(3):
        aside = Path(tempfile.mkdtemp(prefix=".old-", dir=place.parent))
        try:
            if place.exists():
                place.rename(aside / place.name)
            fresh.rename(place)
        except OSError:
            continue  # Another process was faster; what it wrote is replaced in the next round.
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return
    if artefact_read(place) is None:
        raise OSError(f"{place} cannot be written: check the permissions of the folder and the space on its disk.")


def _remove_other_versions(place: Path) -> None:
    stem = place.name.partition("-openvino-")[0]
    for other in place.parent.glob(f"{stem}-openvino-*"):
        if other != place:
            shutil.rmtree(other, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
