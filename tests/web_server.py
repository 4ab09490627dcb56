"""The real web server for tests: gunicorn, as ``manage.py serve`` starts it, on the test's database and files.

The test must commit what the server is to see: use ``transaction=True`` with ``django_db``.
"""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rsportal.management.commands.serve import gunicorn_command
from tests.processes import PROJECT, child_environment, wait_for


class WebServer:
    """A web server that can be killed and started again at the same address."""

    def __init__(self, var_dir: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = var_dir / "web.log"
        self._environment = child_environment(var_dir, {"RSPORTAL_HSTS_SECONDS": "0"})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, *gunicorn_command(host="127.0.0.1", port=self.port, threads=4)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=PROJECT, env=self._environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        wait_for(self._answers, seconds=60, what="the web server to answer")

    def collect(self) -> None:
        """Collect the static files, for browsers."""
        command = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v", "0"]
        subprocess.run(command, cwd=PROJECT, env=self._environment, check=True)

    def kill(self) -> None:
        """Kill all its processes at once, as a power cut does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the web server ended:\n{self.log_path.read_text(errors='replace')}"
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def running_web_server(tmp_path: Path, *, static: bool = False) -> Iterator[WebServer]:
    """Run the web server for the length of the block, with ``static`` files for a browser."""
    var_dir = tmp_path / "web-var"
    var_dir.mkdir(exist_ok=True)
    server = WebServer(var_dir)
    if static:
        server.collect()
    server.start()
    try:
        yield server
    finally:
        server.kill()
