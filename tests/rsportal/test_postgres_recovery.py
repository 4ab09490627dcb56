"""A killed server recovers at the next start, and nothing committed is lost."""

import os
import signal
from pathlib import Path

import psycopg

from rsportal import postgres
from rsportal.postgres.place import locate
from rsportal.postgres.processes import kill_all, orphans
from tests.processes import wait_for

_ROWS = 5000


def connect(var_dir: Path) -> psycopg.Connection:
    entry = postgres.ensure_running(var_dir)
    return psycopg.connect(host=entry["HOST"], dbname=entry["NAME"], user=entry["USER"])


def commit_rows(var_dir: Path) -> psycopg.Connection:
    """Commit rows with vectors, then leave a second batch of them in an open transaction."""
    with connect(var_dir) as connection:
        connection.execute("CREATE TABLE kept (n int PRIMARY KEY, v vector(3))")
        connection.execute("INSERT INTO kept SELECT n, ARRAY[n, 1, 2]::vector FROM generate_series(1, %s) n", (_ROWS,))
        connection.execute("CREATE INDEX ON kept USING hnsw (v vector_cosine_ops)")
    open_transaction = connect(var_dir)
    open_transaction.execute(
        "INSERT INTO kept SELECT n, '[0,0,1]' FROM generate_series(%s::int, %s::int) n", (_ROWS + 1, 9999)
    )
    return open_transaction


def check_rows(var_dir: Path) -> None:
    with connect(var_dir) as connection:
        assert connection.execute("SELECT count(*), max(n) FROM kept").fetchone() == (_ROWS, _ROWS)
        nearest = connection.execute("SELECT n FROM kept ORDER BY v <=> '[7,1,2]' LIMIT 1").fetchone()
        assert nearest == (7,)


def test_all_processes_killed_in_the_middle_of_a_transaction(portal_dir):
    lost = commit_rows(portal_dir)
    data = locate(portal_dir).data
    kill_all(orphans(data), signal.SIGKILL)
    wait_for(lambda: not orphans(data), seconds=20, what="the killed processes to go")
    assert (data / "postmaster.pid").exists(), "a killed server leaves its file behind"
    check_rows(portal_dir)
    lost.close()
    postgres.release(portal_dir)


def test_postmaster_killed_while_a_backend_still_computes(portal_dir):
    busy = commit_rows(portal_dir)
    # A long computation does not look whether its postmaster lives: the next start must not wait for it for ever.
    backend = busy.info.backend_pid
    place = locate(portal_dir)
    os.kill(int(postgres.status(portal_dir)["pid"]), signal.SIGKILL)
    os.kill(backend, signal.SIGSTOP)  # The worst case of a backend that does not notice.
    try:
        check_rows(portal_dir)
    finally:
        busy.close()
    assert backend not in orphans(place.data)
    postgres.release(portal_dir)


def test_pid_file_that_names_a_foreign_process(portal_dir):
    commit_rows(portal_dir).close()
    data = locate(portal_dir).data
    kill_all(orphans(data), signal.SIGKILL)
    wait_for(lambda: not orphans(data), seconds=20, what="the killed processes to go")
    pid_file = data / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]))  # As after a reboot that reused the number.
    check_rows(portal_dir)
    postgres.release(portal_dir)


def test_killed_in_the_middle_of_the_first_preparation(portal_dir):
    postgres.ensure_running(portal_dir)
    postgres.release(portal_dir)
    place = locate(portal_dir)
    half_made = place.base / "data.new"
    place.data.rename(half_made)
    (half_made / "PG_VERSION").unlink()
    with connect(portal_dir) as connection:
        assert connection.execute("SELECT '[1]'::vector::text").fetchone() == ("[1]",)
    assert not half_made.exists()
    postgres.release(portal_dir)
