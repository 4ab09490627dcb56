"""``manage.py postgres``: look after the embedded database."""

import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from rsportal import postgres


class Command(BaseCommand):
    """Shows, stops or removes the embedded PostgreSQL server of this portal."""

    help = "Look after the embedded PostgreSQL (it starts by itself; `manage.py dbshell` opens psql)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["status", "stop", "remove"])
        parser.add_argument("--yes", action="store_true", help="with remove: really delete the database")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMBEDDED_POSTGRES:
            raise CommandError("DATABASE_URL is set, so this portal uses no embedded database.")
        action = options["action"]
        if action == "status":
            for name, value in postgres.status(settings.VAR_DIR).items():
                self.stdout.write(f"{name}: {value}")
            return
        if action == "remove" and not options["yes"]:
            raise CommandError("This deletes every scene, account and click of the portal. Add --yes to do it.")
        postgres.stop(settings.VAR_DIR)
        if action == "remove":
            state = postgres.status(settings.VAR_DIR)
            base = Path(state["data"]).parent
            if not base.exists():
                self.stdout.write(f"There is no database in {base}.")
                return
            shutil.rmtree(base)
            shutil.rmtree(state["socket"], ignore_errors=True)
            self.stdout.write(f"Removed {base}.")
        else:
            self.stdout.write("The embedded database is stopped; the next command starts it again.")
