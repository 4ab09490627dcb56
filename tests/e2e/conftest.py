"""A portal of real processes, and a browser."""

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection
from playwright.sync_api import Browser

from imagery.services.encoders import encoder_activate, encoder_register
from tests.checkpoints import siglip_checkpoint
from tests.e2e.browser import chromium, chromium_path
from tests.factories import PASSWORD, make_collection, make_user
from tests.processes import PROJECT, child_environment, wait_for
from tests.staff import make_curator

_START_SECONDS = 120.0


@dataclass(frozen=True)
class Portal:
    """A served portal: Emma owns the collection "Bays", Carla is a curator, Root sees everything."""

    url: str
    log: Path


@pytest.fixture
def portal(transactional_db: None, media_folder: Path, tmp_path: Path) -> Iterator[Portal]:
    """Serve web pages and a worker (``manage.py serve``) on the test's database and files."""
    chromium_path()  # Without a browser there is no need to start all this.
    make_collection("bays", title="Bays", owner=make_user("emma", password=PASSWORD), license="CC-BY-4.0")
    make_curator("carla", password=PASSWORD)
    make_user("root", password=PASSWORD, superuser=True)
    folder = siglip_checkpoint(tmp_path / "siglip")
    encoder_activate(encoder=encoder_register(name="small", kind="transformers", source=str(folder)))
    var_dir = tmp_path / "portal-var"
    var_dir.mkdir()
    environment = child_environment(var_dir, {"RSPORTAL_HSTS_SECONDS": "0"})
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "collectstatic", "--noinput", "-v", "0"], cwd=PROJECT, env=environment, check=True)
    port, log_path = _free_port(), var_dir / "serve.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*manage, "serve", "--port", str(port)],
            cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    served = Portal(f"http://127.0.0.1:{port}", log_path)
    try:
        wait_for(lambda: _ready(served, process), seconds=_START_SECONDS, what="the portal to be ready")
        yield served
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def browser(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """A Chromium beside the portal. Its driver runs an event loop in this thread, where Django forbids queries
    unless told otherwise."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with chromium() as running:
        yield running
        connection.close()  # Under the driver's loop the test had a connection of its own.


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(portal: Portal, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, f"the portal ended:\n{portal.log.read_text(errors='replace')}"
    try:
        with urllib.request.urlopen(f"{portal.url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
