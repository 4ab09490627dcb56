"""What ``manage.py ingest`` says at its end: as a dictionary for programs, as a table for people."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final
from uuid import UUID

from django.db.models import Max, Min, Sum
from django.template.defaultfilters import filesizeformat

from imagery.models import Encoder, IngestJob
from imagery.services.sources import Plan

_FAILURES_SHOWN: Final = 50
_BYTES_PER_NUMBER: Final = 2  # halfvec


def final_report(slug: str, batch: UUID, labels: dict[UUID, str]) -> dict[str, Any]:
    """Return the outcome of a batch; ``labels`` maps job ids to the sources as they were named."""
    jobs = IngestJob.objects.filter(batch=batch).order_by("created_at", "pk")
    counts = Counter(job.state for job in jobs)
    return {
        "batch": str(batch),
        "collection": slug,
        "ready": counts[IngestJob.State.READY],
        "duplicate": counts[IngestJob.State.DUPLICATE],
        "failed": counts[IngestJob.State.FAILED] + counts[IngestJob.State.CANCELLED],
        "waiting": counts[IngestJob.State.QUEUED] + counts[IngestJob.State.RUNNING],
        "jobs": [
            {
                "source": labels.get(job.pk, job.source_name),
                "state": job.state,
                "reason": job.reason,
                "scene": str(job.scene_id) if job.scene_id else None,
            }
            for job in jobs
        ],
    }


def final_summary(report: dict[str, Any]) -> str:
    """Return the outcome as lines for a person."""
    names = {"ready": "ready", "duplicate": "already there", "failed": "failed", "waiting": "waiting for a worker"}
    lines = [f"Collection {report['collection']}, batch {report['batch']}:"]
    lines += [f"  {report[key]:>7,}  {name}" for key, name in names.items() if report[key] or key == "ready"]
    failed = [job for job in report["jobs"] if job["state"] in {IngestJob.State.FAILED, IngestJob.State.CANCELLED}]
    if failed:
        lines += ["", "Failed:"]
        lines += [f"  {job['source']}: {job['reason'] or job['state']}" for job in failed[:_FAILURES_SHOWN]]
        if len(failed) > _FAILURES_SHOWN:
            lines.append(f"  ... and {len(failed) - _FAILURES_SHOWN} more (--json lists all)")
    return "\n".join(lines)


def dry_run_report(slug: str, plans: list[Plan], copy: bool) -> dict[str, Any]:
    """Return what an ingest would do and cost. ``seconds`` is null until this portal has encoded something."""
    good = [plan for plan in plans if not plan.reason]
    tiles = sum(plan.tiles for plan in good)
    encoder = Encoder.objects.filter(state=Encoder.State.ACTIVE).first()
    rate = tiles_per_second()
    return {
        "dry_run": True,
        "collection": slug,
        "scenes": len(good),
        "refused": len(plans) - len(good),
        "tiles": tiles,
        "bytes_read": sum(plan.size for plan in good),
        "bytes_copied": sum(plan.size for plan in good) if copy else 0,
        "bytes_of_vectors": tiles * encoder.dimension * _BYTES_PER_NUMBER if encoder else None,
        "seconds": round(tiles / rate) if rate else None,
        "sources": [
            {
                "source": plan.source.name,
                "files": [str(path) for path in plan.source.files.values()],
                "format": plan.format,
                "width": plan.width,
                "height": plan.height,
                "tiles": plan.tiles,
                "reason": plan.reason,
            }
            for plan in plans
        ],
    }


def dry_run_summary(report: dict[str, Any]) -> str:
    """Return a dry run's report as a table and totals."""
    lines = [f"{'tiles':>7}  {'pixels':>15}  {'format':<24} source"]
    for source in report["sources"]:
        if source["reason"]:
            lines.append(f"{'-':>7}  {'':>15}  {'refused':<24} {source['reason']}")
            continue
        pixels = f"{source['width']} x {source['height']}"
        lines.append(f"{source['tiles']:>7,}  {pixels:>15}  {source['format']:<24} {source['source']}")
    time = f"about {_duration(report['seconds'])}" if report["seconds"] is not None else "unknown before the first run"
    lines += [
        "",
        f"{report['scenes']:,} scenes with {report['tiles']:,} tiles, {report['refused']:,} refused; "
        f"{filesizeformat(report['bytes_read'])} to read, {filesizeformat(report['bytes_copied'])} to copy; "
        f"time: {time}. Nothing was written.",
    ]
    return "\n".join(lines)


def tiles_per_second() -> float | None:
    """Return how many tiles a second the latest batch was encoded with, or None without history."""
    ready = IngestJob.objects.filter(state=IngestJob.State.READY, started_at__isnull=False)
    last = ready.order_by("-finished_at").first()
    if last is None:
        return None
    span = ready.filter(batch=last.batch).aggregate(Min("started_at"), Max("finished_at"), Sum("total"))
    seconds = (span["finished_at__max"] - span["started_at__min"]).total_seconds()
    return span["total__sum"] / seconds if seconds > 0 else None


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else (f"{minutes} min {rest} s" if minutes else f"{rest} s")
