"""Another archive on this machine: a STAC API, a static catalogue and files by ranges, over real HTTP.

It pages, searches by GET and POST, and fails, redirects or breaks off where a test asks for it.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_CORE = "https://api.stacspec.org/v1.0.0/core"
_CONFORMS = [_CORE, *(f"https://api.stacspec.org/v1.0.0/{part}" for part in ("item-search", "ogcapi-features"))]


@dataclass
class Asked:
    """A request as it arrived, and how many bytes of body it got."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any = None
    sent: int = 0


@dataclass
class StacServer:
    """``items`` by id, in order; ``files`` and ``documents`` (JSON) by path. What a test changes counts at once.

    ``failures``: patterns of paths, each with the answers to give first: (status, headers). ``redirects``: paths to
    where they lead. ``breaks``: how many bytes of a file's body to send before the connection is cut, once each.
    """

    address: str
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    collection: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    breaks: dict[str, list[int]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    page_items: int = 10
    post: bool = True
    ranges: bool = True

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"{self.address}/{path.lstrip('/')}"

    def count(self, pattern: str) -> int:
        """Return how many requests there were of paths that match."""
        return sum(re.search(pattern, each.path) is not None for each in self.asked)

    def sent(self, pattern: str) -> int:
        """Return how many bytes of body were sent for paths that match."""
        return sum(each.sent for each in self.asked if re.search(pattern, each.path))

    def answers(self, asked: Asked) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and body (JSON, or the path of a file)."""
        for pattern, failing in self.failures.items():
            if failing and re.search(pattern, asked.path):
                status, headers = failing.pop(0)
                return status, headers, {"code": str(status), "description": "asked for by a test"}
        if asked.path in self.redirects:
            return 302, {"Location": self.redirects[asked.path]}, {}
        if asked.path in self.files:
            return 200, {}, self.files[asked.path]
        if asked.path in self.documents:
            return 200, {}, self.documents[asked.path]
        match asked.path.strip("/").split("/"):
            case [""]:
                return 200, {}, self._root()
            case ["collections", _]:
                return 200, {}, self.collection
            case ["collections", _, "items"] | ["search"]:
                return 200, {}, self._page(asked)
        return 404, {}, {"code": "NotFound", "description": "nothing is here"}

    def _root(self) -> dict[str, Any]:
        search = [{"rel": "search", "href": self.url("/search"), "type": "application/geo+json", "method": "GET"}]
        if self.post:
            search.append({**search[0], "method": "POST"})
        links = [
            {"rel": "self", "href": self.url("/"), "type": "application/json"},
            {"rel": "root", "href": self.url("/"), "type": "application/json"},
            {"rel": "data", "href": self.url("/collections"), "type": "application/json"},
            *search,
        ]
        return {
            "type": "Catalog", "id": "test", "stac_version": "1.0.0", "description": "of a test",
            "conformsTo": _CONFORMS, "links": links,
        }  # fmt: skip

    def _page(self, asked: Asked) -> dict[str, Any]:
        wanted = asked.body if asked.method == "POST" else {name: values[0] for name, values in asked.query.items()}
        found = [item for item in self.items.values() if _passes(item, wanted)]
        start = int(wanted.get("token") or 0)
        end = start + min(self.page_items, int(wanted.get("limit") or self.page_items))
        links: list[dict[str, Any]] = []
        if end < len(found) and asked.method == "POST":
            links = [
                {"rel": "next", "href": self.url(asked.path), "method": "POST", "body": {"token": end}, "merge": True}
            ]
        elif end < len(found):
            query = "&".join(f"{name}={values[0]}" for name, values in asked.query.items() if name != "token")
            links = [{"rel": "next", "href": f"{self.url(asked.path)}?{query}&token={end}"}]
        return {"type": "FeatureCollection", "features": found[start:end], "links": links, "numberMatched": len(found)}


def _passes(item: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether an item is in a search's box, time and collections."""
    if box := wanted.get("bbox"):
        west, south, east, north = (float(v) for v in (box.split(",") if isinstance(box, str) else box))
        if item["bbox"][0] > east or item["bbox"][2] < west or item["bbox"][1] > north or item["bbox"][3] < south:
            return False
    if when := wanted.get("datetime"):
        start, _slash, end = when.partition("/")
        moment = item["properties"]["datetime"]
        if (start not in {"", ".."} and moment < start) or (
            (end or start) not in {"", ".."} and moment > (end or start)
        ):
            return False
    names = wanted.get("collections")
    return not names or item["collection"] in (names.split(",") if isinstance(names, str) else names)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive: StacServer

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"))

    def _answer(self, body: Any = None) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, parse_qs(parts.query), headers, body)
        self.archive.asked.append(asked)
        status, headers, content = self.archive.answers(asked)
        if isinstance(content, Path):
            self._file(content, asked)
            return
        text = json.dumps(content).encode()
        self._send(status, {"Content-Type": "application/json", **headers}, text, asked)

    def _file(self, path: Path, asked: Asked) -> None:
        content = path.read_bytes()
        headers = {"Content-Type": "image/tiff", "ETag": f'"{path.stat().st_mtime_ns:x}-{len(content):x}"'}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("range", ""))
        if "if-match" in asked.headers and asked.headers["if-match"] != headers["ETag"]:
            self._send(412, {}, b"", asked)
        elif found and self.archive.ranges and asked.headers.get("if-range", headers["ETag"]) == headers["ETag"]:
            start, end = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            self._send(206, headers, content[start : end + 1], asked)
        else:
            self._send(200, headers, content, asked)

    def _send(self, status: int, headers: dict[str, str], content: bytes, asked: Asked) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        breaks = self.archive.breaks.get(asked.path)
        if breaks:
            content = content[: breaks.pop(0)]
            self.close_connection = True
        asked.sent = len(content)
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """Say nothing: a client that was killed hangs up in the middle."""


@contextmanager
def stac_server() -> Iterator[StacServer]:
    """Serve on a free port of 127.0.0.1 for the length of the block."""
    archive = StacServer(address="")
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"archive": archive}))
    archive.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def item(number: int, *, assets: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a small valid item: a square of a hundredth of a degree, a day in 2024."""
    west, south = round(10 + 0.01 * (number % 100), 2), round(50 + 0.01 * (number // 100), 2)
    east, north = round(west + 0.01, 2), round(south + 0.01, 2)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    properties = {"datetime": f"2024-{number % 12 + 1:02}-15T10:00:00Z", "platform": "tester-1", "gsd": 2.5}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": f"item-{number:04}",
        "collection": "tests",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "links": [],
        "assets": assets or {},
        **more,
        "properties": {**properties, **more.get("properties", {})},
    }


def tally(asked: list[Asked]) -> Counter[str]:
    """Return how often each path was asked for."""
    return Counter(each.path for each in asked)
