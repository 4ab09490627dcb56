#!/usr/bin/env python3
"""The portal's commands. ``manage.py help`` lists them."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rsportal.errors import RsportalError


def main() -> None:
    """Run one command with the settings of the environment and of ``.env``."""
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        sys.exit("Django is not installed for this Python. Run `make setup`, then use .venv/bin/python manage.py.")
    from rsportal.dotenv import load_dotenv
    from rsportal.errors import RsportalError

    load_dotenv(Path(__file__).resolve().parent / ".env")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    try:
        execute_from_command_line(sys.argv)
    except Exception as error:
        expected = _cause(error, RsportalError)
        if expected is None or "--traceback" in sys.argv:
            raise
        sys.exit(f"Error: {expected.message}")


def _cause(error: BaseException | None, kind: "type[RsportalError]") -> "RsportalError | None":
    """Return the expected failure behind an error: the embedded database says why behind an OperationalError."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


if __name__ == "__main__":
    main()
