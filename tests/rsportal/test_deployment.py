"""What operators read and use agrees with the code: .env.example, compose.yaml, the production profile."""

import os
import re
import secrets
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import rasterio
import yaml

from rsportal import probe

PROJECT = Path(__file__).resolve().parents[2]
_INTERNAL = {"RSPORTAL_BEAT_DIR"}


def test_env_example_explains_every_variable():
    code = "".join(
        path.read_text() for app in ("rsportal", "imagery", "search") for path in (PROJECT / app).rglob("*.py")
    )
    read = set(re.findall(r"[\"'](RSPORTAL_[A-Z_]+|DATABASE_URL)[\"']", code)) - _INTERNAL
    explained = set(re.findall(r"^#?([A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    assert read - explained == set(), "not in .env.example"
    assert explained - read == {"POSTGRES_PASSWORD"}, "in .env.example, but nothing reads it"


def test_compose_file():
    services = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
    assert set(services) == {"db", "prepare", "web", "worker-default", "worker-encode"}
    for name in ("web", "worker-default", "worker-encode"):
        assert services[name]["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}}
        assert services[name]["environment"]["DATABASE_URL"].startswith("postgres://")
    for cluster in ("default", "encode"):
        assert services[f"worker-{cluster}"]["command"].endswith(f"run_worker --cluster {cluster}")
    assert all(port.startswith("127.0.0.1:") for port in services["web"]["ports"])


def test_production_profile_passes_the_deployment_checks(tmp_path):
    environment = {
        **os.environ,
        "RSPORTAL_PROFILE": "production",
        "RSPORTAL_ALLOWED_HOSTS": "portal.example",
        "RSPORTAL_SECRET_KEY": secrets.token_urlsafe(50),
        "RSPORTAL_VAR_DIR": str(tmp_path),
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_production_without_a_secret_key_gets_a_sentence(tmp_path):
    environment = {**os.environ, "RSPORTAL_PROFILE": "production", "RSPORTAL_VAR_DIR": str(tmp_path)}
    environment.pop("RSPORTAL_SECRET_KEY", None)
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "RSPORTAL_SECRET_KEY is not set" in done.stderr


def test_probe():
    class Portal(BaseHTTPRequestHandler):
        def do_GET(self):
            good = (self.path, self.headers["Host"]) == ("/healthz", "portal.example")
            self.send_response(200 if good else 400)
            self.end_headers()

        def log_message(self, *args):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Portal)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert probe.alive(port, "portal.example")
        assert not probe.alive(port, "other.example")
    finally:
        server.shutdown()
        server.server_close()
    assert not probe.alive(port, "portal.example")


def test_the_image_has_what_wheels_leave_to_the_system():
    """Slim images lack libexpat, which rasterio's wheel links to: nothing of the portal would start there."""
    library = Path(rasterio.__file__).parent.parent / "rasterio.libs"
    linked = b"".join(path.read_bytes() for path in library.glob("libgdal*.so*"))
    assert b"libexpat.so.1" in linked, "rasterio's wheel brings its own now: take it out of the Dockerfile"
    assert "libexpat1" in (PROJECT / "Dockerfile").read_text()


def test_removing_a_database_that_is_not_there_is_no_error(tmp_path):
    command = [sys.executable, "manage.py", "postgres", "remove", "--yes"]
    environment = {**os.environ, "RSPORTAL_VAR_DIR": str(tmp_path)}
    environment.pop("DATABASE_URL", None)
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("There is no database in ")
