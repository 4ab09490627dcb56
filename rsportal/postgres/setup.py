"""Preparing a new data folder: cluster, roles, database and extensions, in one step."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Final

from rsportal.postgres import config
from rsportal.postgres.accounts import Account
from rsportal.postgres.binaries import major_version, program
from rsportal.postgres.errors import PostgresError
from rsportal.postgres.place import Place

# Installed in the template, so that test databases have them without superuser rights.
_TEMPLATE_EXTENSIONS: Final = ("vector", "pg_prewarm", "pg_trgm", "btree_gist", "unaccent")
_BUILTIN_LOCALE_SINCE: Final = 17  # The same sort order on every system, whatever its C library.


def make_base(place: Place, account: Account) -> None:
    """Make ``base``, 0700 and owned by the server's user, unless it exists."""
    place.base.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _make_closed_folder(place.base, account)


def make_socket_folder(place: Place, account: Account) -> None:
    """Make the socket's folder likewise. Raises PostgresError when somebody else's is in its place."""
    _make_closed_folder(place.socket_dir, account)
    place.check_socket_dir(account.uid)


def _make_closed_folder(path: Path, account: Account) -> None:
    """Make a folder that is never seen with another owner or mode, even by processes that start now too."""
    if path.is_symlink() or path.exists():
        return
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))  # mode 0700
    account.own(fresh)
    try:
        fresh.rename(path)
    except OSError:  # Another process was faster.
        fresh.rmdir()
        if not path.exists():
            raise


def create_cluster(place: Place, account: Account, root: Path) -> None:
    """Create the data folder. It gets its name last, so a killed attempt leaves nothing half-made."""
    partial = place.base / "data.new"
    shutil.rmtree(partial, ignore_errors=True)
    command = [program(root, "initdb"), "-D", partial.name, "-U", config.SUPERUSER]
    command += ["--auth=peer", "--encoding=UTF8", "--no-instructions"]
    if major_version(root) >= _BUILTIN_LOCALE_SINCE:
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    else:
        command += ["--locale=C"]
    run_as(account, command, place)
    _single_user(place, account, root, partial.name, "template1", _template_statements(root))
    _single_user(
        place,
        account,
        root,
        partial.name,
        "postgres",
        [
            f"CREATE ROLE {config.APP_ROLE} LOGIN CREATEDB",
            f"CREATE DATABASE {config.APP_DATABASE} OWNER {config.APP_ROLE}",
        ],
    )
    partial.rename(place.data)


def run_as(
    account: Account,
    command: list[str],
    place: Place,
    *,
    statements: str = "",
    output: IO[bytes] | int = subprocess.PIPE,
) -> None:
    """Run a PostgreSQL program as the server's user in ``base``.

    Paths are given relative to ``base``: pg_ctl hands them to a shell. ``statements`` go to its input.
    Raises PostgresError with the program's own words when it fails.
    """
    done = subprocess.run(
        command,
        cwd=place.base,
        env=clean_environment(),
        input=statements.encode(),
        stdout=output,
        stderr=subprocess.STDOUT,
        check=False,
        start_new_session=True,  # Ctrl-C is for the portal, not for a database that is just being made.
        **account.subprocess_options(),
    )
    if done.returncode != 0:
        said = (done.stdout or b"").decode(errors="replace").strip()[-2000:]
        raise PostgresError(f"{Path(command[0]).name} failed for {place.data}: {said}")


def clean_environment() -> dict[str, str]:
    """Return the environment without PGDATA, PGHOST and their like, which would redirect the programs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _template_statements(root: Path) -> list[str]:
    present = [name for name in _TEMPLATE_EXTENSIONS if next(root.rglob(f"{name}.control"), None)]
    if "vector" not in present:
        raise PostgresError(f"The PostgreSQL in {root} has no extension 'vector'. Run `make setup` again.")
    return [f"CREATE EXTENSION {name}" for name in present]


def _single_user(place: Place, account: Account, root: Path, data: str, database: str, statements: list[str]) -> None:
    """Run statements without a server. They take effect in order; the first failure ends it."""
    command = [program(root, "postgres"), "--single", "-D", data, "-c", "exit_on_error=on", database]
    run_as(account, command, place, statements="".join(f"{statement}\n" for statement in statements))
