"""Sixteen people search at once: the real web server, real threads, and few database connections."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client

from bench.search_http import load
from rsportal import probe
from rsportal.management.commands.serve import WEB_THREADS, gunicorn_command
from search.models import Ranking
from search.services.synthetic import query_text
from tests import factories
from tests.processes import PROJECT, child_environment, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

CLIENTS = 16
REQUESTS = 3 * CLIENTS
OTHER_CONNECTIONS = 2  # The test's own, and that of a thread that prepares the process after its start.


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    (tmp_path / "var").mkdir()
    command = gunicorn_command(host="127.0.0.1", port=number, threads=WEB_THREADS)
    process = subprocess.Popen([sys.executable, *command], cwd=PROJECT, env=child_environment(tmp_path / "var"))
    try:
        wait_for(lambda: probe.alive(number, "localhost"), seconds=60, what="the web server")
        yield number
    finally:
        process.terminate()
        process.wait(timeout=30)


class ConnectionCount:
    """The most connections to this database seen at one time, until it is told to end."""

    def __init__(self) -> None:
        self.most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "ConnectionCount":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=20)

    def _watch(self) -> None:
        try:
            with connection.cursor() as cursor:
                while not self._ended.wait(0.02):
                    cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
                    self.most = max(self.most, cursor.fetchone()[0])
        finally:
            connection.close()


def test_sixteen_clients_at_once(port):
    call_command("seed_synthetic", scenes=1_000, dimension=64, stdout=StringIO(), stderr=StringIO())
    client = Client()
    client.force_login(factories.make_user(), backend="rsportal.accounts.backends.CaseInsensitiveModelBackend")
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    paths = [f"/?q={query_text(number)}" for number in range(REQUESTS)]
    with ConnectionCount() as connections:
        answer = load(port=port, cookie=cookie, clients=CLIENTS, paths=paths, marker="data-hit")
    assert answer["failures"] == []
    assert len(answer["seconds"]) == REQUESTS
    assert Ranking.objects.count() == REQUESTS
    # One for each thread of the server, however many clients there are.
    assert connections.most <= WEB_THREADS + OTHER_CONNECTIONS + 1
    call_command("seed_synthetic", remove=True, stdout=StringIO(), stderr=StringIO())
