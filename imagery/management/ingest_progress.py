"""Watching a batch of jobs until it ends, with a progress bar on a terminal and plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q, Sum
from django.utils import timezone
from tqdm import tqdm

from imagery.leases import stale_before
from imagery.models import IngestJob
from imagery.services.ingest import ingest_jobs_drain
from rsportal.queue_settings import ENCODE_CLUSTER

_POLL_SECONDS: Final = 0.3
_LINE_SECONDS: Final = 10.0
_PATIENCE_SECONDS: Final = 15.0
"""How long to wait for a worker that may be starting."""
_WORKER_SILENT: Final = timedelta(seconds=45)
T = TypeVar("T")


class _Writer(Protocol):
    def write(self, message: str) -> Any: ...


class BatchWatch:
    """Shows how far the jobs of one batch are. ``quiet``: nothing but warnings, for callers that parse the output."""

    def __init__(self, *, batch: UUID, stderr: _Writer, quiet: bool) -> None:
        self._batch, self._stderr = batch, stderr
        self._bars = sys.stderr.isatty() and not quiet
        self._lines = not self._bars and not quiet

    def counted(self, items: Iterable[T], what: str, total: int) -> Iterator[T]:
        """Yield ``items`` behind a progress bar."""
        yield from tqdm(items, desc=what, total=total, unit="file", disable=not self._bars, leave=False)

    def wait(self, *, run_here: bool) -> None:
        """Return when no job of the batch waits or runs. Works in this process when asked, or when nobody else does.

        Raises the error that stopped the work in this process.
        """
        here: _Here | None = None
        idle_since = time.monotonic()
        next_line = time.monotonic() + _LINE_SECONDS
        with tqdm(total=0, desc="encoding", unit="tile", disable=not self._bars, leave=False) as bar:
            while True:
                state = self._state()
                bar.total, bar.n = max(state["total"], state["left"]), state["done"]
                bar.set_postfix_str(f"{state['left']} of {state['jobs']} scenes left", refresh=True)
                if not state["left"]:
                    break
                if state["running"] or here is not None or _worker_alive():
                    idle_since = time.monotonic()
                idle = time.monotonic() - idle_since
                if here is None and (run_here or idle > _PATIENCE_SECONDS):
                    if not run_here:
                        self._stderr.write(
                            "No worker is running, so this process encodes. For the background, start "
                            '"manage.py run_worker --all"; to skip this wait, use --run-here.'
                        )
                    here = _Here(self._batch)
                if here is not None and here.ended and self._state()["left"]:
                    here.raise_error()
                    here = _Here(self._batch)  # A job was queued again after a crash.
                if self._lines and time.monotonic() > next_line:
                    next_line = time.monotonic() + _LINE_SECONDS
                    self._stderr.write(f"{state['left']} of {state['jobs']} scenes left, {state['done']} tiles encoded")
                time.sleep(_POLL_SECONDS)
        if here is not None:
            here.join()

    def _state(self) -> dict[str, int]:
        left = Q(state__in=[IngestJob.State.QUEUED, IngestJob.State.RUNNING])
        found = IngestJob.objects.filter(batch=self._batch).aggregate(
            jobs=Count("pk"),
            left=Count("pk", filter=left),
            running=Count("pk", filter=Q(state=IngestJob.State.RUNNING, heartbeat_at__gte=stale_before())),
            done=Sum("done"),
            total=Sum("total"),
        )
        return {name: value or 0 for name, value in found.items()}


class _Here:
    """Works on the batch in a thread of this process, so that the bar goes on."""

    def __init__(self, batch: UUID) -> None:
        self._batch = batch
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="ingest-here", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether it found nothing more to do, or failed."""
        return not self._thread.is_alive()

    def raise_error(self) -> None:
        """Raise what stopped the work, if anything did."""
        if self._error is not None:
            raise self._error

    def join(self) -> None:
        """Wait for the end of the thread."""
        self._thread.join()

    def _run(self) -> None:
        try:
            ingest_jobs_drain(batch=self._batch)
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self._error = error
        finally:
            connection.close()


def _worker_alive() -> bool:
    from rsportal.models import WorkerHeartbeat

    return WorkerHeartbeat.objects.filter(cluster=ENCODE_CLUSTER, beat_at__gte=timezone.now() - _WORKER_SILENT).exists()
