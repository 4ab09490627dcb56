"""Who runs the embedded server and who may connect to it."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from rsportal import postgres
from rsportal.postgres import binaries
from rsportal.postgres.place import locate
from rsportal.postgres.processes import orphans
from tests.processes import wait_for
from tests.rsportal.conftest import forget

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def owner(path: Path) -> str:
    return pwd.getpwuid(path.stat().st_uid).pw_name


def test_folders_are_closed_to_others_and_login_is_by_system_user(portal_dir):
    entry = postgres.ensure_running(portal_dir)
    place = locate(portal_dir)
    for folder in (place.base, place.data, place.socket_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    rules = (place.data / "pg_hba.conf").read_text().split("\n")
    assert [rule.split()[:4] for rule in rules if rule] == [["local", "all", "all", "peer"]]
    with psycopg.connect(host=entry["HOST"], dbname=entry["NAME"], user=entry["USER"]) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        row = connection.execute("SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
        assert row == (False, True)
    postgres.release(portal_dir)


def test_new_databases_have_the_extension_without_superuser_rights(portal_dir):
    entry = postgres.ensure_running(portal_dir)
    login = {"host": entry["HOST"], "user": entry["USER"]}
    with psycopg.connect(**login, dbname=entry["NAME"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE another")
    with psycopg.connect(**login, dbname="another") as connection:
        row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        assert row is not None
        assert tuple(map(int, row[0].split("."))) >= (0, 8, 4)
    postgres.release(portal_dir)


@needs_root
def test_root_runs_it_as_a_system_user(portal_dir):
    postgres.ensure_running(portal_dir)
    pid = postgres.status(portal_dir)["pid"]
    assert owner(Path(f"/proc/{pid}")) == "rsportal"
    assert owner(locate(portal_dir).data) == "rsportal"
    postgres.release(portal_dir)


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_root_of_a_container_who_may_not_look_into_processes(portal_dir):
    """Docker's default leaves root without CAP_SYS_PTRACE: the working folder of another user's process is closed."""
    client = Path(__file__).with_name("postgres_client.py")
    command = ["setpriv", "--bounding-set", "-sys_ptrace", sys.executable, str(client), str(portal_dir)]
    answers = [
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout.split()
        for _second_finds_the_first in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0][0].isdigit()
    data = Path(postgres.status(portal_dir)["data"])
    wait_for(lambda: not orphans(data), seconds=30, what="the watcher to stop the server")
    assert not (data / "postmaster.pid").exists(), "it was stopped, not forgotten"


@needs_root
def test_root_with_a_clone_below_a_closed_home(portal_dir):
    portal_dir.chmod(0o700)
    var_dir = portal_dir / "clone" / "var"
    postgres.ensure_running(var_dir)
    place = locate(var_dir)
    try:
        assert place.base.parent == Path("/var/lib/rsportal")
        assert postgres.status(var_dir)["running"]
        postgres.release(var_dir)

        moved = portal_dir / "moved"
        (portal_dir / "clone").rename(moved)
        assert locate(moved / "var") == place, "the database follows a folder that is moved"
        shutil.copytree(moved, portal_dir / "copy")
        postgres.ensure_running(moved / "var")
        assert locate(portal_dir / "copy" / "var") != place, "a copy gets a database of its own"
        postgres.release(moved / "var")
    finally:
        forget(portal_dir)


@needs_root
def test_programs_below_a_closed_home_are_copied(portal_dir, monkeypatch, tmp_path):
    package = binaries.packaged_root().parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("include"))
    hidden = tmp_path / package.name / "pginstall"
    tmp_path.chmod(0o700)
    monkeypatch.setattr(binaries, "packaged_root", lambda: hidden)
    monkeypatch.setattr(binaries, "SYSTEM_DIR", portal_dir / "system")
    postgres.ensure_running(portal_dir)
    pid = postgres.status(portal_dir)["pid"]
    assert Path(f"/proc/{pid}/exe").resolve().is_relative_to(portal_dir / "system")
    postgres.release(portal_dir)


def test_an_ordinary_user_runs_it_alone(other_user, client_process):
    folder = Path(tempfile.mkdtemp(prefix="rsp-", dir="/tmp"))
    shutil.chown(folder, other_user.name)
    try:
        client = client_process(folder / "var", "SELECT current_user", user=other_user)
        pid, role = client.answer()
        assert role == "rsportal"
        assert owner(Path(f"/proc/{pid}")) == "nobody"
        # Root joins the same server instead of making a second database.
        assert postgres.ensure_running(folder / "var")["HOST"].startswith(str(folder))
        assert postgres.status(folder / "var")["pid"] == int(pid)
        client.leave()
        postgres.release(folder / "var")
    finally:
        forget(folder)


def test_other_users_of_the_machine_cannot_connect(portal_dir, other_user):
    entry = postgres.ensure_running(portal_dir)
    attempt = (
        "import psycopg, sys\npsycopg.connect(host=sys.argv[1], dbname='rsportal', user='rsportal').execute('SELECT 1')"
    )
    command = [other_user.python, "-c", attempt, entry["HOST"]]
    environment = {"PYTHONPATH": str(other_user.client.parents[2])}
    options = {"capture_output": True, "text": True, "check": False, "env": environment, **other_user.identity}
    place = locate(portal_dir)
    done = subprocess.run(command, **options)
    assert "Permission denied" in done.stderr
    # Even with the folders opened by mistake, the server asks the system who is there.
    for folder in (place.base, place.socket_dir):
        folder.chmod(0o755)
    os.chmod(place.socket_dir / ".s.PGSQL.5432", 0o777)
    done = subprocess.run(command, **options)
    assert "Peer authentication failed" in done.stderr
    for folder in (place.base, place.socket_dir):
        folder.chmod(0o700)
    postgres.release(portal_dir)


def test_a_foreign_users_folder_is_refused_with_a_sentence(portal_dir, other_user):
    postgres.ensure_running(portal_dir)
    postgres.release(portal_dir)
    done = subprocess.run(
        [other_user.python, str(other_user.client), str(portal_dir)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        **other_user.identity,
    )
    assert "belongs to user rsportal" in done.stderr


def test_a_socket_folder_that_somebody_prepared_is_refused(portal_dir):
    var_dir = portal_dir / ("long-" * 30)
    socket_dir = locate(var_dir).socket_dir
    assert socket_dir.parent == Path("/tmp")
    socket_dir.mkdir(mode=0o755)
    socket_dir.chmod(0o755)
    try:
        with pytest.raises(postgres.PostgresError, match="not a folder that only the database's own user can enter"):
            postgres.ensure_running(var_dir)
    finally:
        socket_dir.rmdir()


@pytest.mark.parametrize("broken", ["data of another version", "folder that cannot be made"])
def test_a_command_that_cannot_have_the_database_says_why_without_a_traceback(portal_dir, broken):
    var_dir = portal_dir / "var"
    if broken == "data of another version":
        postgres.ensure_running(var_dir)
        postgres.release(var_dir)
        (locate(var_dir).data / "PG_VERSION").write_text("12\n")
        reason = "initialized by PostgreSQL version 12"
    else:
        var_dir.mkdir()
        (var_dir / "postgres").write_text("a file")
        reason = "Not a directory"
    environment = {**os.environ, "RSPORTAL_VAR_DIR": str(var_dir), "RSPORTAL_SECRET_KEY": "x" * 50}
    environment.pop("DATABASE_URL", None)
    project = Path(__file__).resolve().parents[2]
    for command in ("migrate", "showmigrations"):
        words = [sys.executable, "manage.py", command]
        done = subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "The embedded PostgreSQL" in done.stderr
        assert reason in done.stderr
        assert "Traceback" not in done.stderr
