"""What must work before the portal can serve. Apps add their own checks in a module ``readiness``."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules

from rsportal.errors import RsportalError, Unavailable
from rsportal.pgvector_version import pgvector_check

_BEAT_MAX_AGE: Final = timedelta(seconds=60)

_checks: dict[str, Callable[[], None]] = {}


def readiness_check(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function that raises RsportalError, with the way to mend it, while its part is not ready."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        _checks[name] = function
        return function

    return register


def readiness_problems() -> dict[str, str]:
    """Run every check; returns the reason of each part that is not ready, by name. Empty means ready.

    Without a database nothing else is tried.
    """
    autodiscover_modules("readiness")
    problems: dict[str, str] = {}
    for name, check in _checks.items():
        try:
            check()
        except RsportalError as error:
            problems[name] = error.message
        except DatabaseError as error:
            problems["database"] = f"The database does not answer: {error}".strip()
        if "database" in problems:
            return problems
    return problems


@readiness_check("database")
def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@readiness_check("extension")
def _extension() -> None:
    pgvector_check()


@readiness_check("migrations")
def _migrations() -> None:
    executor = MigrationExecutor(connection)
    if missing := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Unavailable(
            f"{len(missing)} migrations are not applied, the first is {missing[0][0]}. Run manage.py migrate."
        )


@readiness_check("worker")
def _worker() -> None:
    from rsportal.models import WorkerHeartbeat

    fresh = WorkerHeartbeat.objects.filter(beat_at__gte=timezone.now() - _BEAT_MAX_AGE)
    alive = set(fresh.values_list("cluster", flat=True))
    wanted = [settings.Q_CLUSTER["name"], *settings.Q_CLUSTER["ALT_CLUSTERS"]]
    if silent := [name for name in wanted if name not in alive]:
        raise Unavailable(
            f"No sign of life from the worker cluster {', '.join(silent)}. Uploads are kept and wait; "
            "start manage.py run_worker."
        )
