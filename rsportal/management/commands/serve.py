"""``manage.py serve``: web and worker together, in the foreground."""

import signal
import socket
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from rsportal.processes.together import Together

_TICK_SECONDS: Final = 0.3
_WORKER_GRACE_SECONDS: Final = 8.0
_GRACE_SECONDS: Final = 15.0
WEB_THREADS: Final = 8
"""Requests served at once, each with a database connection of its own; more clients than that wait their turn."""


def port_check(host: str, port: int) -> None:
    """Raise CommandError when nobody could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port} ({error.strerror}). Another program may use this port: "
                f"stop it, or choose another one with `make run PORT={port + 1}`."
            ) from None


class Command(BaseCommand):
    """Serves the portal until it is told to stop. For one machine; servers run the two parts apart."""

    help = "Serve the portal: web pages and background work, until Ctrl-C. See docs/operations.md for servers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--threads", type=int, default=WEB_THREADS, help="requests served at once (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        port_check(host, port)
        if not Path(settings.STATIC_ROOT).is_dir():  # A folder of its own, that no `make setup` prepared.
            call_command("collectstatic", interactive=False, verbosity=0)
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # SIGHUP: the terminal was closed.
            signal.signal(number, lambda *_: stopping.set())
        parts = Together()
        try:
            parts.start("worker", ["manage.py", "run_worker", "--all", "--grace", str(_WORKER_GRACE_SECONDS)])
            parts.start("web", gunicorn_command(host=host, port=port, threads=options["threads"]))
            shown = f"[{host}]" if ":" in host else host
            self.stdout.write(f"Serving on http://{shown}:{port}/ - stop with Ctrl-C.")
            self.stdout.flush()
            while not stopping.wait(_TICK_SECONDS):
                if gone := parts.ended():
                    raise CommandError(f"The {gone[0]} process ended by itself (status {gone[1]}); see above.")
            self.stdout.write("Stopping ...")
        finally:
            parts.stop(_GRACE_SECONDS)
            database_release()
        self.stdout.write("Stopped.")


def gunicorn_command(*, host: str, port: int, threads: int) -> list[str]:
    """Return the web server's command line: one process, so that a model is loaded once, and threads."""
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return [
        *["-m", "gunicorn", "rsportal.wsgi:application", "--bind", bind],
        *["--workers", "1", "--worker-class", "gthread", "--threads", str(threads)],
        *["--timeout", "120", "--graceful-timeout", "5", "--log-level", "warning"],
        # Drawn areas and examples stand in the address of a search.
        *["--limit-request-line", "8190"],
    ]


def database_release() -> None:
    """Let the embedded database stop now, if nobody else uses it."""
    if settings.EMBEDDED_POSTGRES:
        from rsportal import postgres

        connections.close_all()
        postgres.release(settings.VAR_DIR)
