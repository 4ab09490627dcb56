"""The settings of django-q2, and the lease rule that keeps a task from running twice.

A task is leased to one cluster for ``retry`` seconds. If the lease ends while the task still waits or
runs, another pusher takes the same task again. So the lease must outlast the worst wait
(:func:`lease_seconds_needed`). Two clusters share one queue table: ``default`` for short work (ingest,
clean-up, schedules) and ``encode`` for long work.
"""

from math import ceil
from typing import Any, Final

from django.utils.translation import gettext_lazy

from rsportal.env import Env

_QUEUE_LIMIT: Final = 1
_BULK: Final = 1
_TIMEOUT_BUFFER_SECONDS: Final = 3  # django-q2 adds this to every timeout before it kills a worker.
_LEASE_MARGIN_SECONDS: Final = 60
_NEVER_RECYCLE: Final = 1_000_000  # A new worker process loads the model again, so processes are kept.
DEFAULT_CLUSTER: Final = "default"
ENCODE_CLUSTER: Final = "encode"


def lease_seconds_needed(*, workers: int, timeout: int, queue_limit: int, bulk: int) -> int:
    """Return the lease (seconds) that outlasts any wait in the cluster's own queue plus the run itself.

    A task taken from the table may wait behind ``queue_limit + bulk`` others, each of which runs for
    at most ``timeout`` plus django-q2's buffer, spread over ``workers`` processes.
    """
    rounds = 1 + ceil((queue_limit + bulk) / workers)
    return rounds * (timeout + _TIMEOUT_BUFFER_SECONDS) + _LEASE_MARGIN_SECONDS


def _lane(*, workers: int, timeout: int) -> dict[str, int]:
    lease = lease_seconds_needed(workers=workers, timeout=timeout, queue_limit=_QUEUE_LIMIT, bulk=_BULK)
    return {
        "workers": workers,
        "timeout": timeout,
        "retry": lease + 1,
        "queue_limit": _QUEUE_LIMIT,
        "bulk": _BULK,
        "recycle": _NEVER_RECYCLE,
    }


def q_cluster(env: Env) -> dict[str, Any]:
    """Return ``settings.Q_CLUSTER``. Timeouts are in seconds of one task's run time."""
    encode = _lane(
        workers=env.integer("RSPORTAL_ENCODE_WORKERS", 1, minimum=1),
        timeout=env.integer("RSPORTAL_ENCODE_TIMEOUT", 6 * 3600, minimum=60),
    )
    return {
        "name": DEFAULT_CLUSTER,
        **_lane(
            workers=env.integer("RSPORTAL_WORKERS", 1, minimum=1),
            timeout=env.integer("RSPORTAL_TASK_TIMEOUT", 3600, minimum=60),
        ),
        # The queue is a table of the same database: a job row and its task commit together.
        "orm": "default",
        "broker_class": "rsportal.processes.broker.HeartbeatBroker",
        # A failed task is not redelivered by the queue: the job service counts attempts and decides.
        "ack_failures": True,
        "catch_up": False,
        "save_limit": 250,
        "poll": 0.5,  # seconds
        "guard_cycle": 1,  # seconds
        "label": gettext_lazy("Queue"),
        # Each cluster starts what is scheduled for it; what names no cluster is the default one's.
        "ALT_CLUSTERS": {ENCODE_CLUSTER: encode},
    }
