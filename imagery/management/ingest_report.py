"""What ``manage.py ingest`` says at its end: as a dictionary for programs, as a table for people."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Max, Min, Sum
from django.template.defaultfilters import filesizeformat

from imagery.management.encoder_report import duration
from imagery.models import Encoder, IngestJob
from imagery.services.cost import encoder_cost, pictures_bytes
from imagery.services.sources import Plan
from imagery.tiling import FINEST_SIDE_PIXELS, TileRule

_FAILURES_SHOWN: Final = 50


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


def dry_run_report(slug: str, plans: list[Plan], copy: bool, *, rule: TileRule) -> dict[str, Any]:
    """Return what an ingest would do and cost.

    ``encode_seconds`` is what the encoder alone needs by its measured rate, null when no encoder is usable here;
    ``seconds`` is the whole ingest by the rate of the latest one, null before the first.
    """
    good = [plan for plan in plans if not plan.reason]
    tiles, tiles_all = (sum(getattr(plan, name) for plan in good) for name in ("tiles", "tiles_all"))
    encoder = Encoder.objects.filter(state=Encoder.State.ACTIVE).first()
    cost = encoder_cost(encoder) if encoder else None
    rate = tiles_per_second()
    return {
        "dry_run": True,
        "collection": slug,
        "scenes": len(good),
        "refused": len(plans) - len(good),
        "tiles": tiles,
        "tiles_all": tiles_all,
        "cut_short": sum(plan.cut_short for plan in good),
        "most": rule.most,
        "bytes_read": sum(plan.size for plan in good),
        "bytes_copied": sum(plan.size for plan in good) if copy else 0,
        "bytes_of_vectors": tiles * cost.bytes_per_tile if cost else None,
        "bytes_of_pictures": pictures_bytes([(plan.width, plan.height) for plan in good]),
        "encoder": cost.name if cost else None,
        "encoder_per_second": round(cost.per_second, 2) if cost and cost.per_second else None,
        "encode_seconds": cost.seconds(tiles) if cost else None,
        "encode_seconds_all": cost.seconds(tiles_all) if cost else None,
        "seconds": round(tiles / rate) if rate else None,
        "sources": [
            {
                "source": plan.source.name,
                "files": [str(path) for path in plan.source.files.values()],
                "format": plan.format,
                "width": plan.width,
                "height": plan.height,
                "gsd": plan.gsd_m,
                "tiles": plan.tiles,
                "tiles_all": plan.tiles_all,
                "finest_window": plan.finest,
                "reason": plan.reason,
            }
            for plan in plans
        ],
    }


def dry_run_summary(report: dict[str, Any]) -> str:
    """Return a dry run's report as a table and totals."""
    lines = [f"{'tiles':>7}  {'finest window':>16}  {'pixels':>15}  {'format':<24} source"]
    for source in report["sources"]:
        if source["reason"]:
            lines.append(f"{'-':>7}  {'':>16}  {'':>15}  {'refused':<24} {source['reason']}")
            continue
        pixels = f"{source['width']} x {source['height']}"
        line = f"{source['tiles']:>7,}  {_finest(source):>16}  {pixels:>15}  {source['format']:<24} {source['source']}"
        if source["tiles"] < source["tiles_all"]:
            line += f"  (down to full resolution: {source['tiles_all']:,} tiles)"
        lines.append(line)
    lines += [
        "",
        f"{_scenes(report['scenes'])} with {report['tiles']:,} tiles at most (windows without data are left out), "
        f"{report['refused']:,} refused.",
        f"Files: {_size(report['bytes_read'])} to read, {_size(report['bytes_copied'])} to copy.",
        f"Stored: {_stored(report)} for overviews and thumbnails.",
        _time(report),
    ]
    if report["cut_short"]:
        lines.append(_cut_short(report))
    return "\n".join([*lines, "Nothing was written."])


def _finest(source: dict[str, Any]) -> str:
    """Return the side of the finest windows in pixels, and how many metres one of its 256 samples is."""
    side = source["finest_window"]
    sampling = source["gsd"] and f" ({source['gsd'] * max(1.0, side / FINEST_SIDE_PIXELS):.3g} m)"
    return f"{side:,} px{sampling or ''}"


def _stored(report: dict[str, Any]) -> str:
    pictures = _size(report["bytes_of_pictures"])
    vectors = report["bytes_of_vectors"]
    return f"about {_size(vectors)} for tiles and vectors, {pictures}" if vectors is not None else f"about {pictures}"


def _time(report: dict[str, Any]) -> str:
    parts = []
    if report["encode_seconds"] is not None:
        parts.append(
            f"{duration(timedelta(seconds=report['encode_seconds']))} to encode with {report['encoder']} "
            f"({report['encoder_per_second']:,.3g} tiles/s measured here)"
        )
    if report["seconds"] is not None:
        parts.append(f"{duration(timedelta(seconds=report['seconds']))} in all at the rate of the latest ingest")
    return f"Time: about {'; '.join(parts)}." if parts else "Time: unknown before an encoder is active."


def _cut_short(report: dict[str, Any]) -> str:
    scenes = f"{_scenes(report['cut_short'])} {'ends' if report['cut_short'] == 1 else 'end'}"
    more = ""
    if report["encode_seconds_all"] is not None:
        more = f", {duration(timedelta(seconds=report['encode_seconds_all']))} to encode"
    return (
        f"{scenes} before full resolution: the collection takes at most {report['most']:,} windows of a scene. In full "
        f"it would be {report['tiles_all']:,} tiles{more}; raise its “most windows of a scene” to cut finer, or name "
        "the finest sampling you look for."
    )


def _scenes(count: int) -> str:
    return "1 scene" if count == 1 else f"{count:,} scenes"


def _size(count: int) -> str:
    return filesizeformat(count).replace("\xa0", " ")


def tiles_per_second() -> float | None:
    """Return how many tiles a second the latest batch was encoded with, or None without history."""
    ready = IngestJob.objects.filter(state=IngestJob.State.READY, started_at__isnull=False)
    last = ready.order_by("-finished_at").first()
    if last is None:
        return None
    span = ready.filter(batch=last.batch).aggregate(Min("started_at"), Max("finished_at"), Sum("total"))
    seconds = (span["finished_at__max"] - span["started_at__min"]).total_seconds()
    return span["total__sum"] / seconds if seconds > 0 else None
