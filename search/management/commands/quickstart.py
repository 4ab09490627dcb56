"""``manage.py quickstart``: from an empty database to a portal with a searchable demo archive."""

import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from tqdm import tqdm

from imagery.models import FillItem, IngestJob
from imagery.selectors import UNFINISHED
from imagery.services.demo import DEMO_SLUG, demo_archive_ingest, demo_archive_ready
from imagery.services.encoders import builtin_encoder_ensure, encoder_active
from imagery.services.fill import OPEN, encoder_fill, fill_plan
from rsportal.accounts.models import User
from rsportal.first_admin import first_admin_ensure
from rsportal.management.commands.serve import database_release, port_check
from rsportal.processes.together import Together

_POLL_SECONDS: Final = 0.5
_DEMO_DEADLINE_SECONDS: Final = 3600.0
_GRACE_SECONDS: Final = 15.0


class Command(BaseCommand):
    """Prepares everything a newcomer needs and shows that it works. Running it again repeats nothing."""

    help = "Migrate, make an admin account, ingest the demo archive, show three searches; --serve goes on serving."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--serve", action="store_true", help="then serve the portal until Ctrl-C")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        try:
            self._handle(**options)
        except KeyboardInterrupt:
            raise CommandError("Stopped before the portal was ready; run it again to go on.", returncode=130) from None
        finally:
            database_release()

    def _handle(self, *, serve: bool, host: str, port: int, **_options: Any) -> None:
        if serve:
            port_check(host, port)  # Before the long part, not after it.
        self._say("Preparing the database ...")
        call_command("migrate", interactive=False, verbosity=0)
        builtin_encoder_ensure()
        user, password = first_admin_ensure()
        if password:
            self._show_account(user, password)
        self._ingest_demo(user)
        self._search(user)
        if serve:
            call_command("serve", host=host, port=port, stdout=self.stdout, stderr=self.stderr)

    def _ingest_demo(self, user: User) -> None:
        if demo_archive_ready():
            self._say(f"Collection {DEMO_SLUG!r} is searchable.")
            return
        self._say("Taking in the demo archive (Sentinel-2 and Landsat) ...")
        collection, jobs = demo_archive_ingest(user=user)
        scenes = [job.scene_id for job in jobs]
        # Known scenes may have vectors of an encoder before only.
        fill_plan(encoder_fill(encoder=encoder_active()).pk)
        filling = FillItem.objects.filter(fill__encoder=encoder_active(), scene__in=scenes)
        unfinished = IngestJob.objects.filter(scene__in=scenes, state__in=UNFINISHED)
        waiting = list(unfinished.values_list("pk", flat=True))
        if waiting or filling.exists():
            workers = Together()
            workers.start("worker", ["manage.py", "run_worker", "--all", "--grace", "8"], _QUIET)
            try:
                self._watch(waiting, filling.filter(state__in=OPEN), workers)
            finally:
                workers.stop(_GRACE_SECONDS)
        failed = IngestJob.objects.filter(pk__in=[*waiting, *(job.pk for job in jobs)], state=IngestJob.State.FAILED)
        reasons = [f"{job.source_name}: {job.reason}" for job in failed]
        reasons += [f"{item.scene.title}: {item.reason}" for item in filling.select_related("scene")]
        if reasons:
            raise CommandError("The demo archive could not be ingested. " + " ".join(reasons))
        self._say(f"Collection {collection.slug!r} is searchable.")

    def _watch(self, job_ids: Sequence[Any], filling: QuerySet[FillItem], workers: Together) -> None:
        """Show the progress of the jobs, in tiles, until none of them and nothing of ``filling`` is left."""
        deadline = time.monotonic() + _DEMO_DEADLINE_SECONDS
        with tqdm(desc="Encoding", unit="tile", mininterval=0.5, disable=not sys.stderr.isatty()) as bar:
            last = ""
            while True:
                jobs = list(IngestJob.objects.filter(pk__in=job_ids))
                bar.total = sum(job.total for job in jobs)
                bar.update(sum(job.done for job in jobs) - bar.n)
                if bar.disable:
                    last = self._plain_progress(jobs, last)
                if all(job.finished for job in jobs) and not filling.exists():
                    return
                if gone := workers.ended():
                    raise CommandError(f"The {gone[0]} process ended by itself (status {gone[1]}); see above.")
                if time.monotonic() > deadline:
                    raise CommandError("The demo archive took longer than an hour; look at the jobs page.")
                time.sleep(_POLL_SECONDS)

    def _plain_progress(self, jobs: Sequence[IngestJob], last: str) -> str:
        """Without a terminal: one line whenever a job's state or tenth of progress changes."""
        line = ", ".join(f"{job.source_name}: {job.get_state_display()} {job.percent // 10 * 10} %" for job in jobs)
        if line != last:
            self._say("  " + line)
        return line

    def _search(self, user: User) -> None:
        # A process of its own: the model's memory goes with it, and this one may go on to serve for weeks.
        command = [sys.executable, "manage.py", "example_searches", "--as", user.get_username()]
        if subprocess.run(command, cwd=settings.BASE_DIR, env={**os.environ, **_QUIET}, check=False).returncode != 0:
            raise CommandError("The example searches did not return scenes; see above.")

    def _show_account(self, user: User, password: str) -> None:
        name = user.get_username()
        self._say(f"\n  Account: {name}   password: {password}")
        self._say(f"  It is shown this once. Change it with: .venv/bin/python manage.py changepassword {name}\n")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


_QUIET: Final = {"RSPORTAL_LOG_LEVEL": os.environ.get("RSPORTAL_LOG_LEVEL", "WARNING")}


def _interrupt(*_args: Any) -> None:
    raise KeyboardInterrupt
