"""A file at an address, read by ranges: what GDAL and Pillow see is an ordinary file that can be sought in.

Not GDAL's own ``/vsicurl/``: that looks names up by itself and follows redirects anywhere, so that no check of an
address would hold. Here every request goes through the session that keeps to the allowed hosts.
"""

from __future__ import annotations

import io
import re
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.utils.translation import gettext as _

from imagery.stac.hosts import host_check
from imagery.stac.http import RemoteRefused, RemoteUnavailable, answered, session_of_thread, status_check
from rsportal.errors import RsportalError

if TYPE_CHECKING:
    import requests

BLOCK_BYTES: Final = 64 * 1024
_KEPT_BLOCKS: Final = 256
"""16 MiB of each open file."""
_AHEAD_MOST_BLOCKS: Final = 16
"""Reading on where the last request ended fetches twice as much each time, up to 1 MiB."""
_RECENT_SECONDS: Final = 10.0
"""So long the first block of a file is good for: checking and reading it opens it several times in a row."""
_RECENT_MOST: Final = 16
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")

_local = threading.local()


class RangeFile(io.RawIOBase):
    """A file at ``href``, open for reading; not for several threads at once.

    ``size`` in bytes, ``etag`` as the server gives it (a strong one is held to: a file that changes while it is read
    is refused, never mixed), ``modified`` its Last-Modified. ``requests`` and ``fetched`` count requests and bytes.
    """

    def __init__(self, href: str) -> None:
        """Fetch the first block. Raises HostRefused, RemoteRefused (also without ranges) or RemoteUnavailable."""
        super().__init__()
        host_check(href)
        self.href, self.name = href, href.partition("?")[0]
        self.size, self.etag, self.modified, self.media_type = 0, "", "", ""
        self.requests, self.fetched = 0, 0
        self.error: RsportalError | None = None
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0
        self._after, self._ahead = -1, 1
        if not self._remembered():
            self._fetch(0, 1)
            self._remember()

    def _remembered(self) -> bool:
        """Take the first block from the last opening of this file in this thread, a moment ago."""
        found = _recent_of_thread().get(self.href)
        if found is None or time.monotonic() - found[0] > _RECENT_SECONDS:
            return False
        vars(self).update(found[1])
        self._blocks[0] = found[2]
        self._after = 1
        return True

    def _remember(self) -> None:
        seen = _recent_of_thread()
        facts = {name: getattr(self, name) for name in ("size", "etag", "modified", "media_type")}
        seen[self.href] = (time.monotonic(), facts, self._blocks[0])
        while len(seen) > _RECENT_MOST:
            seen.popitem(last=False)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes (all that are left without); raises RemoteRefused or RemoteUnavailable.

        What it raised stays in ``error``, for callers behind a library that says no more than that reading failed.
        """
        try:
            return self._read(size)
        except RsportalError as error:
            self.error = error
            raise

    def _read(self, size: int | None) -> bytes:
        left = max(0, self.size - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        first, last = self._position // BLOCK_BYTES, (self._position + wanted - 1) // BLOCK_BYTES
        parts: list[bytes] = []
        block = first
        while block <= last:
            if block not in self._blocks:
                self._fetch(block, self._run(block, last))
            self._blocks.move_to_end(block)
            parts.append(self._blocks[block])
            block += 1
        joined = b"".join(parts)
        skip = self._position - first * BLOCK_BYTES
        self._position += wanted
        return joined[skip : skip + wanted]

    def _run(self, block: int, last: int) -> int:
        """Return how many blocks to fetch from ``block`` on: those that are needed, and more of one who reads on."""
        needed = 1
        while block + needed <= last and needed < _AHEAD_MOST_BLOCKS and block + needed not in self._blocks:
            needed += 1
        self._ahead = min(_AHEAD_MOST_BLOCKS, 2 * self._ahead) if block == self._after else 1
        most = -(-self.size // BLOCK_BYTES) - block
        return max(1, min(most, max(needed, self._ahead)))

    def _fetch(self, block: int, count: int) -> None:
        start, end = block * BLOCK_BYTES, (block + count) * BLOCK_BYTES - 1
        headers = {"Range": f"bytes={start}-{end}", "Accept-Encoding": "identity"}
        if self.etag and not self.etag.startswith("W/"):
            headers["If-Match"] = self.etag
        content = self._ask(headers, start, end)
        for number in range(count):
            piece = content[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
            if piece:
                self._blocks[block + number] = piece
        while len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        self._after = block + count

    def _ask(self, headers: dict[str, str], start: int, end: int) -> bytes:
        """Return bytes ``start`` to ``end`` (both counted); a transfer that breaks off is asked for again."""
        for attempt in range(settings.REMOTE_TRIES):
            answering = False
            try:
                with (
                    answered(self.href),
                    session_of_thread().get(
                        self.href, headers=headers, stream=True, timeout=settings.REMOTE_TIMEOUT_SECONDS
                    ) as response,
                ):
                    self.requests += 1
                    self._check(response, start)
                    answering = True
                    expected = min(end, self.size - 1) - start + 1
                    content = response.raw.read(expected, decode_content=False)
                self.fetched += len(content)
                if len(content) == expected:
                    return bytes(content)
                raise RemoteUnavailable(
                    _("%(url)s broke off after %(found)d of %(needed)d bytes.")
                    % {"url": self.name, "found": len(content), "needed": expected}
                )
            except RemoteUnavailable:
                # Requests without an answer were tried often enough by the session.
                if not answering or attempt == settings.REMOTE_TRIES - 1:
                    raise
        raise AssertionError("not reached")

    def _check(self, response: requests.Response, start: int) -> None:
        """Refuse answers that are not the range asked for, of the file that was opened."""
        if response.status_code == 412:
            raise self._changed()
        if response.status_code == 416 and not self.size:
            raise RemoteRefused(_("%(url)s is empty (0 bytes).") % {"url": self.name}, field="href")
        status_check(response)
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if response.status_code != 206 or found is None or int(found[1]) != start:
            raise RemoteRefused(
                _("%(url)s is not given in parts (its server knows no range requests); copy it instead.")
                % {"url": self.name},
                code="no_ranges",
                field="href",
            )
        size, etag = int(found[3]), response.headers.get("ETag", "")
        if not self.size:
            self.size, self.etag = size, etag
            self.modified = response.headers.get("Last-Modified", "")
            self.media_type = response.headers.get("Content-Type", "")
        elif size != self.size or (etag and self.etag and etag != self.etag):
            raise self._changed()

    def _changed(self) -> RemoteUnavailable:
        return RemoteUnavailable(
            _("%(url)s changed while it was read; try again later.") % {"url": self.name}, code="changed"
        )


def _recent_of_thread() -> OrderedDict[str, tuple[float, dict[str, Any], bytes]]:
    if not hasattr(_local, "recent"):
        _local.recent = OrderedDict()
    recent: OrderedDict[str, tuple[float, dict[str, Any], bytes]] = _local.recent
    return recent
