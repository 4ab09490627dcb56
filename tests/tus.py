"""A small client of the tus protocol for tests: what a request needs, and no more help than that."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

TUS = "/api/v1/uploads/"
OCTETS = "application/offset+octet-stream"


def encoded(pairs: Mapping[str, str]) -> str:
    """Return an Upload-Metadata header."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def tus_headers(**headers: str) -> dict[str, str]:
    """Return headers of the protocol; underscores stand for hyphens."""
    return {"Tus-Resumable": "1.0.0", **{name.replace("_", "-"): value for name, value in headers.items()}}


def begin(
    client: Any, length: int, name: str = "field.png", collection: str = "mine", *, url: str = TUS, **pairs: str
) -> Any:
    """Create an upload."""
    metadata = encoded({"filename": name, "collection": collection, **pairs})
    headers = tus_headers(Upload_Length=str(length), Upload_Metadata=metadata)
    return client.generic("POST", url, b"", content_type="", headers=headers)


def append(client: Any, url: str, content: bytes, offset: int = 0, **headers: str) -> Any:
    """Send bytes."""
    return client.generic(
        "PATCH", url, content, content_type=OCTETS, headers=tus_headers(Upload_Offset=str(offset), **headers)
    )


def checksum(content: bytes, algorithm: str = "sha1") -> str:
    """Return an Upload-Checksum header."""
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"
