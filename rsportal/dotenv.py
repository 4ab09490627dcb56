"""Reads ``.env`` beside manage.py, so that one file configures every command. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path


def load_dotenv(path: Path) -> None:
    """Set the variables of a file of ``NAME=value`` lines; what the environment already has wins.

    Blank lines and lines that begin with ``#`` are skipped; a value may stand in single or double quotes.
    The format is the one Docker and systemd read too.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        os.environ.setdefault(name.strip(), value)
