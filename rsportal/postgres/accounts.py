"""Which system user the server runs as: PostgreSQL refuses to run as root."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rsportal.postgres.errors import PostgresError

_SYSTEM_USER: Final = "rsportal"


@dataclass(frozen=True)
class Account:
    """A system user by name and numeric ids."""

    name: str
    uid: int
    gid: int

    def subprocess_options(self) -> dict[str, Any]:
        """Return the ``subprocess`` arguments that run a program as this user (none if we are it)."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder to this user, where we are allowed to (as root)."""
        if self.uid != os.geteuid():
            os.chown(path, self.uid, self.gid)


def account_by_uid(uid: int) -> Account:
    """Return the user with this number. Raises PostgresError when the system does not list it."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise PostgresError(
            f"User id {uid} has no entry in /etc/passwd, which PostgreSQL needs. "
            "Add one, or set DATABASE_URL to a database server."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def account_for(base: Path) -> Account:
    """Return who runs the server whose files lie in ``base``.

    An ordinary user runs it alone. Root runs it as the owner of existing files, else as the
    system user ``rsportal``, which is created when missing.
    """
    euid = os.geteuid()
    owner = base.stat().st_uid if base.exists() else None
    if euid != 0:
        if owner not in (None, euid):
            raise PostgresError(
                f"{base} belongs to user {account_by_uid(base.stat().st_uid).name}. Run this command as that "
                "user or as root, or set RSPORTAL_VAR_DIR to a folder of your own."
            )
        return account_by_uid(euid)
    if owner:
        return account_by_uid(owner)
    return _system_user()


def _system_user() -> Account:
    try:
        entry = pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        _create_system_user()
        entry = pwd.getpwnam(_SYSTEM_USER)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create_system_user() -> None:
    program = shutil.which("useradd") or "/usr/sbin/useradd"
    command = [program, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", _SYSTEM_USER]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        failure = done.stderr.strip() if done.returncode not in (0, 9) else ""  # 9: somebody was faster
    except OSError as error:
        failure = str(error)
    if failure:
        raise PostgresError(
            "PostgreSQL refuses to run as root and the system user "
            f"{_SYSTEM_USER!r} could not be created ({failure}). Run the portal as an ordinary user."
        )
