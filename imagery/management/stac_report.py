"""What ``manage.py stac_import`` says while it works and at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from django.db.models import Count
from tqdm import tqdm

from imagery.models import Collection, IngestJob, Scene
from imagery.services.stac_import import Progress
from imagery.services.stac_items import Outcome, Stored
from imagery.stac.fields_in import is_address

_LINE_SECONDS: Final = 10.0
_REFUSED_KEPT: Final = 1000
_COUNTED_MOST_BYTES: Final = 2 * 1024**3


class _Writer(Protocol):
    def write(self, message: str) -> Any: ...


class ImportLog:
    """Follows an import: a bar on a terminal, plain lines elsewhere, each refused item at once. ``quiet``: neither."""

    def __init__(self, *, stderr: _Writer, quiet: bool, source: str) -> None:
        self._stderr = stderr
        self._bar = sys.stderr.isatty() and not quiet
        self._lines = not self._bar and not quiet
        self._quiet = quiet
        self._total = _lines_in(source)
        self._refused: list[dict[str, str]] = []

    def follow(self, steps: Iterable[Stored], progress: Progress) -> None:
        """Run through an import's steps."""
        next_line = time.monotonic() + _LINE_SECONDS
        with tqdm(total=self._total, desc="importing", unit="item", disable=not self._bar, leave=False) as bar:
            for number, each in enumerate(steps, start=1):
                if each.outcome is Outcome.REFUSED:
                    self._refuse(each)
                bar.n = max(progress.seen, number)
                if number % 20 == 0 or self._total is None:
                    bar.set_postfix_str(_counts(progress), refresh=False)
                bar.update(0)
                if self._lines and time.monotonic() > next_line:
                    next_line = time.monotonic() + _LINE_SECONDS
                    self._stderr.write(f"{progress.seen:,} items: {_counts(progress)}")

    def _refuse(self, each: Stored) -> None:
        if len(self._refused) < _REFUSED_KEPT:
            self._refused.append({"item": each.found.where, "reason": each.reason})
        if not self._quiet:
            tqdm.write("", file=sys.stderr, end="") if self._bar else None
            self._stderr.write(f"Refused: {each.found.where}: {each.reason}")

    def report(self, collection: Collection, progress: Progress, *, batch: UUID) -> dict[str, Any]:
        """Return the outcome of an import: over all its runs, and how the scenes of this one stand."""
        jobs = IngestJob.objects.filter(batch=batch)
        failed = jobs.filter(state=IngestJob.State.FAILED).order_by("created_at").values_list("source_name", "reason")
        states = dict(
            Scene.objects.filter(collection=collection)
            .exclude(stac_id="")
            .order_by()
            .values_list("status")
            .annotate(n=Count("pk"))
        )
        return {
            "collection": collection.slug,
            "import": str(batch),
            **self._outcome(progress),
            "queued": progress.jobs,
            "scenes": {status: states.get(status, 0) for status in Scene.Status.values},
            "failed": [{"source": name, "reason": reason} for name, reason in failed[:_REFUSED_KEPT]],
        }

    def plan(self, slug: str, progress: Progress) -> dict[str, Any]:
        """Return what an import would do."""
        return {"dry_run": True, "collection": slug, **self._outcome(progress)}

    def _outcome(self, progress: Progress) -> dict[str, Any]:
        return {
            "items": progress.seen,
            **{outcome.value: progress.counts[outcome] for outcome in Outcome},
            "refusals": self._refused,
        }

    def summary(self, report: dict[str, Any]) -> str:
        """Return a report as lines for a person."""
        lines = [f"Collection {report['collection']}: {report['items']:,} items"]
        lines += [f"  {report[outcome.value]:>9,}  {outcome.value}" for outcome in Outcome]
        if report.get("dry_run"):
            return "\n".join([*lines, "Nothing was written."])
        names = {"ready": "ready to be searched", "pending": "being ingested", "failed": "failed, can be tried again"}
        names["metadata"] = "no pixels reachable (kept; run it again, or --retry-pixels)"
        lines.append("Its imported scenes now:")
        lines += [f"  {report['scenes'][state]:>9,}  {name}" for state, name in names.items()]
        lines += [f"Failed: {each['source']}: {each['reason']}" for each in report["failed"][:50]]
        return "\n".join(lines)


def _counts(progress: Progress) -> str:
    return ", ".join(f"{progress.counts[outcome]:,} {outcome}" for outcome in Outcome if progress.counts[outcome])


def _lines_in(source: str) -> int | None:
    """Return how many items a file of lines holds, for the bar; None where counting is not worth it."""
    path = Path(source)
    if not source or is_address(source) or path.suffix.lower() not in {".ndjson", ".jsonl", ".geojsonl"}:
        return None
    try:
        if path.stat().st_size > _COUNTED_MOST_BYTES:
            return None
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1024 * 1024), b""))
    except OSError:
        return None
