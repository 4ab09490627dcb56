"""Writing the files of an export."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from django.utils.translation import gettext as _

from imagery.models import Asset
from imagery.storage import asset_open
from rsportal.errors import Conflict

_CHUNK_BYTES: Final = 1024 * 1024


def json_write(target: Path, document: dict[str, Any]) -> None:
    """Write a document. Raises OSError, also when the file is there already."""
    with target.open("x", encoding="utf-8") as file:
        file.write(_text(document) + "\n")


def json_write_listing(target: Path, document: dict[str, Any], name: str, more: Iterable[dict[str, Any]]) -> None:
    """Write a document whose list ``name`` goes on with ``more``, which is drawn one by one while it is written."""
    head = {key: value for key, value in document.items() if key != name}
    with target.open("x", encoding="utf-8") as file:
        file.write(_text(head)[: -len("\n}")] + f",\n  {json.dumps(name)}: [")
        separator = "\n    "
        for listed in (each for part in (document.get(name, []), more) for each in part):
            file.write(separator + json.dumps(listed, ensure_ascii=False, allow_nan=False))
            separator = ",\n    "
        file.write("\n  ]\n}\n")


def file_copy_out(asset: Asset, target: Path) -> int:
    """Copy an asset's file and return its bytes. Raises AssetMissing, Conflict when its bytes are others, OSError."""
    digest = hashlib.sha256()
    with asset_open(asset) as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
        size = file.tell()
    if asset.sha256 and digest.hexdigest() != asset.sha256:
        target.unlink()
        raise Conflict(_("The file %s has changed since it was added; it was left out.") % asset.filename)
    return size


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)
