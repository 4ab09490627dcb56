"""``bench/search.py`` runs from an empty folder to its figures, on a small archive and a database of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import PROJECT

pytestmark = pytest.mark.cluster


def test_a_small_archive_is_made_measured_and_kept(tmp_path: Path):
    command = [
        *[sys.executable, "bench/search.py", "--sizes", "2000", "--dimension", "64", "--rivals", "none"],
        *["--queries", "2", "--rounds", "1", "--work", str(tmp_path), "--json", str(tmp_path / "figures.json")],
    ]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    (measured,) = json.loads((tmp_path / "figures.json").read_text())["sizes"]
    assert measured["failed"] == 0, measured["failures"]
    assert measured["short_pages"] == 0
    assert measured["shares"]["none"] == pytest.approx(0.95, abs=0.04)
    assert measured["shares"]["5 %"] == pytest.approx(0.05, abs=0.02)
    candidates = [line for line in measured["lines"] if line["way"] == "candidates"]
    assert len(candidates) == len(measured["shares"]) == 6
    assert all(line["recall@10"] >= 0.99 for line in candidates)
    assert {line["clients"] for line in measured["http"]} == {1, 4, 16}
    assert "=== 2,000 scenes x 64 numbers ===" in done.stdout
    assert (tmp_path / "2000x64" / "rows.npy").exists()
