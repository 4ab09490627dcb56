"""``manage.py quickstart``, the heart of ``make run`` and ``make demo``, on an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import PROJECT

pytestmark = pytest.mark.cluster

_SEARCHES = 3


def _manage(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env={**environment, "RSPORTAL_VAR_DIR": str(folder), "RSPORTAL_LOG_LEVEL": "WARNING"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_an_empty_folder_to_a_searchable_archive_and_again(portal_dir):
    first = _manage(portal_dir, "quickstart")
    assert re.search(r"Account: admin +password: \S{12,}", first)
    assert len(re.findall(r"^Search ", first, re.MULTILINE)) == _SEARCHES
    assert len(re.findall(r"2 scenes searched with builtin in \d+ ms", first)) == _SEARCHES
    assert len(re.findall(r"^ +1 +0\.\d+ .*Sentinel-2", first, re.MULTILINE)) == _SEARCHES

    again = _manage(portal_dir, "quickstart")
    assert "password" not in again
    assert len(re.findall(r"^Search ", again, re.MULTILINE)) == _SEARCHES
    count = "from imagery.models import IngestJob, Scene; print(Scene.objects.count(), IngestJob.objects.count())"
    assert _manage(portal_dir, "shell", "-v0", "-c", count).strip() == "2 2"

    # As an upgrade does that ships other weights: what is there is encoded anew, not lost to the search.
    other = "from imagery.models import Encoder; Encoder.objects.update(checksum='0' * 64)"
    _manage(portal_dir, "shell", "-v0", "-c", other)
    upgraded = _manage(portal_dir, "quickstart")
    assert len(re.findall(r"2 scenes searched with builtin-\w+ in \d+ ms", upgraded)) == _SEARCHES
