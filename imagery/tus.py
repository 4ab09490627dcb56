"""The tus 1.0 protocol (tus.io): what its headers say. Nothing here knows a request, a file or a row."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext as _

from imagery.services.uploads import Checksum
from imagery.services.zip_entries import is_control
from rsportal.errors import InvalidInput

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,checksum,expiration,termination"
ALGORITHMS: Final = ("sha1", "sha256")
CONTENT_TYPE: Final = "application/offset+octet-stream"
_MOST_BYTES: Final = 2**62
_MOST_METADATA: Final = 16_000
_MOST_NAME: Final = 300
_MOST_PATH: Final = 1000
_KEY: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]+")  # Printable ASCII without space and comma.
_KNOWN: Final = ("filename", "collection", "relativePath", "title", "properties", "batch", "group", "groupSize")
# What the stock clients add of their own accord.
_IGNORED: Final = frozenset({"filetype", "name", "type", "contentType", "lastModified"})


@dataclass(frozen=True)
class Metadata:
    """What an upload's sender says about it; ``filename`` has no folders, ``relative_path`` may have."""

    filename: str
    collection: str
    relative_path: str = ""
    title: str = ""
    properties: dict[str, Any] | None = None
    batch: UUID | None = None
    group: str = ""
    group_size: int = 1

    def kept(self) -> dict[str, Any]:
        """Return what is stored with the upload."""
        values = {"relativePath": self.relative_path, "title": self.title, "properties": self.properties}
        return {key: value for key, value in values.items() if value}


def metadata_parse(header: str) -> Metadata:
    """Return the pairs of an ``Upload-Metadata`` header. Raises InvalidInput naming the pair."""
    pairs = _pairs(header)
    for key in pairs:
        if key not in _KNOWN and key not in _IGNORED:
            raise _wrong(
                key,
                _("%(key)s is no metadata of an upload; known are %(known)s.")
                % {"known": ", ".join(_KNOWN), "key": key},
            )
    filename = (pairs.get("filename") or pairs.get("name", "")).replace("\\", "/").rpartition("/")[2].strip()
    if filename in {"", ".", ".."}:
        raise _wrong("filename", _("Upload-Metadata needs filename, the name of the file."))
    if len(filename) > _MOST_NAME or len(filename.encode()) > 255:
        raise _wrong("filename", _("The file name is longer than file systems take."))
    if not pairs.get("collection"):
        raise _wrong("collection", _("Upload-Metadata needs collection, the slug of the collection to add to."))
    size = pairs.get("groupSize", "1")
    if not re.fullmatch(r"[0-9]{1,4}", size):
        raise _wrong("groupSize", _("groupSize is how many files the group has, a whole number."))
    group = pairs.get("group", "")
    if int(size) > 1 and not (group and pairs.get("batch")):
        raise _wrong("group", _("The files of a group need the same group (a name) and batch (a UUID)."))
    return Metadata(
        filename=filename,
        collection=pairs["collection"],
        relative_path=_shortened("relativePath", pairs, _MOST_PATH),
        title=_shortened("title", pairs, _MOST_NAME),
        properties=_properties(pairs.get("properties", "")),
        batch=_uuid(pairs.get("batch", "")),
        group=_shortened("group", pairs, _MOST_NAME),
        group_size=int(size),
    )


def metadata_format(metadata: dict[str, str]) -> str:
    """Return an ``Upload-Metadata`` header."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items() if value)


def checksum_parse(header: str) -> Checksum:
    """Return what an ``Upload-Checksum`` header says. Raises InvalidInput."""
    algorithm, _space, encoded = header.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise _wrong(
            "Upload-Checksum",
            _("Upload-Checksum begins with the algorithm, one of %(known)s.") % {"known": ", ".join(ALGORITHMS)},
        )
    try:
        digest = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise _wrong("Upload-Checksum", _("Upload-Checksum ends with the checksum in Base64."))
    return Checksum(algorithm=algorithm, digest=digest)


def bytes_parse(name: str, header: str | None) -> int:
    """Return a number of bytes from a header. Raises InvalidInput when it is missing or no number."""
    if header is None or not re.fullmatch(r"[0-9]{1,19}", header) or int(header) > _MOST_BYTES:
        raise _wrong(name, _("The header %(name)s must be there, and a whole number of bytes.") % {"name": name})
    return int(header)


def _pairs(header: str) -> dict[str, str]:
    if len(header) > _MOST_METADATA:
        raise _wrong("Upload-Metadata", _("Upload-Metadata is longer than %(most)d bytes.") % {"most": _MOST_METADATA})
    pairs: dict[str, str] = {}
    for part in header.split(",") if header.strip() else []:
        key, _space, encoded = part.strip().partition(" ")
        if not _KEY.fullmatch(key):
            raise _wrong("Upload-Metadata", _("Upload-Metadata is a list of “key value” pairs separated by commas."))
        if key in pairs:
            raise _wrong(key, _("Upload-Metadata has %(key)s twice.") % {"key": key})
        try:
            value = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            raise _wrong(key, _("The value of %(key)s is not UTF-8 text in Base64.") % {"key": key}) from None
        if any(is_control(character) for character in value if key != "properties" or character not in "\t\r\n"):
            raise _wrong(key, _("The value of %(key)s has control characters.") % {"key": key})
        pairs[key] = value
    return pairs


def _properties(text: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # Half surrogates are no text.
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or "\\u0000" in json.dumps(value):
        raise _wrong("properties", _("Write a JSON object: names and values in curly brackets."))
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _shortened(key: str, pairs: dict[str, str], most: int) -> str:
    value = pairs.get(key, "").strip()
    if len(value) > most:
        raise _wrong(key, _("%(key)s is longer than %(most)d characters.") % {"key": key, "most": most})
    return value


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise _wrong("batch", _("batch is not the number of a batch (a UUID).")) from None


def _wrong(field: str, message: str) -> InvalidInput:
    return InvalidInput(message, field=field)
