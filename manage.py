#!/usr/bin/env python3
"""The portal's commands. ``manage.py help`` lists them."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run one command with the settings of the environment and of ``.env``."""
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        sys.exit("Django is not installed for this Python. Run `make setup`, then use .venv/bin/python manage.py.")
    from rsportal.dotenv import load_dotenv

    load_dotenv(Path(__file__).resolve().parent / ".env")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
