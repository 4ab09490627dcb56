"""Where a file of a scene is: a path on this machine, or an address that is read by ranges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class RemoteFile:
    """A file at an http or https address. Opening it asks ``imagery.stac.hosts`` first, on every connection."""

    href: str

    @property
    def name(self) -> str:
        """The file's name, as the last part of the address has it; the host where there is none."""
        parts = urlsplit(self.href)
        return PurePosixPath(unquote(parts.path)).name or parts.netloc

    def __str__(self) -> str:
        return self.href


Location: TypeAlias = Path | RemoteFile
