"""``manage.py run_worker``: the background work, supervised."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from rsportal.processes.broker import leases_release
from rsportal.processes.supervisor import ClusterSupervisor, entries_left_by_the_dead

_TICK_SECONDS: Final = 0.5


def _release(entries: list[int]) -> None:
    close_old_connections()
    leases_release(entries)


class Command(BaseCommand):
    """Runs one cluster of worker processes, or all, until it is told to stop."""

    help = (
        "Do the background work (ingest, encoding, schedules). Restarts worker processes that die, "
        "fall silent or freeze. Stop with Ctrl-C or SIGTERM."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cluster", default=settings.Q_CLUSTER["name"], help="which queue to serve: %(default)s")
        parser.add_argument("--all", action="store_true", help="serve all queues")
        parser.add_argument(
            "--grace", type=float, default=30.0, metavar="SECONDS", help="time for running tasks to end (%(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        known = [settings.Q_CLUSTER["name"], *settings.Q_CLUSTER["ALT_CLUSTERS"]]
        if options["cluster"] not in known:
            raise CommandError(f"There is no cluster {options['cluster']!r}; there are: {', '.join(known)}.")
        names = known if options["all"] else [options["cluster"]]
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: stopping.set())
        run_dir = settings.VAR_DIR / "run"
        run_dir.mkdir(parents=True, exist_ok=True)
        leases_release(entries_left_by_the_dead(run_dir))
        clusters = [ClusterSupervisor(cluster=name, run_dir=run_dir, release=_release) for name in names]
        try:
            while not stopping.wait(_TICK_SECONDS):
                for cluster in clusters:
                    cluster.tick()
                    if cluster.gave_up:
                        raise CommandError(f"The worker cluster {cluster.cluster} keeps failing; see the log above.")
        finally:
            for cluster in clusters:
                cluster.ask_to_stop()
            for cluster in clusters:
                cluster.stop(options["grace"])
