"""Preparing a clone, and reading .env."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rsportal import bootstrap
from rsportal.dotenv import load_dotenv

PROJECT = Path(__file__).resolve().parents[2]


def test_dotenv(tmp_path, monkeypatch):
    monkeypatch.setenv("RSP_TEST_SET", "kept")
    for name in ("RSP_TEST_PLAIN", "RSP_TEST_QUOTED", "RSP_TEST_EQUALS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text(
        "# a comment\n\nRSP_TEST_SET=changed\nRSP_TEST_PLAIN = one two \nRSP_TEST_QUOTED='a # b'\nRSP_TEST_EQUALS=a=b\n"
        "no assignment\n"
    )
    load_dotenv(tmp_path / ".env")
    found = [os.environ.pop(f"RSP_TEST_{name}") for name in ("PLAIN", "QUOTED", "EQUALS")]
    assert found == ["one two", "a # b", "a=b"]
    assert os.environ["RSP_TEST_SET"] == "kept"
    load_dotenv(tmp_path / "absent")


def test_a_python_that_is_too_old_gets_a_sentence(monkeypatch):
    monkeypatch.setattr("rsportal.bootstrap.sys.version_info", (3, 9, 2))
    monkeypatch.setattr("rsportal.bootstrap.shutil.which", lambda name: None)
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed; .* is 3\.9"):
        bootstrap.need_python()


def test_a_missing_venv_module_gets_a_sentence(monkeypatch):
    monkeypatch.setattr("rsportal.bootstrap.importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(bootstrap, "may_install", lambda: False)
    with pytest.raises(SystemExit, match=r"sudo apt-get install python3\.\d+-venv"):
        bootstrap.need_venv_module()


def test_the_second_preparation_takes_a_moment():
    """On a prepared clone (this one) nothing is installed, compiled or collected again."""
    command = [sys.executable, "-I", "rsportal/bootstrap.py"]
    subprocess.run(command, cwd=PROJECT, check=True)
    started = time.monotonic()
    done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    assert time.monotonic() - started < 5
    assert done.stdout == ""


def test_manage_without_packages_says_what_to_do():
    other = shutil.which("python3", path="/usr/bin:/usr/local/bin") or pytest.skip("no system Python")
    done = subprocess.run([other, "-S", "manage.py", "help"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "make setup" in done.stderr


def test_help_starts_no_database(tmp_path):
    environment = {**os.environ, "RSPORTAL_VAR_DIR": str(tmp_path / "var")}
    environment.pop("DATABASE_URL", None)
    done = subprocess.run(
        [sys.executable, "manage.py", "help"], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    assert "run_worker" in done.stdout
    assert not (tmp_path / "var" / "postgres").exists()
