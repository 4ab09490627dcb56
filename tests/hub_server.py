"""A model hub on this machine: the few addresses that a download uses, over real HTTP, with real files behind them."""

import hashlib
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(?:/(?P<what>revision|tree)/(?P<revision>[^/?]+))?(?:\?.*)?")
_FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>[^?]+)")


@dataclass
class Hub:
    """What the server holds and what it was asked.

    ``revisions`` maps branches, tags and commits to a commit, ``commits`` a commit to its folder. While ``cut_after``
    is set, an answer with weights ends after that many bytes; with ``reset`` rudely, as when a router dies.
    """

    repo: str
    address: str
    commits: dict[str, Path]
    revisions: dict[str, str]
    cut_after: int | None = None
    reset: bool = False
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Range header of every request."""

    def environment(self, cache: Path) -> dict[str, str]:
        """What a process needs so as to use this hub and a cache of its own."""
        return {
            "HF_ENDPOINT": self.address,
            "HF_HOME": str(cache),
            "HF_HUB_OFFLINE": "0",
            "RSPORTAL_HF_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
        }


def commit_of(folder: Path) -> str:
    """40 hexadecimal digits that stand for the files of a folder."""
    digest = hashlib.sha1(usedforsecurity=False)
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


@contextmanager
def hub_server(repo: str, revisions: dict[str, Path]) -> Iterator[Hub]:
    """Serve ``repo`` with these branches and tags, each a folder of files, until the block ends."""
    commits = {commit_of(folder): folder for folder in revisions.values()}
    names = {name: commit_of(folder) for name, folder in revisions.items()} | {commit: commit for commit in commits}

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = Hub(repo=repo, address=f"http://127.0.0.1:{server.server_port}", commits=commits, revisions=names)
    Handler.hub = hub
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments: object) -> None:
        """The tests read ``Hub.asked`` instead."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.hub.asked.append((self.command, self.path, self.headers.get("Range", "")))
        if match := _API.fullmatch(self.path):
            self._describe(match["repo"], match["what"] or "revision", match["revision"] or "main")
        elif match := _FILE.match(self.path):
            self._file(match["repo"], match["revision"], match["name"])
        else:
            self._refuse("EntryNotFound")

    def _commit(self, repo: str, revision: str) -> str | None:
        if repo != self.hub.repo:
            self._refuse("RepoNotFound")
            return None
        if revision not in self.hub.revisions:
            self._refuse("RevisionNotFound")
            return None
        return self.hub.revisions[revision]

    def _describe(self, repo: str, what: str, revision: str) -> None:
        commit = self._commit(repo, revision)
        if commit is None:
            return
        files = sorted(self.hub.commits[commit].iterdir())
        if what == "tree":
            rows = [{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": _etag(f)} for f in files]
            self._json(rows)
        else:
            self._json({"id": repo, "sha": commit, "siblings": [{"rfilename": f.name} for f in files]})

    def _json(self, body: Any) -> None:
        content = json.dumps(body).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(content))})
        self.wfile.write(content)

    def _file(self, repo: str, revision: str, name: str) -> None:
        commit = self._commit(repo, revision)
        if commit is None:
            return
        path = self.hub.commits[commit] / name
        if not path.is_file():
            self._refuse("EntryNotFound")
            return
        content = path.read_bytes()
        begin = int(self.headers["Range"].removeprefix("bytes=").split("-")[0]) if "Range" in self.headers else 0
        headers = {"X-Repo-Commit": commit, "ETag": f'"{_etag(path)}"', "Accept-Ranges": "bytes"}
        headers["Content-Length"] = str(len(content) - begin)
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self._head(206 if begin else 200, headers)
        if self.command == "HEAD":
            return
        if self.hub.cut_after is not None and name.endswith(".safetensors"):
            self.wfile.write(content[begin : begin + self.hub.cut_after])
            self.wfile.flush()
            if self.hub.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            self.close_connection = True
            return
        self.wfile.write(content[begin:])

    def _refuse(self, code: str) -> None:
        self._head(404, {"X-Error-Code": code, "X-Error-Message": code, "Content-Length": "0"})

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
