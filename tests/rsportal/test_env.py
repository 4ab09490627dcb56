"""Settings from the environment: typed, and wrong ones fail with a sentence that names the variable."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from rsportal.env import Env

ROOT = Path(__file__).resolve().parents[2]
KEY = "k" * 25 + "0123456789abcdefghijklmnopqrstuvwxyz"
PRODUCTION = {
    "RSPORTAL_PROFILE": "production",
    "RSPORTAL_SECRET_KEY": KEY,
    "RSPORTAL_ALLOWED_HOSTS": "portal.example.org",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", True),
        ("true", True),
        (" YES ", True),
        ("on", True),
        ("0", False),
        ("False", False),
        ("no", False),
        ("", False),
    ],
)
def test_flag(text, value):
    assert Env({"X": text}).flag("X", default=not value) is value


def test_defaults_count_when_nothing_is_set():
    env = Env({"BLANK": "  "})
    assert env.flag("X", default=True) is True
    assert env.integer("BLANK", 7) == 7
    assert env.text("BLANK", "d") == "d"
    assert env.words("BLANK", ("a",)) == ["a"]
    assert env.choice("BLANK", ("a", "b"), "b") == "b"
    assert env.path("BLANK", Path("/tmp/../srv")) == Path("/srv")


def test_words_and_paths():
    assert Env({"X": " a, b ,,c "}).words("X") == ["a", "b", "c"]
    assert Env({"X": "~/portal"}).path("X", Path("/")) == Path.home() / "portal"


@given(st.integers())
def test_integer_reads_what_was_written(number):
    assert Env({"X": str(number)}).integer("X", 0) == number


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda env: env.flag("X"), "perhaps"),
        (lambda env: env.integer("X", 1), "3.5"),
        (lambda env: env.integer("X", 1), "many"),
        (lambda env: env.integer("X", 1, minimum=1), "0"),
        (lambda env: env.choice("X", ("a", "b"), "a"), "c"),
    ],
)
def test_wrong_values_name_the_variable_and_what_was_found(read, text):
    with pytest.raises(ImproperlyConfigured, match=rf"^X is '?{text}'?; .+\.$"):
        read(Env({"X": text}))


def settings_under(names: list[str], **environment: str) -> dict[str, object]:
    """Load the settings in a process of its own, as a deployment does, and return some of them."""
    code = (
        "import json; from django.conf import settings;"
        f"print(json.dumps({{n: getattr(settings, n, None) for n in {names!r}}}))"
    )
    done = run([sys.executable, "-c", code], environment)
    assert done.returncode == 0, done.stderr
    values: dict[str, object] = json.loads(done.stdout)
    return values


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RSPORTAL_", "DATABASE_URL"))}
    return subprocess.run(
        command,
        env={**kept, "DJANGO_SETTINGS_MODULE": "rsportal.settings", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_production_is_strict():
    expected = {
        "DEBUG": False,
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "LANGUAGE_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
        "PROXY_COUNT": 1,
        "ALLOWED_HOSTS": ["portal.example.org"],
    }
    assert settings_under(list(expected), **PRODUCTION) == expected


def test_without_a_proxy_no_forwarded_header_is_believed():
    names = ["SECURE_PROXY_SSL_HEADER", "PROXY_COUNT", "REST_FRAMEWORK"]
    values = settings_under(names, **PRODUCTION, RSPORTAL_BEHIND_PROXY="0")
    assert (values["SECURE_PROXY_SSL_HEADER"], values["PROXY_COUNT"]) == (None, 0)
    framework = values["REST_FRAMEWORK"]
    assert isinstance(framework, dict)
    assert framework["NUM_PROXIES"] == 0


def test_production_without_a_secret_key_says_what_to_do():
    environment = {**PRODUCTION, "RSPORTAL_SECRET_KEY": ""}
    done = run([sys.executable, "-c", "from django.conf import settings; settings.DEBUG"], environment)
    assert done.returncode != 0
    assert "RSPORTAL_SECRET_KEY is not set. Put 50 or more random characters there" in done.stderr


def test_development_makes_a_key_of_its_own_that_stays_and_is_private(tmp_path):
    var = tmp_path / "var"
    first = settings_under(["SECRET_KEY", "SESSION_COOKIE_SECURE"], RSPORTAL_VAR_DIR=str(var))
    second = settings_under(["SECRET_KEY", "SESSION_COOKIE_SECURE"], RSPORTAL_VAR_DIR=str(var))
    assert first == second
    assert len(str(first["SECRET_KEY"])) >= 50
    assert first["SESSION_COOKIE_SECURE"] is False
    assert (var / "secret_key").stat().st_mode & 0o077 == 0
    (var / "secret_key").write_text("")  # The power went while it was written.
    assert len(str(settings_under(["SECRET_KEY"], RSPORTAL_VAR_DIR=str(var))["SECRET_KEY"])) >= 50
    assert [path.name for path in var.iterdir()] == ["secret_key"]


def deploy_check(**environment: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"], environment)


def test_the_deployment_check_names_open_hosts():
    done = deploy_check(**{**PRODUCTION, "RSPORTAL_ALLOWED_HOSTS": "*"})
    assert done.returncode != 0
    assert "accounts.W001" in done.stderr
