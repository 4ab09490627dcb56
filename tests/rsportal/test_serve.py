"""``manage.py serve`` starts web and worker together and ends them together."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from rsportal import probe
from tests.processes import PROJECT, child_environment, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def serve(tmp_path: Path, port: int) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "var").mkdir()

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=PROJECT,
            env=child_environment(tmp_path / "var"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def child(process: subprocess.Popen[str], word: str) -> psutil.Process:
    return next(found for found in psutil.Process(process.pid).children() if word in found.cmdline())


def served(process: subprocess.Popen[str], port: int) -> bool:
    assert process.poll() is None, process.communicate()[0]
    return probe.alive(port, "localhost") and len(family(process)) >= 12  # web 2, worker 1, clusters 5 each


def gone(processes: list[psutil.Process]) -> bool:
    return not any(found.is_running() and found.status() != psutil.STATUS_ZOMBIE for found in processes)


def test_sigterm_ends_all_of_it(serve, port):
    process = serve()
    wait_for(lambda: served(process, port), seconds=90, what="web and worker")
    processes = family(process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert f"http://127.0.0.1:{port}/" in said
    wait_for(lambda: gone(processes), seconds=10, what="every process to end")


@pytest.mark.parametrize(("name", "word"), [("web", "gunicorn"), ("worker", "run_worker")])
def test_a_part_that_dies_is_named_and_takes_the_rest_along(serve, port, name, word):
    process = serve()
    wait_for(lambda: served(process, port), seconds=90, what="web and worker")
    processes = family(process)
    os.kill(child(process, word).pid, signal.SIGKILL)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert f"The {name} process ended by itself" in said
    wait_for(lambda: gone(processes), seconds=60, what="every process to end")


def test_a_busy_port_gets_a_sentence(serve, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        process = serve()
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in said
    assert f"PORT={port + 1}" in said
    assert "Traceback" not in said
