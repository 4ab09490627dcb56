"""The embedded server starts once, is shared, and stops after its last user."""

import os
import time
from pathlib import Path

import psycopg

from rsportal import postgres
from rsportal.postgres import server
from rsportal.postgres.place import locate
from rsportal.postgres.processes import orphans
from tests.processes import wait_for

_STOP_SECONDS = 30.0


def running(var_dir: Path) -> bool:
    return bool(orphans(Path(postgres.status(var_dir)["data"])))


def test_settings_start_and_create_nothing(portal_dir):
    var_dir = portal_dir / "var"
    entry = postgres.database_settings(var_dir)
    assert entry["HOST"].startswith("/")
    assert not var_dir.exists()
    assert postgres.status(var_dir)["running"] is False


def test_five_processes_at_once_share_one_server(portal_dir, client_process):
    sql = "SELECT extract(epoch from pg_postmaster_start_time())"
    clients = [client_process(portal_dir / "var", sql) for _ in range(5)]
    answers = [client.answer() for client in clients]
    assert len({tuple(answer) for answer in answers}) == 1


def test_last_user_out_stops_the_server(portal_dir, client_process):
    first, second = client_process(portal_dir), client_process(portal_dir)
    pid = first.answer()[0]
    assert second.answer()[0] == pid
    first.leave()
    # Longer than the watcher lingers: one user is left, so nothing may happen.
    deadline = time.monotonic() + server._LINGER_SECONDS + 2
    wait_for(lambda: time.monotonic() > deadline, seconds=60, what="the watcher's pause to pass")
    assert postgres.status(portal_dir)["pid"] == int(pid)
    second.leave()
    wait_for(lambda: not running(portal_dir), seconds=_STOP_SECONDS, what="the server to stop")
    state = (Path(postgres.status(portal_dir)["data"]) / "postmaster.pid").exists()
    assert not state, "a clean stop removes postmaster.pid"


def test_killed_client_neither_stops_nor_keeps_the_server(portal_dir, client_process):
    victim, other = client_process(portal_dir), client_process(portal_dir)
    pid = victim.answer()[0]
    assert other.answer()[0] == pid
    victim.kill()
    deadline = time.monotonic() + server._LINGER_SECONDS + 2
    wait_for(lambda: time.monotonic() > deadline, seconds=60, what="the watcher's pause to pass")
    assert postgres.status(portal_dir)["running"]
    other.kill()
    wait_for(lambda: not running(portal_dir), seconds=_STOP_SECONDS, what="the server to stop after the last kill")


def test_release_stops_at_once_but_only_for_the_last(portal_dir, client_process):
    postgres.ensure_running(portal_dir)
    client = client_process(portal_dir)
    client.answer()
    assert postgres.release(portal_dir) is False
    assert postgres.status(portal_dir)["running"]
    client.kill()
    postgres.ensure_running(portal_dir)
    assert postgres.release(portal_dir) is True
    assert not running(portal_dir)


def test_a_lost_watcher_is_replaced(portal_dir):
    postgres.ensure_running(portal_dir)
    place = locate(portal_dir)
    # A process that has just begun has no words yet: Linux lets its parent go on before it fills in the command line.
    wait_for(lambda: _watchers_of(place.base), seconds=10, what="the watcher to have begun")
    [watcher] = _watchers_of(place.base)
    os.kill(watcher, 9)
    wait_for(lambda: not server.watcher_lives(place), seconds=10, what="the watcher to die")
    postgres.ensure_running(portal_dir)
    assert server.watcher_lives(place)
    postgres.release(portal_dir)


def test_path_with_spaces_and_a_path_too_long_for_a_socket(portal_dir):
    spaced = portal_dir / "an archive, with 'signs' & \"spaces\" $HOME"
    deep = portal_dir / ("long-" * 20) / ("path-" * 20)
    for var_dir in (spaced, deep):
        entry = postgres.ensure_running(var_dir)
        with psycopg.connect(host=entry["HOST"], dbname=entry["NAME"], user=entry["USER"]) as connection:
            assert connection.execute("SELECT '[1,2]'::vector::text").fetchone() == ("[1,2]",)
        assert len(f"{entry['HOST']}/.s.PGSQL.5432") <= 103
        postgres.release(var_dir)


def _watchers_of(base: Path) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _is_watcher_of(int(name), base)]


def _is_watcher_of(pid: int, base: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return False
    return str(base) in words and any(word.endswith("watcher.py") for word in words)
